"""Random augmentation of images inside the training step."""

from limit_tf.augmentation.base import Augmentation
from limit_tf.augmentation.random_crop_flip import RandomCropFlip

__all__ = ["AUGMENTATIONS", "Augmentation", "RandomCropFlip", "get"]

AUGMENTATIONS = {"crop_flip": RandomCropFlip}


def get(
    identifier: str | Augmentation | None, **arguments
) -> Augmentation | None:
    """Returns the augmentation of a name, or the instance itself.

    Args:
        identifier: A name in `AUGMENTATIONS`, an instance of `Augmentation`,
            or None for no augmentation.
        **arguments: Arguments of the class of that name.

    Returns:
        An `Augmentation`, or None.

    Raises:
        ValueError: If the identifier is none of these.

    Example:
        >>> get("crop_flip", padding=2).padding
        2
    """
    if identifier is None or isinstance(identifier, Augmentation):
        return identifier
    if isinstance(identifier, str) and identifier in AUGMENTATIONS:
        return AUGMENTATIONS[identifier](**arguments)
    raise ValueError(
        f"`identifier` must be one of {sorted(AUGMENTATIONS)}, an instance of "
        f"Augmentation or None. Received: identifier={identifier!r}"
    )
