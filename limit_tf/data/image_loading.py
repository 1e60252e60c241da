"""Some of the images, wherever they are."""

import numpy as np

from limit_tf.data.image_data import Images
from limit_tf.data.image_data import is_stored
from limit_tf.data.pipeline import evaluation_dataset

_BATCH_SIZE = 64


def load_images(images: Images, positions: np.ndarray) -> np.ndarray:
    """Loads images at some positions.

    Args:
        images: Array `(n, ...)`, or `ImageFiles` or `RecordImages`, which are
            read in the size for evaluation.
        positions: Distinct places `(m,)`, integers.

    Returns:
        Array `(m, ...)`, in the order of the positions.
    """
    positions = np.asarray(positions)
    if not is_stored(images):
        return images[positions]
    chosen = images[positions]
    loaded = np.empty((len(positions), *images.shape[1:]), np.uint8)
    for batch in evaluation_dataset(
        chosen, batch_size=_BATCH_SIZE, with_example_ids=True
    ).as_numpy_iterator():
        loaded[batch["example_ids"]] = batch["inputs"]
    return loaded
