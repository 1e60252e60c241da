"""Names by which people call the parts of a data set."""

PARTS = ("train", "validation", "test")
_PART_OF = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}


def part_of(name: str) -> str | None:
    """Returns the part that a name stands for, in any case.

    Args:
        name: train or training; validation, valid or val; test or testing.

    Returns:
        `"train"`, `"validation"` or `"test"`; None for another name.
    """
    return _PART_OF.get(name.casefold())
