"""Real examples of a data set, as each signature takes them."""

import numpy as np
import tensorflow as tf

from limit_tf import data
from limit_tf.data.pixel_range import FILE_MAX
from limit_tf.data.pixel_range import to_file_range
from limit_tf.serving import signatures


class ServedExamples:
    """Examples of a data set as inputs of the signatures.

    Args:
        images: Array `(n, ...)`, `ImageFiles` or `RecordImages`.
        labels: Labels `(n,)`, int64.
        num_examples: Most examples to take, from the first on.
        pixel_max: Largest pixel of the data set, where it has images.
    """

    def __init__(
        self,
        images: data.Images,
        labels: np.ndarray,
        num_examples: int,
        pixel_max: float = FILE_MAX,
    ):
        positions = np.arange(min(num_examples, len(images)))
        self._source = images[positions]
        self.inputs = data.load_images(images, positions)
        self.labels = labels[positions]
        self._pixel_max = pixel_max

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(self.inputs)

    def arguments(self, signature: str, size: int) -> dict[str, np.ndarray]:
        """Returns arguments of a signature.

        Args:
            signature: Name of the signature.
            size: Number of examples; they are repeated if there are fewer.

        Returns:
            Arrays of `size` rows by the names of the signature's inputs.
        """
        rows = np.arange(size) % len(self)
        if signature == signatures.BYTES:
            return {"image_bytes": self._encoded()[rows]}
        if signature == signatures.CLASSIFY:
            return {"inputs": self._examples()[rows]}
        arguments = {"images": self.inputs[rows].astype(np.float32)}
        if signature == signatures.LABEL_SCORES:
            arguments["labels"] = self.labels[rows].astype(np.int64)
        return arguments

    def _encoded(self):
        """Contents of image files: the data's own ones, or PNG."""
        if isinstance(self._source, data.ImageFiles):
            contents = map(tf.io.read_file, self._source.paths)
        else:
            images = to_file_range(self.inputs, self._pixel_max)
            contents = map(tf.io.encode_png, images)
        return _objects(content.numpy() for content in contents)

    def _examples(self):
        if self.inputs.dtype == np.uint8:
            return _objects(
                _serialized(
                    signatures.ENCODED_FEATURE,
                    bytes_list=tf.train.BytesList(value=[content]),
                )
                for content in self._encoded()
            )
        return _objects(
            _serialized(
                signatures.INPUTS_FEATURE,
                float_list=tf.train.FloatList(value=row.ravel()),
            )
            for row in self.inputs
        )


def _serialized(name, **feature):
    feature = {name: tf.train.Feature(**feature)}
    features = tf.train.Features(feature=feature)
    return tf.train.Example(features=features).SerializeToString()


def _objects(values):
    values = list(values)
    array = np.empty(len(values), object)
    array[:] = values
    return array
