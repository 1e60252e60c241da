"""Transition matrices of label noise.

A transition matrix `T` of shape `(K, K)` holds
`T[i, j] = P(noisy label = j given clean label = i)`, so its rows sum to one.
"""

import numbers
from collections.abc import Mapping

import numpy as np

from limit_tf.noise.arguments import check_integer
from limit_tf.noise.arguments import is_integer

# The pair noise of the LIMIT experiments: truck -> automobile,
# bird -> airplane, deer -> horse, cat -> dog; one way, the rest stays clean.
CIFAR10_PAIRS = {9: 1, 2: 0, 4: 7, 3: 5}
# The asymmetric noise of ELR and DivideMix: those four, and dog -> cat.
CIFAR10_ASYMMETRIC = {**CIFAR10_PAIRS, 5: 3}


def identity_transition_matrix(num_classes: int) -> np.ndarray:
    """Builds the transition matrix that changes no label.

    Args:
        num_classes: Number of classes `K`, at least 2.

    Returns:
        The identity, shape `(K, K)`, float64.

    Raises:
        TypeError: If `num_classes` is not an integer.
        ValueError: If `num_classes` is smaller than 2.
    """
    return np.eye(check_integer(num_classes, "num_classes", low=2))


def symmetric_transition_matrix(
    num_classes: int, noise_rate: float
) -> np.ndarray:
    """Builds the transition matrix of symmetric label noise.

    A label is wrong with probability `noise_rate`; a wrong label is equally
    likely to be any of the other `K - 1` classes, never the true one. The
    LIMIT paper calls this noise "uniform"; `uniform_transition_matrix` is
    another convention.

    Args:
        num_classes: Number of classes `K`, at least 2.
        noise_rate: Probability of a wrong label, in `[0, 1]`.

    Returns:
        Array of shape `(K, K)`, float64. Row `i` is the distribution of the
        noisy label given the clean label `i`, so every row sums to one.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is outside its range.

    References:
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)
    """
    num_classes = check_integer(num_classes, "num_classes", low=2)
    noise_rate = _checked_noise_rate(noise_rate)
    matrix = np.full((num_classes, num_classes), noise_rate / (num_classes - 1))
    np.fill_diagonal(matrix, 1.0 - noise_rate)
    return matrix


def uniform_transition_matrix(
    num_classes: int, noise_rate: float
) -> np.ndarray:
    """Builds the transition matrix of labels redrawn over all classes.

    With probability `noise_rate` a label is drawn afresh, uniformly over all
    `K` classes, the true one included: a label is wrong with probability
    `noise_rate * (1 - 1 / K)` only. ELR and DivideMix call this noise
    "symmetric".

    Args:
        num_classes: Number of classes `K`, at least 2.
        noise_rate: Probability that a label is redrawn, in `[0, 1]`.

    Returns:
        Array of shape `(K, K)`, float64, whose rows sum to one.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is outside its range.

    References:
        - [Liu et al., 2020](https://arxiv.org/abs/2007.00151)
        - [Li et al., 2020](https://arxiv.org/abs/2002.07394)
    """
    num_classes = check_integer(num_classes, "num_classes", low=2)
    noise_rate = _checked_noise_rate(noise_rate)
    return (1.0 - noise_rate) * np.eye(num_classes) + noise_rate / num_classes


def class_map_transition_matrix(
    num_classes: int, noise_rate: float, class_map: Mapping[int, int]
) -> np.ndarray:
    """Builds the transition matrix of noise along given pairs of classes.

    A label of a source class becomes its target class with probability
    `noise_rate`. The map goes one way, and classes that it does not name as
    a source stay clean.

    Args:
        num_classes: Number of classes `K`, at least 2.
        noise_rate: Probability of a wrong label in a source class, in
            `[0, 1]`.
        class_map: Maps each source class to its target class. Sources may be
            strings of digits, as in configs whose keys must be strings.

    Returns:
        Array of shape `(K, K)`, float64, whose rows sum to one.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is outside its range.
    """
    num_classes = check_integer(num_classes, "num_classes", low=2)
    noise_rate = _checked_noise_rate(noise_rate)
    matrix = np.eye(num_classes)
    for source, target in _checked_class_map(class_map, num_classes).items():
        matrix[source, source] = 1.0 - noise_rate
        matrix[source, target] = noise_rate
    return matrix


def pair_transition_matrix(
    num_classes: int,
    noise_rate: float,
    class_map: Mapping[int, int] | None = None,
) -> np.ndarray:
    """Builds the transition matrix of pair noise.

    Args:
        num_classes: Number of classes `K`, at least 2.
        noise_rate: Probability of a wrong label in a source class, in
            `[0, 1]`.
        class_map: The pairs, as in `class_map_transition_matrix`. By default
            every class maps to the next one, and the last to the first.

    Returns:
        Array of shape `(K, K)`, float64, whose rows sum to one.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is outside its range.
    """
    num_classes = check_integer(num_classes, "num_classes", low=2)
    if class_map is None:
        class_map = {i: (i + 1) % num_classes for i in range(num_classes)}
    return class_map_transition_matrix(num_classes, noise_rate, class_map)


def block_cycle_class_map(num_classes: int, block_size: int) -> dict[int, int]:
    """Maps every class to the next one of its block of consecutive classes.

    The last class of a block maps to its first. With 100 classes in blocks of
    5 this is the asymmetric noise of ELR for CIFAR-100.

    Args:
        num_classes: Number of classes `K`, a multiple of `block_size`.
        block_size: Number of classes in a block, at least 2.

    Returns:
        A map for `pair_transition_matrix`.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is outside its range.

    References:
        - [Liu et al., 2020](https://arxiv.org/abs/2007.00151)
    """
    num_classes = check_integer(num_classes, "num_classes", low=2)
    block_size = check_integer(block_size, "block_size", low=2)
    if num_classes % block_size:
        raise ValueError(
            f"`block_size` must divide num_classes={num_classes}. "
            f"Received: block_size={block_size}"
        )
    return {
        i: i + 1 if (i + 1) % block_size else i + 1 - block_size
        for i in range(num_classes)
    }


def check_transition_matrix(
    transition_matrix: np.ndarray, num_classes: int | None = None
) -> np.ndarray:
    """Checks a transition matrix.

    Args:
        transition_matrix: Array-like of shape `(K, K)` whose rows are
            distributions: finite, non-negative, summing to one within 1e-6.
        num_classes: If given, the `K` that the matrix must have.

    Returns:
        A copy of the matrix, shape `(K, K)`, float64.

    Raises:
        TypeError: If the matrix does not hold numbers.
        ValueError: If the matrix breaks one of the rules.
    """
    given = np.asarray(transition_matrix)
    if given.dtype.kind not in "iuf":
        raise TypeError(
            "`transition_matrix` must be an array of real numbers. "
            f"Received: dtype={given.dtype}"
        )
    matrix = given.astype(np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            "`transition_matrix` must be square. "
            f"Received: shape={matrix.shape}"
        )
    check_integer(len(matrix), "len(transition_matrix)", low=2)
    if num_classes is not None and len(matrix) != num_classes:
        raise ValueError(
            "`transition_matrix` must have one row and one column for each of "
            f"the num_classes={num_classes} classes. "
            f"Received: shape={matrix.shape}"
        )
    is_wrong = ~(np.isfinite(matrix) & (matrix >= 0.0))
    if is_wrong.any():
        row, column = (int(i) for i in np.argwhere(is_wrong)[0])
        raise ValueError(
            "`transition_matrix` must hold finite, non-negative numbers. "
            f"Received: {matrix[row, column]} at [{row}, {column}]"
        )
    row_sums = matrix.sum(axis=1)
    row = int(np.argmax(np.abs(row_sums - 1.0)))
    if abs(row_sums[row] - 1.0) > 1e-6:
        raise ValueError(
            "`transition_matrix` must have rows that sum to 1. "
            f"Received: row {row} sums to {row_sums[row]}"
        )
    return matrix


def _checked_noise_rate(noise_rate):
    if not isinstance(noise_rate, numbers.Real) or isinstance(noise_rate, bool):
        raise TypeError(
            "`noise_rate` must be a number. "
            f"Received: noise_rate={noise_rate!r}"
        )
    if not 0.0 <= noise_rate <= 1.0:
        raise ValueError(
            "`noise_rate` must lie in [0, 1]. "
            f"Received: noise_rate={noise_rate}"
        )
    return float(noise_rate)


def _checked_class_map(class_map, num_classes):
    """Returns the map from int to int, sources given as strings included."""
    if not isinstance(class_map, Mapping):
        raise TypeError(
            "`class_map` must be a mapping from class to class. "
            f"Received: class_map={class_map!r}"
        )
    checked = {}
    for given_source, target in class_map.items():
        source = given_source
        if isinstance(source, str) and source.isdecimal():
            source = int(source)
        if not (is_integer(source) and is_integer(target)):
            raise TypeError(
                "`class_map` must map integers to integers. "
                f"Received: {given_source!r}: {target!r}"
            )
        if not (0 <= source < num_classes and 0 <= target < num_classes):
            raise ValueError(
                f"`class_map` must name classes in [0, {num_classes - 1}]. "
                f"Received: {given_source!r}: {target!r}"
            )
        if source == target:
            raise ValueError(
                "`class_map` must map a class to another one. "
                f"Received: {given_source!r}: {target!r}"
            )
        if source in checked:
            raise ValueError(
                "`class_map` must name every source once. "
                f"Received: class_map={dict(class_map)}"
            )
        checked[int(source)] = int(target)
    if not checked:
        raise ValueError(
            "`class_map` must name at least one class. Received: class_map={}"
        )
    return checked
