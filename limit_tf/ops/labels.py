"""Labels of any accepted form as distributions over the classes."""

import tensorflow as tf

# How far the sum of a soft label may lie from one: float16 labels of a
# thousand classes still pass, percentages and logits do not.
SUM_TOLERANCE = 1e-2
# Floats of few bits, and the whole numbers up to which they tell all apart.
_HALVES = {tf.float16: 2**11, tf.bfloat16: 2**8}
_WIDE = (tf.int32, tf.int64, tf.float32, tf.float64, tf.string)


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
    labels = widened(labels)
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
        TypeError: If the labels are strings.
        ValueError: If the labels have another shape, or a dtype that does not
            tell so many classes apart.
    """
    labels = tf.convert_to_tensor(labels)
    if labels.dtype == tf.string:
        raise TypeError(
            "`y` must hold class indices or distributions: turn names into "
            "indices by keras.layers.StringLookup(vocabulary=names, "
            "num_oov_indices=0). Received: dtype string"
        )
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
    if labels.shape.rank == 1:
        check_distinct(labels.dtype, num_classes)
    return labels


def check_distinct(dtype: tf.DType, num_classes: int) -> None:
    """Refuses class indices in floats that round them to others.

    Args:
        dtype: Type of the labels.
        num_classes: Number of classes.

    Raises:
        ValueError: If the type does not tell all classes apart.
    """
    largest = _HALVES.get(tf.as_dtype(dtype))
    if largest is not None and num_classes - 1 > largest:
        raise ValueError(
            "`y` must hold class indices of an integer dtype, or float32: "
            f"smaller floats round indices above {largest}. Received: "
            f"{tf.as_dtype(dtype).name} for {num_classes} classes"
        )


def widened(labels: tf.Tensor) -> tf.Tensor:
    """Casts labels to a dtype that holds any number of classes.

    A number of classes, or a predicted class, that is cast to the dtype of
    the labels would otherwise wrap around or be rounded.

    Args:
        labels: Tensor of labels of any form.

    Returns:
        The same numbers: int64 for small and unsigned integers and booleans,
        float32 for half floats, anything else as it is. Numbers of uint64
        beyond int64 become negative.
    """
    labels = tf.convert_to_tensor(labels)
    if labels.dtype in _WIDE:
        return labels
    wide = tf.float32 if labels.dtype.is_floating else tf.int64
    return tf.cast(labels, wide)


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
        TypeError: If the labels are strings.
        ValueError: If the labels have another shape.
    """
    labels = widened(flatten_sparse(labels, num_classes))
    invalid = invalid_labels(labels, num_classes)
    if labels.shape.rank == 1:
        distribution = tf.one_hot(tf.cast(labels, tf.int32), num_classes)
    else:
        distribution = tf.cast(labels, tf.float32)
    return tf.where(invalid[:, tf.newaxis], float("nan"), distribution)
