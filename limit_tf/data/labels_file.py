"""Labels in a file of their own."""

import os
from collections.abc import Sequence

from absl import logging

from limit_tf.data.given_labels import GivenLabels
from limit_tf.data.image_data import ImageData


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
    in it once; ids that the data does not have, such as those of test images
    or of images that were left out, are ignored. A label is the name of a
    class, or else its index. An example with an empty label is left out. A
    weight is a finite number, at least 0: the example's sample weight in
    training.

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
    labelled = file.apply(data, truth_known=truth_known)
    num_ignored = len(file) - len(data)
    if num_ignored:
        logging.info(
            "%s: %d ids that are not in the data are ignored", path, num_ignored
        )
    return labelled
