"""Predictions of an exported model, wherever it runs."""

import abc
import dataclasses
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np

from limit_tf import progress
from limit_tf.serving.inputs import MANY_IMAGES
from limit_tf.serving.inputs import Batch
from limit_tf.serving.inputs import Inputs
from limit_tf.serving.model_spec import ARRAY_SIGNATURE
from limit_tf.serving.model_spec import BYTES_SIGNATURE
from limit_tf.serving.model_spec import CLASS_IDS
from limit_tf.serving.model_spec import CLASS_NAMES
from limit_tf.serving.model_spec import PROBABILITIES
from limit_tf.serving.model_spec import ModelSpec


class InvalidImageError(ValueError):
    """A model, or the server of one, could not take a batch."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model says of a batch.

    Args:
        probabilities: Shape `(n, K)`.
        class_ids: The most probable classes, shape `(n,)`, int64.
        class_names: Their names, shape `(n,)`, strings.
    """

    probabilities: np.ndarray
    class_ids: np.ndarray
    class_names: Sequence[str]

    @classmethod
    def of(cls, outputs, num_images: int, where: str) -> "Answer":
        """Makes an answer of a signature's outputs.

        Args:
            outputs: Arrays, or what becomes arrays, by name.
            num_images: Number of images in the batch.
            where: Where the model is, for error messages.

        Returns:
            The answer.

        Raises:
            ValueError: If the outputs are not those of such a batch.
        """
        try:
            probs = np.asarray(outputs[PROBABILITIES], np.float32)
            class_ids = np.asarray(outputs[CLASS_IDS], np.int64)
            names = [
                name.decode() if isinstance(name, bytes) else str(name)
                for name in outputs[CLASS_NAMES]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{where} must answer with {PROBABILITIES}, {CLASS_IDS} and "
                f"{CLASS_NAMES}. Received: {type(error).__name__} ({error})"
            ) from error
        if (
            probs.ndim != 2
            or len(probs) != num_images
            or class_ids.shape != (num_images,)
            or len(names) != num_images
            or class_ids.min() < 0
            or class_ids.max() >= probs.shape[1]
        ):
            raise ValueError(
                f"{where} must answer for {num_images} images. Received: "
                f"{PROBABILITIES} of shape {probs.shape}, {CLASS_IDS} of shape "
                f"{class_ids.shape}"
            )
        return cls(probs, class_ids, names)


class Predictor(abc.ABC):
    """An exported model that answers.

    Args:
        spec: What the model takes and gives.
        where: Where the model is, in words.

    Attributes:
        spec: The same.
        where: The same.
        class_names: Names of all classes; None where they are not known.
    """

    def __init__(self, spec: ModelSpec, where: str):
        self.spec = spec
        self.where = where
        self.class_names: Sequence[str] | None = None

    @abc.abstractmethod
    def answer(self, batch: Batch) -> Answer:
        """Returns what the model says of a batch.

        Args:
            batch: Images that the model takes.

        Returns:
            The answer.

        Raises:
            InvalidImageError: If the model cannot take the batch.
            RuntimeError: If there is no answer.
        """


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The most probable classes of an image, the most probable one first.

    Args:
        name: What the image is called.
        class_ids: The classes.
        class_names: Their names; empty where a name is not known.
        probabilities: Their probabilities.
    """

    name: str
    class_ids: list[int]
    class_names: list[str]
    probabilities: list[np.float32]


def predictions(
    predictor: Predictor,
    inputs: Inputs,
    *,
    batch_size: int = 64,
    num_top: int = 1,
) -> Iterator[Prediction]:
    """Predicts images, a batch at a time.

    Args:
        predictor: The model.
        inputs: The images, which the model takes.
        batch_size: Most images in a batch.
        num_top: Number of classes to name for each image.

    Yields:
        A prediction for each image, in order.

    Raises:
        OSError: If an image cannot be read.
        RuntimeError: If there is no answer.
        ValueError: If an image cannot be decoded, or a prediction is not
            finite.
    """
    count = len(inputs)
    with progress.bar(
        count, "predicting", unit="image", disable=count <= MANY_IMAGES
    ) as bar:
        for batch in inputs.batches(batch_size):
            answer = _answer(predictor, batch)
            yield from _best(batch.names, answer, num_top, predictor)
            bar.update(len(batch.names))


def _answer(predictor, batch):
    """Returns the answer, or raises an error that names the wrong image."""
    try:
        return predictor.answer(batch)
    except InvalidImageError as error:
        name = _wrong_image(predictor, batch, error)
        if name is None:
            raise ValueError(
                "`images` must be what the model takes. Received: "
                f"{batch.names[0]} to {batch.names[-1]} ({error})"
            ) from error
        must = (
            "files that the model can decode"
            if batch.signature == BYTES_SIGNATURE
            else "arrays that the model takes"
        )
        raise ValueError(
            f"`images` must be {must}. Received: {name} ({error})"
        ) from error


def _wrong_image(predictor, batch, error):
    """Returns the name of an image that the model cannot take, by halves.

    A batch of arrays has one shape: it is not any single one that is wrong.
    """
    if len(batch.names) == 1:
        return batch.names[0]
    if batch.signature == ARRAY_SIGNATURE:
        return None
    for half in batch.halves():
        try:
            predictor.answer(half)
        except InvalidImageError:
            return _wrong_image(predictor, half, error)
    return None


def _best(names, answer, num_top, predictor):
    """Yields the predictions of a batch."""
    probs = answer.probabilities
    finite = np.isfinite(probs).all(axis=1)
    if not finite.all():
        raise ValueError(
            "`images` must have finite predictions. Received: "
            f"{names[np.argmin(finite)]}, whose probabilities are not"
        )
    rows = np.arange(len(probs))
    ranks = probs.copy()
    ranks[rows, answer.class_ids] = np.inf  # first also among equals
    order = np.argsort(-ranks, axis=1, kind="stable")[:, :num_top]
    known = predictor.class_names
    for row, name in enumerate(names):
        ids = order[row].tolist()
        others = [known[i] if known else "" for i in ids[1:]]
        yield Prediction(
            name=name,
            class_ids=ids,
            class_names=[answer.class_names[row], *others],
            probabilities=[probs[row, i] for i in ids],
        )
