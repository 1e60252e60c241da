"""Examples in the order in which their labels are suspicious."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class LabelIssues:
    """Examples, the most suspicious first, and which of them are issues.

    Args:
        class_names: The `K` names of the classes.
        positions: Place of each example in the data, `(n,)`, int64.
        example_ids: Identifiers, `(n,)`, integers or strings.
        given_labels: Labels as they were given, `(n,)`, int64.
        suggested_labels: What they should be instead, `(n,)`, int64.
        scores: How suspicious a label is, in `[0, 1]`, `(n,)`, float32, never
            increasing.
        is_issue: Which labels are taken for wrong, `(n,)`, bool.
        rule: The rule by which `is_issue` was decided, a sentence without its
            full stop.
        threshold: Score from which on a label is taken for wrong; None where
            the rule is another one.
        clean_labels: The true labels, `(n,)`, int64; None where nobody knows.
        details: Further columns by name, arrays `(n,)`.
    """

    class_names: tuple[str, ...]
    positions: np.ndarray
    example_ids: np.ndarray
    given_labels: np.ndarray
    suggested_labels: np.ndarray
    scores: np.ndarray
    is_issue: np.ndarray
    rule: str
    threshold: float | None = None
    clean_labels: np.ndarray | None = None
    details: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(self.scores)

    @property
    def num_issues(self) -> int:
        """Number of labels that are taken for wrong."""
        return int(np.count_nonzero(self.is_issue))

    def take(self, rows: np.ndarray | Sequence[int] | slice) -> "LabelIssues":
        """Returns some of the rows, in the order that is asked for."""
        columns = (
            "positions",
            "example_ids",
            "given_labels",
            "suggested_labels",
            "scores",
            "is_issue",
            "clean_labels",
        )
        taken = {
            name: None if column is None else column[rows]
            for name in columns
            for column in [getattr(self, name)]
        }
        taken["details"] = {k: v[rows] for k, v in self.details.items()}
        return dataclasses.replace(self, **taken)
