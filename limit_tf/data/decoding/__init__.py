"""Contents of image files as pixels, as a person sees them.

All of it is operations of TensorFlow, so that training, reports and exported
models decode a file alike.
"""

from limit_tf.data.decoding.image import decoded
from limit_tf.data.decoding.image import decoded_here
from limit_tf.data.decoding.image import for_other_processes

__all__ = ["decoded", "decoded_here", "for_other_processes"]
