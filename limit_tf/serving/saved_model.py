"""An exported model in this process."""

import pathlib

import tensorflow as tf

from limit_tf import tensorflow_errors
from limit_tf.serving import model_folder
from limit_tf.serving.inputs import Batch
from limit_tf.serving.model_spec import BYTES_SIGNATURE
from limit_tf.serving.model_spec import IMAGE_BYTES
from limit_tf.serving.model_spec import IMAGES
from limit_tf.serving.model_spec import ModelSpec
from limit_tf.serving.model_spec import Signature
from limit_tf.serving.prediction import Answer
from limit_tf.serving.prediction import InvalidImageError
from limit_tf.serving.prediction import Predictor


class SavedModelPredictor(Predictor):
    """A SavedModel, which needs TensorFlow and no code that made it.

    Args:
        version_folder: Folder of one version.

    Raises:
        ValueError: If it cannot be loaded, or is no model of this library.
    """

    def __init__(self, version_folder: pathlib.Path):
        try:
            self._model = tf.saved_model.load(
                str(version_folder), tags=["serve"]
            )
        except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
            raise ValueError(
                "`model` must be a SavedModel of TensorFlow. Received: "
                f"{version_folder} ({tensorflow_errors.reason(error)})"
            ) from error
        where = str(version_folder)
        signatures = {
            name: Signature(
                _shapes(function.structured_input_signature[1]),
                _shapes(function.structured_outputs),
            )
            for name, function in self._model.signatures.items()
        }
        super().__init__(ModelSpec.of(signatures, where), where)
        self.class_names = model_folder.read_class_names(version_folder)

    def answer(self, batch: Batch) -> Answer:
        """Returns what the model says of a batch."""
        function = self._model.signatures[batch.signature]
        try:
            if batch.signature == BYTES_SIGNATURE:
                images = tf.constant(batch.images, tf.string)
                outputs = function(**{IMAGE_BYTES: images})
            else:
                outputs = function(**{IMAGES: tf.constant(batch.images)})
        except (
            tf.errors.InvalidArgumentError,
            tf.errors.UnimplementedError,
        ) as error:
            raise InvalidImageError(tensorflow_errors.reason(error)) from error
        except tf.errors.OpError as error:
            raise RuntimeError(
                f"{self.where} gave no answer: "
                f"{tensorflow_errors.reason(error)}"
            ) from error
        outputs = {name: value.numpy() for name, value in outputs.items()}
        return Answer.of(outputs, len(batch.names), self.where)


def _shapes(specs):
    return {
        name: None if spec.shape.rank is None else tuple(spec.shape)
        for name, spec in specs.items()
    }
