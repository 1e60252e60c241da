"""Labels of any accepted form as distributions over the classes."""

import tensorflow as tf

# How far the sum of a soft label may lie from one: float16 labels of a
# thousand classes still pass, percentages and logits do not.
SUM_TOLERANCE = 1e-2


def invalid_labels(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Marks the labels that no classifier of `num_classes` can be given.

    Args:
        labels: Integers `(batch,)`, or distributions `(batch, num_classes)`.
        num_classes: Number of classes.

    Returns:
        Booleans `(batch,)`: `True` for a class outside `[0, num_classes)`, a
        fraction or NaN, and for a distribution with a negative or non-finite
        entry or a sum that is not one.
    """
    if labels.shape.rank == 1:
        outside = (labels < 0) | (labels >= num_classes)
        if not labels.dtype.is_floating:
            return outside
        return outside | (labels != tf.floor(labels))
    labels = tf.cast(labels, tf.float32)
    bad_entry = tf.reduce_any((labels < 0) | ~tf.math.is_finite(labels), -1)
    bad_sum = tf.abs(tf.reduce_sum(labels, -1) - 1.0) > SUM_TOLERANCE
    return bad_entry | bad_sum


def flatten_sparse(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Drops the last axis of sparse labels `(batch, 1)` and checks the form.

    Args:
        labels: Tensor of labels.
        num_classes: Number of classes.

    Returns:
        Tensor `(batch,)` or `(batch, num_classes)` of a numeric dtype.

    Raises:
        ValueError: If the labels have another shape.
    """
    labels = tf.convert_to_tensor(labels)
    if labels.dtype == tf.bool:
        labels = tf.cast(labels, tf.float32)
    shape = labels.shape
    if shape.rank == 2 and shape[-1] == 1:
        labels = tf.squeeze(labels, -1)
    elif shape.rank != 1 and not (shape.rank == 2 and shape[-1] == num_classes):
        raise ValueError(
            "`y` must hold class indices of shape (batch,) or (batch, 1), or "
            f"distributions of shape (batch, {num_classes}). Received: "
            f"y.shape={tuple(shape) if shape.rank is not None else None}"
        )
    return labels


def label_distribution(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Converts labels to distributions over the classes.

    Args:
        labels: Class indices `(batch,)` or `(batch, 1)`, of any integer or
            float dtype, or one-hot or soft labels `(batch, num_classes)`.
        num_classes: Number of classes.

    Returns:
        Tensor `(batch, num_classes)`, float32. The row of an invalid label
        (see `invalid_labels`) is NaN, never zero: wherever no error can be
        raised, as under XLA, it shows in every loss.

    Raises:
        ValueError: If the labels have another shape.
    """
    labels = flatten_sparse(labels, num_classes)
    invalid = invalid_labels(labels, num_classes)
    if labels.shape.rank == 1:
        distribution = tf.one_hot(tf.cast(labels, tf.int32), num_classes)
    else:
        distribution = tf.cast(labels, tf.float32)
    return tf.where(invalid[:, tf.newaxis], float("nan"), distribution)
