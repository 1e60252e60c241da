"""Labels by the identifiers of examples, from a file."""

import csv
import dataclasses
import math
import os
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from limit_tf import csv_text
from limit_tf.data import class_labels


@dataclasses.dataclass(frozen=True, eq=False)
class GivenLabels:
    """The labels of a file, and weights if it has them.

    Args:
        path: Path of the file, for messages.
        rows: Place of each identifier in the arrays.
        labels: Class indices, `(n,)`, int64; -1 where the example is to be
            left out.
        weights: Sample weights, `(n,)`, float32; None for ones.
    """

    path: str
    rows: Mapping[str, int]
    labels: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        """Returns the number of identifiers."""
        return len(self.labels)

    @classmethod
    def read(
        cls, path: str | os.PathLike, class_names: Sequence[str]
    ) -> "GivenLabels":
        """Reads a file, as `limit_tf.data.apply_labels_file` takes it.

        Args:
            path: Path of the file, in UTF-8.
            class_names: The `K` names of the classes.

        Returns:
            The labels.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file breaks a rule, and which.
        """
        places = class_labels.places(class_names)
        rows, labels, weights = {}, [], []
        for line, row in _lines(path):
            where = f"{path}, line {line}"
            text = row["label"]
            label = class_labels.place(text, places)
            if label is None:
                raise ValueError(
                    "`path` must name a file of names or indices of the "
                    f"{len(class_names)} classes "
                    f"{class_labels.some(class_names)}. Received: {where} "
                    f"with the label {text!r}"
                )
            if row["id"] in rows:
                raise ValueError(
                    "`path` must name a file with each id once. Received: "
                    f"{where} with the id {row['id']!r} again"
                )
            rows[row["id"]] = len(labels)
            labels.append(label)
            if "weight" in row:
                weights.append(_weight(row["weight"], where))
        weights = np.array(weights, np.float32)
        return cls(
            str(path),
            rows,
            np.array(labels, np.int64),
            None if (weights == 1).all() else weights,
        )

    def check_cover(self, example_ids: Sequence) -> None:
        """Refuses examples that the file does not name.

        Args:
            example_ids: Identifiers, compared as strings.

        Raises:
            ValueError: If there is such an example.
        """
        ids = texts(example_ids)
        missing = [i for i in ids if i not in self.rows]
        if not missing:
            return
        others = ""
        if len(missing) == len(ids) and self.rows:
            others = f"; the first id there is {next(iter(self.rows))!r}"
        raise ValueError(
            "`path` must name a file with every example that is used. "
            f"Received: {self.path} without {len(missing):,} of "
            f"{len(ids):,}, the first {missing[0]!r}{others}"
        )

    def check_known(self, example_ids: Sequence[str]) -> None:
        """Refuses a file that names examples which are nowhere.

        Args:
            example_ids: Identifiers of all examples there are, as texts.

        Raises:
            ValueError: If an identifier of the file is none of them.
        """
        known = set(example_ids)
        unknown = [i for i in self.rows if i not in known]
        if unknown:
            raise ValueError(
                "`path` must name a file of examples that the data has. "
                f"Received: {self.path} with {len(unknown):,} ids that no "
                f"example has: {class_labels.some(unknown)}"
            )

    def of(self, example_ids: Sequence) -> np.ndarray:
        """Returns the labels of examples.

        Args:
            example_ids: Identifiers, compared as strings, `(n,)`.

        Returns:
            Class indices, `(n,)`, int64: -1 for those to be left out, -2 for
            those that the file does not name.
        """
        labels = np.append(self.labels, -2)
        return labels[[self.rows.get(i, -1) for i in texts(example_ids)]]

    def apply(
        self,
        data,
        positions: np.ndarray | None = None,
        *,
        truth_known: bool,
        part: str = "data",
    ):
        """Gives examples these labels.

        Args:
            data: The examples, `ImageData`.
            positions: Places of the examples that are used, in their order;
                None for all.
            truth_known: Whether `data.labels` are true. If so, they are kept
                and the labels become `given_labels`; otherwise they replace
                them.
            part: What the examples are, for messages.

        Returns:
            `ImageData` of the examples that are used and have a label.

        Raises:
            ValueError: If an example is missing, or none has a label.
        """
        if positions is None:
            positions = np.arange(len(data))
        ids = data.example_ids[positions]
        self.check_cover(ids)
        rows = np.array([self.rows[i] for i in texts(ids)], np.int64)
        is_kept = self.labels[rows] >= 0
        if not is_kept.any():
            raise ValueError(
                "`path` must name a file that leaves at least one label to "
                f"the {part}. Received: {self.path} with empty ones only"
            )
        rows = rows[is_kept]
        changes = {"given_labels": self.labels[rows]}
        if not truth_known:
            changes = {"labels": self.labels[rows], "given_labels": None}
        if self.weights is not None:
            changes["sample_weight"] = self.weights[rows]
        return dataclasses.replace(data.take(positions[is_kept]), **changes)


def _lines(path):
    """Yields the number of each line, and its values by column."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            rows = csv.DictReader(file)
            names = rows.fieldnames or ()
            if not {"id", "label"} <= set(names):
                raise ValueError(
                    "`path` must name a CSV file whose header has the columns "
                    f"id and label. Received: {path} with the header "
                    f"{','.join(names)!r}"
                )
            for row in rows:
                for name in ("id", "label"):
                    if row[name] is not None:
                        row[name] = csv_text.unescaped(row[name])
                yield rows.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(
                "`path` must name a CSV file in UTF-8. Received: "
                f"{path} ({error})"
            ) from error


def _weight(text, where):
    try:
        weight = float(text)
    except (TypeError, ValueError):
        weight = math.nan
    # Beyond the largest float32 a weight would be kept as infinity.
    if not 0 <= weight <= float(np.finfo(np.float32).max):
        raise ValueError(
            "`path` must name a file whose weights are finite numbers, at "
            f"least 0. Received: {where} with the weight {text!r}"
        )
    return weight


def texts(example_ids: Sequence) -> list[str]:
    """Returns identifiers as strings."""
    return [i.decode() if isinstance(i, bytes) else str(i) for i in example_ids]
