"""A stand-in for a server: gRPC and REST in the form of TensorFlow Serving.

    python tests/serving/stand_in_server.py FOLDER

It is not TensorFlow Serving. It loads the version in FOLDER by TensorFlow's C
library, prints its gRPC and its REST port, and ends with its standard input.
The messages are the real ones of `tensorflow-serving-api`. The model is there
under any name; some make the server fail:

    fail.N.CODE.ANY   the first N predictions fail with this code of gRPC
    slow.SECONDS.ANY  predictions take so long
    missing           there is no such model

REST's `/requests/NAME` tells how many predictions a name was asked for.
"""

import base64
import collections
import http.server
import json
import pathlib
import re
import sys
import threading
import time
from concurrent import futures

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from tests.serving import c_session  # noqa: E402

c_session.use_messages_alone()

import grpc  # noqa: E402
import numpy as np  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from tensorflow.core.framework import tensor_pb2  # noqa: E402
from tensorflow_serving.apis import get_model_metadata_pb2  # noqa: E402
from tensorflow_serving.apis import predict_pb2  # noqa: E402
from tensorflow_serving.apis import prediction_service_pb2_grpc  # noqa: E402

_HTTP = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
_FLOAT, _STRING, _INT64 = 1, 7, 9  # DataType


class Failure(Exception):
    """What a request ends in, by the name of a code of gRPC."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Model:
    """The model, under the names that make it fail."""

    def __init__(self, folder):
        self.version = int(folder.name)
        self._session = c_session.CSession(folder)
        self.num_requests = collections.Counter()
        self._lock = threading.Lock()

    def signatures(self, name, version):
        self._check(name, version)
        return self._session.signatures

    def predict(self, name, version, signature_name, inputs):
        self._check(name, version)
        with self._lock:
            self.num_requests[name] += 1
            number = self.num_requests[name]
        kind, *details = name.split(".")
        if kind == "fail" and number <= int(details[0]):
            raise Failure(details[1], f"failure {number}, as was asked for")
        if kind == "slow":
            time.sleep(float(details[0]))
        signature_name = signature_name or "serving_default"
        if signature_name not in self._session.signatures:
            raise Failure("NOT_FOUND", f"no signature {signature_name}")
        if callable(inputs):
            inputs = inputs(self._session.signatures[signature_name])
        try:
            return self._session.run(signature_name, inputs)
        except c_session.InvalidArgumentError as error:
            raise Failure("INVALID_ARGUMENT", str(error)) from error

    def _check(self, name, version):
        if name == "missing" or version not in (None, self.version):
            raise Failure(
                "NOT_FOUND", f"Servable not found for request: {name}"
            )


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The gRPC interface."""

    def __init__(self, model):
        self._model = model

    def GetModelMetadata(self, request, context):
        reply = get_model_metadata_pb2.GetModelMetadataResponse()
        try:
            signatures = self._model.signatures(*_named(request.model_spec))
        except Failure as failure:
            context.abort(grpc.StatusCode[failure.code], str(failure))
        self._sign(reply.model_spec, request)
        reply.metadata["signature_def"].Pack(_signature_map(signatures))
        return reply

    def Predict(self, request, context):
        try:
            outputs = self._model.predict(
                *_named(request.model_spec),
                request.model_spec.signature_name,
                {name: _array(t) for name, t in request.inputs.items()},
            )
        except Failure as failure:
            context.abort(grpc.StatusCode[failure.code], str(failure))
        reply = predict_pb2.PredictResponse()
        self._sign(reply.model_spec, request)
        for name in request.output_filter or outputs:
            reply.outputs[name].CopyFrom(_tensor(outputs[name]))
        return reply

    def _sign(self, model_spec, request):
        model_spec.name = request.model_spec.name
        model_spec.version.value = self._model.version


class Handler(http.server.BaseHTTPRequestHandler):
    """The REST interface."""

    model = None
    _path = re.compile(
        r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d+))?"
        r"(?P<what>/metadata|:predict)"
    )

    def do_GET(self):
        if self.path.startswith("/requests/"):
            name = self.path.rpartition("/")[2]
            self._reply(200, {"count": self.model.num_requests[name]})
        else:
            self._answer("/metadata", self._metadata)

    def do_POST(self):
        self._answer(":predict", self._predict)

    def log_message(self, *arguments):
        pass

    def _answer(self, what, answer):
        found = self._path.fullmatch(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if not found or found["what"] != what:
            return self._reply(404, {"error": "Malformed request"})
        version = found["version"] and int(found["version"])
        try:
            self._reply(200, answer(found["name"], version, body))
        except Failure as failure:
            self._reply(_HTTP[failure.code], {"error": str(failure)})

    def _reply(self, status, value):
        content = json.dumps(value, ensure_ascii=False).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            pass  # the client did not wait

    def _metadata(self, name, version, body):
        signatures = self.model.signatures(name, version)
        spec = {"name": name, "signature_name": ""}
        spec["version"] = str(self.model.version)
        signature_map = json_format.MessageToDict(
            _signature_map(signatures),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        return {
            "model_spec": spec,
            "metadata": {"signature_def": signature_map},
        }

    def _predict(self, name, version, body):
        request = json.loads(body)
        instances = request["instances"]

        def inputs(signature):
            (input_name,) = signature.inputs
            if signature.inputs[input_name].dtype == _STRING:
                values = np.empty(len(instances), object)
                values[:] = [base64.b64decode(i["b64"]) for i in instances]
                return {input_name: values}
            return {input_name: np.asarray(instances, np.float32)}

        outputs = self.model.predict(
            name, version, request.get("signature_name"), inputs
        )
        columns = {
            key: [_json(value) for value in array]
            for key, array in outputs.items()
        }
        rows = zip(*columns.values(), strict=True)
        return {
            "predictions": [dict(zip(columns, r, strict=True)) for r in rows]
        }


def _named(model_spec):
    has_version = model_spec.WhichOneof("version_choice") == "version"
    version = model_spec.version.value if has_version else None
    return model_spec.name, version


def _signature_map(signatures):
    signature_map = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in signatures.items():
        signature_map.signature_def[name].CopyFrom(signature)
    return signature_map


def _array(tensor):
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype == _STRING:
        values = np.empty(len(tensor.string_val), object)
        values[:] = tensor.string_val
        return values.reshape(shape)
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, np.float32)
    else:
        values = np.asarray(tensor.float_val, np.float32)
    # A single value may stand for all.
    return np.resize(values, shape)


def _tensor(array):
    """Returns values in fields of their own, as TensorFlow Serving does."""
    tensor = tensor_pb2.TensorProto()
    for size in array.shape:
        tensor.tensor_shape.dim.add().size = size
    if array.dtype == object:
        tensor.dtype = _STRING
        tensor.string_val.extend(array.ravel())
    elif array.dtype == np.int64:
        tensor.dtype = _INT64
        tensor.int64_val.extend(array.ravel().tolist())
    else:
        tensor.dtype = _FLOAT
        tensor.float_val.extend(array.ravel().tolist())
    return tensor


def _json(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return [_json(part) for part in value]
    # The digits that a float32 has.
    return float(str(value)) if value.dtype == np.float32 else int(value)


def main():
    Handler.model = Model(pathlib.Path(sys.argv[1]))
    rest = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    rest.daemon_threads = True
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Servicer(Handler.model), server
    )
    grpc_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    has_python = any(m.startswith("tensorflow.python") for m in sys.modules)
    ports = {"grpc": grpc_port, "rest": rest.server_port}
    print(json.dumps({**ports, "has_python": has_python}), flush=True)
    sys.stdin.read()
    server.stop(None)
    rest.shutdown()


if __name__ == "__main__":
    main()
