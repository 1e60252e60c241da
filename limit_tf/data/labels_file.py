"""Labels in a file of their own."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
from absl import logging

from limit_tf.data.given_labels import GivenLabels
from limit_tf.data.given_labels import texts
from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source


def apply_labels_file(
    data: ImageData,
    path: str | os.PathLike,
    class_names: Sequence[str],
    *,
    truth_known: bool,
) -> ImageData:
    """Gives examples the labels of a file.

    The file is a CSV with a header that names the columns `id` and `label`,
    and optionally `weight`; other columns are ignored. Every example must be
    in it once, and no other. A label is the name of a class, or else its index
    if no class is called by a number. An example without a label (empty,
    `nan`, `NA` or what else `limit_tf.data.class_labels.MISSING` has) is left
    out. An apostrophe before `=`, `+`, `-` or `@` is undone, see
    `limit_tf.csv_text`. A weight is a finite number, at least 0: the example's
    sample weight in training.

    Args:
        data: The examples; identifiers are compared as strings.
        path: Path of the file, in UTF-8.
        class_names: The `K` names of the classes.
        truth_known: Whether `data.labels` are true. If so, they are kept and
            those of the file become `given_labels`; otherwise those of the
            file replace them.

    Returns:
        The examples that have a label, in their order in `data`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file breaks a rule, and which.
    """
    file = GivenLabels.read(path, class_names)
    file.check_known(texts(data.example_ids))
    return file.apply(data, truth_known=truth_known)


def check_ids(source: Source) -> None:
    """Refuses a labels file with identifiers that no example has.

    Args:
        source: The data set, which has such a file.

    Raises:
        ValueError: If there is such an identifier.
    """
    parts = (source.train, source.validation, source.test)
    known = [i for part in parts if part for i in texts(part.example_ids)]
    for ids in source.left_out.values():
        known += ids
    source.labels_file.check_known(known)


def test_part(source: Source) -> ImageData:
    """Returns the test part with the labels that it is to have.

    A part that was held out takes the labels of the source's labels file where
    it has some, and loses the examples that are without one there. Any other
    keeps its own; it is said how many the file would change.

    Args:
        source: The data set.

    Returns:
        The part.

    Raises:
        ValueError: If no label is left.
    """
    test, file = source.test, source.labels_file
    if file is None:
        return test
    labels = file.of(test.example_ids)
    if not source.test_is_held_out or source.labels_are_clean:
        _warn_of_own_labels(source)
        return test
    labels = np.where(labels == -2, test.labels, labels)
    is_kept = labels >= 0
    if not is_kept.any():
        raise ValueError(
            "`path` must name a file that leaves at least one label to the "
            f"held-out test part. Received: {file.path} with empty ones only"
        )
    return dataclasses.replace(test, labels=np.maximum(labels, 0)).take(
        np.flatnonzero(is_kept)
    )


def _warn_of_own_labels(source):
    """Says that parts which the source has of itself keep their labels."""
    trained = set(texts(source.train.example_ids))
    for name in ("validation", "test"):
        part = getattr(source, name)
        if part is None:
            continue
        labels = source.labels_file.of(part.example_ids)
        is_other = (labels != -2) & (labels != part.labels)
        ids = texts(part.example_ids[is_other])
        count = sum(i not in trained for i in ids)
        if count:
            logging.warning(
                "%s: %d labels of the %s part, which the data set has of "
                "itself, are not used",
                source.labels_file.path,
                count,
                name,
            )
