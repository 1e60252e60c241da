"""Models for TensorFlow Serving: what writes them, and what asks them."""
