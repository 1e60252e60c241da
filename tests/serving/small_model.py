"""A small SavedModel with the signatures of exported models, for tests."""

import pathlib

import numpy as np
import tensorflow as tf

from limit_tf.data.decoding import decoded

CLASS_NAMES = ("cat", "dog", "größe, 3")
SHAPE = (4, 4, 1)


class _SmallModel(tf.Module):
    def __init__(self, factor):
        super().__init__()
        generator = np.random.default_rng(0)
        kernel = factor * generator.normal(size=(16, len(CLASS_NAMES)))
        self.kernel = tf.Variable(kernel.astype(np.float32))
        self.names = tf.constant(CLASS_NAMES)

    def answers(self, images):
        logits = tf.reshape(images / 255.0, (-1, 16)) @ self.kernel
        class_ids = tf.argmax(logits, axis=-1)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "class_ids": class_ids,
            "class_names": tf.gather(self.names, class_ids),
        }

    @tf.function(input_signature=[tf.TensorSpec((None, *SHAPE), name="images")])
    def arrays(self, images):
        return self.answers(images)

    @tf.function(
        input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")]
    )
    def encoded(self, image_bytes):
        def read(content):
            image = tf.cast(decoded(content, num_channels=1), tf.float32)
            return tf.image.resize(image, SHAPE[:2])

        images = tf.map_fn(
            read,
            image_bytes,
            fn_output_signature=tf.TensorSpec(SHAPE, tf.float32),
        )
        return self.answers(images)


def write(folder, version=1, factor=1.0, with_bytes=True) -> pathlib.Path:
    """Writes a version of the model, with weights times a factor."""
    model = _SmallModel(factor)
    signatures = {"serving_default": model.arrays}
    if with_bytes:
        signatures["serving_bytes"] = model.encoded
    path = pathlib.Path(folder) / str(version)
    tf.saved_model.save(model, str(path), signatures)
    (path / "assets" / "labels.txt").write_text(
        "".join(f"{name}\n" for name in CLASS_NAMES), encoding="utf-8"
    )
    return path


def images(num_images, seed=0) -> np.ndarray:
    """Returns images in uint8, shape `(n, *SHAPE)`."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (num_images, *SHAPE)).astype(np.uint8)


def write_files(folder, array) -> list[str]:
    """Writes images as PNG files."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"{i:03d}.png") for i in range(len(array))]
    for path, image in zip(paths, array, strict=True):
        pathlib.Path(path).write_bytes(tf.io.encode_png(image).numpy())
    return paths
