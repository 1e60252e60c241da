"""The 8x8 digits that come with scikit-learn: no download, 1,797 images."""

import numpy as np

from limit_tf.data.image_data import ImageData
from limit_tf.data.image_data import Source

_NUM_TEST_EXAMPLES = 497
_HOLD_OUT_SEED = 0


def load() -> Source:
    """Loads the digits.

    scikit-learn has no split of its own. Here 497 images are held out for
    the test, chosen by a permutation with a constant seed: they are the same
    in every run, whatever its seeds. The other 1,300 are for training.

    Returns:
        The `Source`: images of shape `(8, 8, 1)` with pixels from 0 to 16.
        An identifier is the position in scikit-learn's order.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    everything = ImageData(
        images=digits.images.astype(np.uint8)[..., np.newaxis],
        labels=digits.target,
        example_ids=np.arange(len(digits.target)),
    )
    order = np.random.default_rng(_HOLD_OUT_SEED).permutation(len(everything))
    return Source(
        name="digits",
        train=everything.take(np.sort(order[_NUM_TEST_EXAMPLES:])),
        test=everything.take(np.sort(order[:_NUM_TEST_EXAMPLES])),
        class_names=tuple(str(name) for name in digits.target_names),
        pixel_mean=(0.0,),
        pixel_std=(1.0,),
        pixel_max=16.0,
    )
