"""A model behind a server, by TensorFlow Serving's REST interface."""

import base64
import dataclasses
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from limit_tf.serving.inputs import Batch
from limit_tf.serving.model_spec import BYTES_SIGNATURE
from limit_tf.serving.model_spec import ModelSpec
from limit_tf.serving.model_spec import Signature
from limit_tf.serving.prediction import Answer
from limit_tf.serving.prediction import InvalidImageError
from limit_tf.serving.prediction import Predictor
from limit_tf.serving.remote import Server
from limit_tf.serving.remote import ServerError

_PIECE_BYTES = 2**16
_INVALID = 400
_TOO_MANY = 429


class RestPredictor(Predictor):
    """A model behind TensorFlow Serving's REST port.

    All answers are of the version that the server has at the start, which is
    asked for what the model takes.

    Args:
        server: Where the model is.

    Raises:
        ServerError: If there is no such model or no answer.
        ValueError: If it is no model of this library.
    """

    def __init__(self, server: Server):
        self.server = server
        metadata = self._send("/metadata")
        try:
            version = int(metadata["model_spec"]["version"])
            signatures = metadata["metadata"]["signature_def"]["signature_def"]
            signatures = {
                name: Signature(
                    _shapes(signature.get("inputs", {})),
                    _shapes(signature.get("outputs", {})),
                )
                for name, signature in signatures.items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ServerError(
                f"{server} does not say what it takes, as TensorFlow Serving "
                "does; is this its REST port?"
            ) from error
        self.server = dataclasses.replace(server, version=version)
        where = str(self.server)
        super().__init__(ModelSpec.of(signatures, where), where)

    def answer(self, batch: Batch) -> Answer:
        """Returns what the model says of a batch."""
        if batch.signature == BYTES_SIGNATURE:
            instances = [
                {"b64": base64.b64encode(image).decode("ascii")}
                for image in batch.images
            ]
        else:
            instances = batch.images.tolist()
        body = {"signature_name": batch.signature, "instances": instances}
        try:
            reply = self._send(":predict", json.dumps(body).encode("ascii"))
        except ServerError as error:
            if error.is_invalid:
                raise InvalidImageError(str(error)) from error
            raise
        rows = reply.get("predictions") if isinstance(reply, dict) else None
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) for row in rows
        ):
            raise ServerError(f"{self.server} answered without predictions.")
        names = rows[0] if rows else ()
        outputs = {name: [row.get(name) for row in rows] for name in names}
        return Answer.of(outputs, len(batch.names), self.where)

    def _send(self, what, body=None):
        """Sends a request, with retries, and returns the JSON of the reply."""
        name = urllib.parse.quote(self.server.model_name, safe="")
        url = f"http://{self.server.address}/v1/models/{name}"
        if self.server.version is not None:
            url += f"/versions/{self.server.version}"
        request = urllib.request.Request(
            url + what, body, {"Content-Type": "application/json"}
        )
        text = self.server.ask(lambda: self._send_once(request))
        try:
            return json.loads(text)
        except ValueError as error:
            raise ServerError(
                f"{self.server} answered something else than JSON; is this "
                "its REST port?"
            ) from error

    def _send_once(self, request):
        """Returns the body of the reply."""
        timeout = self.server.timeout
        late = ServerError(f"no answer within {timeout:g} s", is_temporary=True)
        end = time.monotonic() + timeout
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                # The timeout is one of the socket's, for each of its pieces.
                pieces = []
                while piece := reply.read1(_PIECE_BYTES):
                    pieces.append(piece)
                    if time.monotonic() > end:
                        raise late
                if reply.length:
                    raise ServerError(
                        "the answer was cut off", is_temporary=True
                    )
                return b"".join(pieces)
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from error
        except TimeoutError as error:
            raise late from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise late from error
            if isinstance(reason, ConnectionError):
                raise ServerError(
                    f"no connection ({reason})", is_temporary=True
                ) from error
            raise ServerError(f"{self.server}: {reason}") from error

    def _refusal(self, error):
        """Returns the error that a reply with a status of errors stands for."""
        try:
            with error:
                reason = json.loads(error.read())["error"]
        except (OSError, ValueError, LookupError, TypeError):
            reason = error.reason
        is_temporary = error.code == _TOO_MANY or error.code >= 500
        where = "" if is_temporary else f"{self.server}: "
        return ServerError(
            f"{where}HTTP {error.code}, {reason}",
            is_temporary=is_temporary,
            is_invalid=error.code == _INVALID,
        )


def _shapes(tensors):
    """Returns the shapes of tensors in the JSON form of their TensorInfo."""
    return {
        name: _shape(tensor["tensor_shape"]) for name, tensor in tensors.items()
    }


def _shape(shape):
    if shape.get("unknown_rank"):
        return None
    sizes = [int(dim["size"]) for dim in shape.get("dim", [])]
    return tuple(None if size < 0 else size for size in sizes)
