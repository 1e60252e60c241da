"""Predictions of an exported model, wherever it runs."""

import abc
import dataclasses
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np

from limit_tf import progress
from limit_tf.serving.inputs import MANY_IMAGES
from limit_tf.serving.inputs import Batch
from limit_tf.serving.inputs import Failure
from limit_tf.serving.inputs import Inputs
from limit_tf.serving.model_spec import ARRAY_SIGNATURE
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
        A prediction for each image, in order. Those that cannot be read or
        decoded, or whose prediction is not finite, join `inputs.failures`.

    Raises:
        RuntimeError: If there is no answer.
        ValueError: If the model does not take an array.
    """
    count = len(inputs)
    with progress.bar(
        count, "predicting", unit="image", disable=count <= MANY_IMAGES
    ) as bar:
        for batch in inputs.batches(batch_size):
            for names, answer in _answers(predictor, batch, inputs.failures):
                yield from _best(
                    names, answer, num_top, predictor, inputs.failures
                )
            bar.update(len(batch.names))


def _answers(predictor, batch, failures):
    """Yields names and answers; by halves, if the model refuses the batch."""
    try:
        yield batch.names, predictor.answer(batch)
        return
    except InvalidImageError as error:
        if batch.signature == ARRAY_SIGNATURE:
            # All have one shape: it is not any single one that is wrong.
            raise ValueError(
                "`images` must be arrays that the model takes. Received: "
                f"{batch.names[0]} to {batch.names[-1]} ({error})"
            ) from error
        if len(batch.names) == 1:
            failures.append(Failure(batch.names[0], str(error)))
            return
    for half in batch.halves():
        yield from _answers(predictor, half, failures)


def _best(names, answer, num_top, predictor, failures):
    """Yields the predictions of a batch."""
    probs = answer.probabilities
    finite = np.isfinite(probs).all(axis=1)
    rows = np.arange(len(probs))
    ranks = probs.copy()
    ranks[rows, answer.class_ids] = np.inf  # first also among equals
    order = np.argsort(-ranks, axis=1, kind="stable")[:, :num_top]
    known = predictor.class_names
    for row, name in enumerate(names):
        if not finite[row]:
            failures.append(Failure(name, "a prediction that is not finite"))
            continue
        ids = order[row].tolist()
        others = [known[i] if known else "" for i in ids[1:]]
        yield Prediction(
            name=name,
            class_ids=ids,
            class_names=[answer.class_names[row], *others],
            probabilities=[probs[row, i] for i in ids],
        )
