"""Contents of image files as pixels, as a person sees them.

All of it is operations of TensorFlow, so that training, reports and exported
models decode a file alike.
"""

from limit_tf.data.decoding.image import decoded

__all__ = ["decoded"]
