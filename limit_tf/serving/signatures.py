"""A classifier and the signatures under which a server offers it."""

import functools
import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from limit_tf.data.image_files import decoded
from limit_tf.data.image_files import resized
from limit_tf.data.pixel_range import FILE_MAX
from limit_tf.data.pixel_range import from_file_range
from limit_tf.ops import label_distribution
from limit_tf.ops import predicted_logit_gradient
from limit_tf.ops import true_logit_gradient

DEFAULT, BYTES, CLASSIFY, LABEL_SCORES = (
    "serving_default",
    "serving_bytes",
    "classify",
    "label_scores",
)
# Features of a `tf.train.Example`.
ENCODED_FEATURE, INPUTS_FEATURE = "image/encoded", "inputs"
PRECISIONS = ("float32", "float16")


def signature_names(
    input_shape: Sequence[int], input_dtype: str
) -> tuple[str, ...]:
    """Names of the signatures of a `ServedModel` without a predictor.

    Args:
        input_shape: As `ServedModel` takes it.
        input_dtype: As there.

    Returns:
        The names, in the order of `ServedModel.signatures`.
    """
    if _is_image(tuple(input_shape), input_dtype):
        return DEFAULT, BYTES, CLASSIFY
    return DEFAULT, CLASSIFY


def _is_image(shape, dtype):
    return dtype == "uint8" and len(shape) == 3 and shape[-1] in (1, 3)


class ServedModel(tf.Module):
    """What goes into a SavedModel: weights, class names, signatures.

    Inputs are the examples as the data set has them: networks scale pixels
    themselves. Pixels come as floats, are rounded to whole ones, and those
    outside of uint8 are cut off: the networks then see what the pipeline shows
    them.

    Args:
        classifier: Built network that ends in logits.
        input_shape: Shape of one example.
        input_dtype: `"uint8"` for images, `"float32"` for other inputs.
        class_names: The `K` names.
        pixel_max: Largest pixel of the data set, where it has images; those of
            encoded images, whose white is 255, are scaled to it and rounded.
        gradient_predictor: Network of the same inputs that ends in logits; if
            given, there is a signature that scores labels.
        precision: `"float16"` keeps matrices and filters in half precision.
            They are converted back before use: the computation stays that of
            the networks.
        jit_compile: Whether the networks are compiled by XLA. Strings, and so
            the decoding of images, stay outside.
        labels_file: File of class names to become an asset.

    Raises:
        ValueError: If a weight is too large for half precision.

    Example:
    ```python
    model = ServedModel(
        classifier,
        input_shape=(28, 28, 1),
        input_dtype="uint8",
        class_names=("cat", "dog"),
    )
    tf.saved_model.save(model, "model/1", signatures=model.signatures())
    ```
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        input_shape: Sequence[int],
        input_dtype: str,
        class_names: Sequence[str],
        pixel_max: float = FILE_MAX,
        gradient_predictor: keras.Model | None = None,
        precision: str = "float32",
        jit_compile: bool = False,
        labels_file: str | None = None,
    ):
        super().__init__()
        self._input_shape = tuple(input_shape)
        self._input_dtype = input_dtype
        self._pixel_max = pixel_max
        self._class_names = tf.constant(list(class_names), tf.string)
        self._has_predictor = gradient_predictor is not None
        classifier = _Network(classifier, precision)
        networks = [classifier]
        if gradient_predictor is not None:
            gradient_predictor = _Network(gradient_predictor, precision)
            networks.append(gradient_predictor)
        self.served_variables = [
            variable for network in networks for variable in network.variables
        ]
        if labels_file is not None:
            self.labels = tf.saved_model.Asset(str(labels_file))
        # Compiled, or not, as a function of its own.
        compiled = functools.partial(
            tf.function, autograph=False, jit_compile=jit_compile
        )
        self._answers = compiled(functools.partial(_answers, classifier))
        self._scores = compiled(
            functools.partial(_label_scores, classifier, gradient_predictor)
        )

    @property
    def is_image_model(self) -> bool:
        """Whether images can be decoded for the network."""
        return _is_image(self._input_shape, self._input_dtype)

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Returns the signatures by name, as `tf.saved_model.save` takes them.

        The batch dimension is free. All float outputs are float32.
        """
        functions = {
            DEFAULT: self._traced(
                self._classified,
                images=tf.TensorSpec((None, *self._input_shape)),
            )
        }
        if self.is_image_model:
            functions[BYTES] = self._traced(
                lambda image_bytes: self._classified(
                    self._decoded(image_bytes)
                ),
                image_bytes=tf.TensorSpec((None,), tf.string),
            )
        functions[CLASSIFY] = self._traced(
            self._classified_examples,
            inputs=tf.TensorSpec((None,), tf.string),
        )
        if self._has_predictor:
            functions[LABEL_SCORES] = self._traced(
                self._scored,
                images=tf.TensorSpec((None, *self._input_shape)),
                labels=tf.TensorSpec((None,), tf.int64),
            )
        return functions

    @staticmethod
    def _traced(function, **specs):
        """Traces a function of named tensors, which refuses other shapes."""

        def checked(**tensors):
            # Neither a session nor a loaded signature looks at shapes, and a
            # network may reshape what it gets.
            return function(
                **{
                    name: tf.ensure_shape(tensor, specs[name].shape)
                    for name, tensor in tensors.items()
                }
            )

        return tf.function(checked, autograph=False).get_concrete_function(
            **{
                name: tf.TensorSpec(spec.shape, spec.dtype, name)
                for name, spec in specs.items()
            }
        )

    def numbers(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers without names: `logits`, `probabilities`, `class_ids`."""
        return self._answers(_as(images, self._input_dtype))

    def _classified(self, images):
        answers = self.numbers(images)
        names = tf.gather(self._class_names, answers["class_ids"])
        return {**answers, "class_names": names}

    def _classified_examples(self, inputs):
        if self.is_image_model:
            spec = tf.io.FixedLenFeature([], tf.string)
            parsed = tf.io.parse_example(inputs, {ENCODED_FEATURE: spec})
            images = self._decoded(parsed[ENCODED_FEATURE])
        else:
            spec = tf.io.FixedLenFeature(
                [math.prod(self._input_shape)], tf.float32
            )
            parsed = tf.io.parse_example(inputs, {INPUTS_FEATURE: spec})
            images = tf.reshape(
                parsed[INPUTS_FEATURE], (-1, *self._input_shape)
            )
        probs = self.numbers(images)["probabilities"]
        num_examples = tf.shape(probs)[0]
        return {
            "classes": tf.tile(
                self._class_names[tf.newaxis], [num_examples, 1]
            ),
            "scores": probs,
        }

    def _decoded(self, image_bytes):
        """Decodes and resizes images just as the evaluation does."""
        shape = self._input_shape
        with tf.device("CPU:0"):
            images = tf.map_fn(
                lambda content: resized(decoded(content, shape[-1]), shape),
                image_bytes,
                fn_output_signature=tf.TensorSpec(shape, tf.uint8),
            )
            return from_file_range(images, self._pixel_max)

    def _scored(self, images, labels):
        scores = self._scores(_as(images, self._input_dtype), labels)
        names = tf.gather(self._class_names, scores["suggested_ids"])
        return {**scores, "suggested_names": names}


class _Network:
    """A network whose weights may be kept in half precision."""

    def __init__(self, network, precision):
        self._network = network
        self._halves = precision == "float16"
        if not self._halves:
            self.variables = [v.value for v in network.variables]
            return
        self._stored = [
            [_halved(v) for v in variables]
            for variables in (
                network.trainable_variables,
                network.non_trainable_variables,
            )
        ]
        self.variables = [*self._stored[0], *self._stored[1]]

    def logits(self, inputs):
        if not self._halves:
            logits = self._network(inputs, training=False)
        else:
            values = [
                [_whole(variable) for variable in variables]
                for variables in self._stored
            ]
            logits, _ = self._network.stateless_call(
                *values, inputs, training=False
            )
        return tf.cast(logits, tf.float32)


def _halved(variable):
    """Half precision for what is large: matrices and filters."""
    value = variable.value
    if variable.dtype != "float32" or len(variable.shape) < 2:
        # Statistics of batch normalisation may lie outside of its range.
        return tf.Variable(value, name=variable.name, trainable=False)
    half = tf.cast(value, tf.float16)
    if not np.isfinite(half.numpy()).all():
        raise ValueError(
            "`precision` must be float32 for weights that half precision "
            f"cannot hold. Received: precision=float16 and {variable.path} "
            f"with a weight of {np.abs(value.numpy()).max():.3g}"
        )
    return tf.Variable(half, name=variable.name, trainable=False)


def _whole(variable):
    if variable.dtype == tf.float16:
        return tf.cast(variable, tf.float32)
    return tf.convert_to_tensor(variable)


def _as(images, dtype):
    if images.dtype == dtype:
        return images
    if dtype == "uint8":
        # Halves go to the even neighbour, as in the pipeline's resizing.
        # TFLite has these operations, but not that of tf.clip_by_value.
        pixels = tf.minimum(tf.maximum(tf.round(images), 0.0), 255.0)
        return tf.cast(pixels, tf.uint8)
    return tf.cast(images, dtype)


def _answers(classifier, images):
    logits = classifier.logits(images)
    return {
        "logits": logits,
        "probabilities": tf.nn.softmax(logits),
        "class_ids": tf.argmax(logits, -1),
    }


def _label_scores(classifier, gradient_predictor, images, labels):
    """As `limit_tf.label_issues.label_scores`; NaN for a label of no class."""
    logits = classifier.logits(images)
    predictor_logits = gradient_predictor.logits(images)
    labels = label_distribution(labels, logits.shape[-1])
    difference = predicted_logit_gradient(
        logits, predictor_logits
    ) - true_logit_gradient(logits, labels)
    probs = tf.nn.softmax(predictor_logits)
    given = tf.gather(probs, tf.argmax(labels, -1), batch_dims=1)
    is_label = tf.reduce_all(tf.math.is_finite(labels), -1)
    return {
        "score": 0.5 * tf.reduce_sum(tf.abs(difference), -1),
        "suggested_ids": tf.argmax(probs, -1),
        "predictor_prob": tf.where(is_label, given, float("nan")),
    }
