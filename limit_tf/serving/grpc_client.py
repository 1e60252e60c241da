"""A model behind a server, by TensorFlow Serving's gRPC interface."""

import dataclasses

import tensorflow as tf

from limit_tf.serving.inputs import Batch
from limit_tf.serving.model_spec import BYTES_SIGNATURE
from limit_tf.serving.model_spec import IMAGE_BYTES
from limit_tf.serving.model_spec import IMAGES
from limit_tf.serving.model_spec import OUTPUTS
from limit_tf.serving.model_spec import ModelSpec
from limit_tf.serving.model_spec import Signature
from limit_tf.serving.prediction import Answer
from limit_tf.serving.prediction import InvalidImageError
from limit_tf.serving.prediction import Predictor
from limit_tf.serving.remote import Server
from limit_tf.serving.remote import ServerError

_OPTIONS = (
    # Without a limit: batches of images are larger than gRPC's 4 MiB.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A server that comes back is found by the next attempt.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


class GrpcPredictor(Predictor):
    """A model behind TensorFlow Serving's gRPC port.

    All answers are of the version that the server has at the start, which is
    asked for what the model takes.

    Args:
        server: Where the model is.

    Raises:
        RuntimeError: If the packages of the extra `serving` are missing.
        ServerError: If there is no such model or no answer.
        ValueError: If it is no model of this library.
    """

    def __init__(self, server: Server):
        self._grpc, self._apis = _packages()
        channel = self._grpc.insecure_channel(server.address, _OPTIONS)
        self._stub = self._apis.stub(channel)
        self.server = server
        request = self._apis.metadata.GetModelMetadataRequest()
        self._name(request.model_spec)
        request.metadata_field.append("signature_def")
        reply = self._send(self._stub.GetModelMetadata, request)
        signatures = self._apis.metadata.SignatureDefMap()
        reply.metadata["signature_def"].Unpack(signatures)
        version = reply.model_spec.version.value
        self.server = dataclasses.replace(server, version=version)
        signatures = {
            name: Signature(
                _shapes(signature.inputs), _shapes(signature.outputs)
            )
            for name, signature in signatures.signature_def.items()
        }
        where = str(self.server)
        super().__init__(ModelSpec.of(signatures, where), where)

    def answer(self, batch: Batch) -> Answer:
        """Returns what the model says of a batch."""
        request = self._apis.predict.PredictRequest()
        self._name(request.model_spec)
        request.model_spec.signature_name = batch.signature
        if batch.signature == BYTES_SIGNATURE:
            name, images = (
                IMAGE_BYTES,
                tf.make_tensor_proto(batch.images, tf.string),
            )
        else:
            name, images = IMAGES, tf.make_tensor_proto(batch.images)
        request.inputs[name].CopyFrom(images)
        request.output_filter.extend(OUTPUTS)
        try:
            reply = self._send(self._stub.Predict, request)
        except ServerError as error:
            if error.is_invalid:
                raise InvalidImageError(str(error)) from error
            raise
        outputs = {
            name: tf.make_ndarray(tensor)
            for name, tensor in reply.outputs.items()
        }
        return Answer.of(outputs, len(batch.names), self.where)

    def _name(self, model_spec):
        """Writes model and version into a request."""
        model_spec.name = self.server.model_name
        if self.server.version is not None:
            model_spec.version.value = self.server.version

    def _send(self, method, request):
        """Sends a request, with retries, and returns the reply."""
        return self.server.ask(lambda: self._send_once(method, request))

    def _send_once(self, method, request):
        codes = self._grpc.StatusCode
        timeout = self.server.timeout
        try:
            return method(request, timeout=timeout)
        except self._grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            if code == codes.DEADLINE_EXCEEDED:
                details = f"no answer within {timeout:g} s"
            is_temporary = code in (codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED)
            where = "" if is_temporary else f"{self.server}: "
            raise ServerError(
                f"{where}{code.name}, {details}",
                is_temporary=is_temporary,
                is_invalid=code == codes.INVALID_ARGUMENT,
            ) from error


@dataclasses.dataclass(frozen=True)
class _Apis:
    metadata: object
    predict: object
    stub: type


def _packages():
    """Returns the module of gRPC, and those of TensorFlow Serving."""
    try:
        import grpc
        from tensorflow_serving.apis import get_model_metadata_pb2
        from tensorflow_serving.apis import predict_pb2
        from tensorflow_serving.apis import prediction_service_pb2_grpc
    except ImportError as error:
        raise RuntimeError(
            "`protocol` grpc needs packages that are not installed: "
            'pip install "limit_tf[serving]", or take --protocol=rest. '
            f"({error})"
        ) from error
    return grpc, _Apis(
        get_model_metadata_pb2,
        predict_pb2,
        prediction_service_pb2_grpc.PredictionServiceStub,
    )


def _shapes(tensors):
    """Returns the shapes of TensorInfos."""
    return {name: _shape(info.tensor_shape) for name, info in tensors.items()}


def _shape(shape):
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
