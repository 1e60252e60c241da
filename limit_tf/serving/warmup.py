"""Requests that a server answers before it offers a new version.

The first requests to a model are slow, above all where XLA compiles it. A
server replays those of `assets.extra/tf_serving_warmup_requests`, a TFRecord
file of `PredictionLog` messages, while the old version still answers.
"""

import importlib.util
import pathlib
from collections.abc import Iterable

import tensorflow as tf

from limit_tf.serving.examples import ServedExamples
from limit_tf.serving.server_configs import BATCH_SIZES

FILE = "assets.extra/tf_serving_warmup_requests"
_SIZES = (1, 8)
# A request is at most so large, unless it is of one example.
_MAX_BYTES = 2**23


def is_available() -> bool:
    """Whether the messages of TensorFlow Serving are installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def write_warmup(
    folder: pathlib.Path,
    name: str,
    signatures: Iterable[str],
    examples: ServedExamples,
    every_batch_size: bool = False,
) -> int:
    """Writes the requests.

    Args:
        folder: Folder of the version.
        name: Name of the model.
        signatures: Names of the signatures to warm up.
        examples: Where the inputs come from.
        every_batch_size: Whether to ask for every batch size that
            `batching.config` allows, as a model that is compiled by XLA needs
            it.

    Returns:
        The number of requests.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    # Only here: the package is an extra.
    from tensorflow_serving.apis import predict_pb2  # noqa: PLC0415
    from tensorflow_serving.apis import prediction_log_pb2  # noqa: PLC0415

    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    num_requests = 0
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature in signatures:
            for size in BATCH_SIZES if every_batch_size else _SIZES:
                request = predict_pb2.PredictRequest()
                request.model_spec.name = name
                request.model_spec.signature_name = signature
                arguments = examples.arguments(signature, size)
                for key, value in arguments.items():
                    proto = tf.make_tensor_proto(value)
                    request.inputs[key].CopyFrom(proto)
                if size > 1 and request.ByteSize() > _MAX_BYTES:
                    break
                log = prediction_log_pb2.PredictLog(request=request)
                log = prediction_log_pb2.PredictionLog(predict_log=log)
                writer.write(log.SerializeToString())
                num_requests += 1
    return num_requests
