"""Outputs made probabilities of true classes: a temperature, class offsets.

Of a predictor's log probabilities `l` the true class is taken to have the
probabilities `softmax(a l + b)`, with one `a` and a `b` for each class, and the
given label then those of `softmax(a l + b) T`. `a` and `b` are those by which
the given labels are most likely, `b` normal around 0 beforehand: so classes of
few labels stay near the predictor's own word (Alexandari et al., 2020, find
offsets best where classes are rare; here they are seen through the noise).
"""

import dataclasses
import math

import numpy as np
from scipy import optimize
from scipy import special

# A predictor fitted to noisy labels is never sharper than the probabilities of
# the true classes; at high temperatures it would tell nothing.
_SHARPEST = 10.0
# Chosen on digits and on points of uneven classes, see results/detection.md.
_PRIOR_DEVIATION = 1.0
# More examples tell the few numbers no better.
_MOST_EXAMPLES = 50_000


@dataclasses.dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs for the `m` classes of each of `n` examples that count.

    Args:
        logs: Log probabilities, `(n, m)`; -inf for none.
        classes: The classes, `(n, m)`, integers.
        transitions: Log probabilities that an example of each class has the
            label that it has, `(n, m)`.
    """

    logs: np.ndarray
    classes: np.ndarray
    transitions: np.ndarray

    def take(self, rows: np.ndarray) -> "Outputs":
        """Returns some of the examples."""
        return Outputs(
            self.logs[rows], self.classes[rows], self.transitions[rows]
        )


def fitted(outputs: Outputs, num_classes: int) -> np.ndarray:
    """Computes the joint log probabilities of true classes and given labels.

    Args:
        outputs: Outputs of the examples.
        num_classes: Number of classes `K`.

    Returns:
        Array `(n, m)`, float64, up to a term of each example.

    References:
        - [Alexandari et al., 2020](https://arxiv.org/abs/1901.06852)
    """
    sample = outputs
    if len(outputs.logs) > _MOST_EXAMPLES:
        rows = np.random.default_rng(0).choice(
            len(outputs.logs), _MOST_EXAMPLES, replace=False
        )
        sample = outputs.take(np.sort(rows))
    found = optimize.minimize(
        _loss,
        np.zeros(1 + num_classes),
        args=(sample, num_classes),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, math.log(_SHARPEST))] + [(None, None)] * num_classes,
    )
    sharpness, offsets = math.exp(found.x[0]), found.x[1:]
    return (
        sharpness * outputs.logs
        + offsets[outputs.classes]
        + outputs.transitions
    )


def _loss(values, outputs, num_classes):
    """Negative log probability of labels and offsets, and its gradient."""
    sharpness, offsets = math.exp(values[0]), values[1:]
    scaled = sharpness * outputs.logs + offsets[outputs.classes]
    joint = scaled + outputs.transitions
    log_sums = special.logsumexp(scaled, axis=1, keepdims=True)
    log_joint = special.logsumexp(joint, axis=1, keepdims=True)
    # Probabilities of the classes, given the label, less those without it.
    excess = np.exp(joint - log_joint) - np.exp(scaled - log_sums)
    logs = np.where(np.isfinite(outputs.logs), outputs.logs, 0.0)
    of_sharpness = sharpness * (excess * logs).sum()
    of_offsets = np.bincount(
        outputs.classes.ravel(), excess.ravel(), num_classes
    )
    variance = _PRIOR_DEVIATION**2
    loss = (offsets**2).sum() / (2.0 * variance) - (log_joint - log_sums).sum()
    return loss, np.append(-of_sharpness, offsets / variance - of_offsets)
