"""Labels in a file of their own."""

import csv
import os
from collections.abc import Sequence

import numpy as np
from absl import logging

from limit_tf.data.image_data import ImageData


def apply_labels_file(
    data: ImageData,
    path: str | os.PathLike,
    class_names: Sequence[str],
    *,
    truth_known: bool,
) -> ImageData:
    """Gives examples the labels of a file.

    The file is a CSV with a header that names the columns `id` and `label`;
    other columns are ignored. Every example must be in it once; ids that the
    data does not have, such as those of test images or of images that were
    left out, are ignored. A label is the name of a class, or else its index.
    An example with an empty label is left out.

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
    labels = _read(path, class_names)
    ids = [
        i.decode() if isinstance(i, bytes) else str(i) for i in data.example_ids
    ]
    missing = [i for i in ids if i not in labels]
    if missing:
        others = ""
        if len(missing) == len(ids) and labels:
            others = f"; the first id there is {next(iter(labels))!r}"
        raise ValueError(
            "`path` must name a file with every example. Received: "
            f"{path} without {len(missing):,} of {len(ids):,}, the first "
            f"{missing[0]!r}{others}"
        )
    num_ignored = len(labels) - len(ids)
    if num_ignored:
        logging.info(
            "%s: %d ids that are not in the data are ignored", path, num_ignored
        )
    given = np.array([labels[i] for i in ids])
    kept = np.flatnonzero(given >= 0)
    if not kept.size:
        raise ValueError(
            "`path` must name a file that leaves at least one label. "
            f"Received: {path} with empty ones only"
        )
    data, given = data.take(kept), given[kept]
    if truth_known:
        return ImageData(data.images, data.labels, data.example_ids, given)
    return ImageData(data.images, given, data.example_ids)


def _read(path, class_names):
    """Returns the label of each identifier; -1 where it is empty."""
    indices = {str(i): i for i in range(len(class_names))}
    indices |= {name: i for i, name in enumerate(class_names)}
    indices[""] = -1
    labels = {}
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if not {"id", "label"} <= set(rows.fieldnames or ()):
            raise ValueError(
                "`path` must name a CSV file whose header has the columns id "
                f"and label. Received: {path} with the header "
                f"{','.join(rows.fieldnames or ())!r}"
            )
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            label = indices.get((row["label"] or "").strip())
            if row["label"] is None or label is None:
                raise ValueError(
                    "`path` must name a file of names or indices of the "
                    f"{len(class_names)} classes. Received: {where} with the "
                    f"label {row['label']!r}"
                )
            if row["id"] in labels:
                raise ValueError(
                    "`path` must name a file with each id once. Received: "
                    f"{where} with the id {row['id']!r} again"
                )
            labels[row["id"]] = label
    return labels
