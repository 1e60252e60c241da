"""Random numbers that belong to examples, not to places in an array."""

import hashlib

import numpy as np

# Constants of SplitMix64: http://prng.di.unimi.it/splitmix64.c
_GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)


def check_example_ids(example_ids: np.ndarray, num_examples: int) -> np.ndarray:
    """Checks the identifiers of a set of examples.

    Args:
        example_ids: Array-like of shape `(n,)` of integers or of strings
            (text or bytes), all different.
        num_examples: The number `n`.

    Returns:
        The identifiers as an array of shape `(n,)`: int64, or as given if
        they are strings.

    Raises:
        TypeError: If the identifiers are neither integers nor strings.
        ValueError: If there are not `n` different ones.
    """
    ids = np.asarray(example_ids)
    if ids.shape != (num_examples,):
        raise ValueError(
            f"`example_ids` must have shape ({num_examples},). "
            f"Received: shape={ids.shape}"
        )
    if ids.dtype.kind in "iu" or not ids.size:
        ids = ids.astype(np.int64)
    elif not all(isinstance(i, str | bytes) for i in ids):
        raise TypeError(
            "`example_ids` must all be integers, or all be strings. "
            f"Received: dtype={ids.dtype}"
        )
    num_different = len(set(ids.tolist()))
    if num_different != num_examples:
        raise ValueError(
            "`example_ids` must be unique. Received: "
            f"{num_examples - num_different} repeated of {num_examples}"
        )
    return ids


def uniform_draws(seed: int, example_ids: np.ndarray) -> np.ndarray:
    """Draws one uniform number for each example, from its identifier.

    The number of an example depends on `seed` and on its identifier only:
    an example with the integer identifier `i` gets the `i`-th number of a
    SplitMix64 generator whose state is made from the seed. Strings are first
    hashed to integers.

    Args:
        seed: Integer in `[0, 2**64)`.
        example_ids: Identifiers as `check_example_ids` returns them, shape
            `(n,)`.

    Returns:
        Array of shape `(n,)`, float64, of numbers in `[0, 1)`.
    """
    keys = example_keys(example_ids)
    # Arithmetic on arrays of uint64 wraps around silently, as it must here.
    start = _mix(np.array([seed], np.uint64) + _GOLDEN_GAMMA)
    bits = _mix(start + (keys + np.uint64(1)) * _GOLDEN_GAMMA)
    return (bits >> np.uint64(11)) * 2.0**-53


def example_keys(example_ids: np.ndarray) -> np.ndarray:
    """Returns one number for each identifier.

    Args:
        example_ids: Identifiers as `check_example_ids` returns them, shape
            `(n,)`.

    Returns:
        Array of shape `(n,)`, uint64: integers as they are, strings hashed.
    """
    if example_ids.dtype.kind == "i":
        return example_ids.view(np.uint64)
    return np.array([_string_key(i) for i in example_ids], np.uint64)


def _string_key(example_id):
    if isinstance(example_id, str):
        example_id = example_id.encode()
    digest = hashlib.blake2b(example_id, digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _mix(bits):
    """Scrambles an array of uint64: the output function of SplitMix64."""
    bits = (bits ^ (bits >> np.uint64(30))) * _MULTIPLIER_1
    bits = (bits ^ (bits >> np.uint64(27))) * _MULTIPLIER_2
    return bits ^ (bits >> np.uint64(31))
