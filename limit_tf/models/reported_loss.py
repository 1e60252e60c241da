"""The compiled loss: of logits, and over the batches of all replicas."""

import keras
import tensorflow as tf

from limit_tf.ops import global_batch_size

# Losses of Keras that take probabilities and have no `from_logits`.
_OF_PROBABILITIES = (
    "CategoricalGeneralizedCrossEntropy",
    "KLDivergence",
    "categorical_generalized_cross_entropy",
    "kl_divergence",
)

# Losses of Keras that take labels of one form alone.
_OF_INDICES = ("SparseCategoricalCrossentropy",)
_OF_DISTRIBUTIONS = ("CategoricalCrossentropy", "CategoricalFocalCrossentropy")


@keras.saving.register_keras_serializable(package="limit_tf")
class LabelCrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits with class indices or distributions.

    Args:
        reduction: How Keras reduces the losses of a batch. Defaults to their
            mean.
        name: Name of the loss.
    """

    def __init__(
        self, reduction="sum_over_batch_size", name="label_cross_entropy"
    ):
        super().__init__(name=name, reduction=reduction)

    def call(self, y_true, y_pred):
        """Computes the loss of each example, by Keras's own functions."""
        is_dense = len(y_true.shape) == 2 and y_true.shape[-1] != 1
        if is_dense:
            function = keras.losses.categorical_crossentropy
        else:
            function = keras.losses.sparse_categorical_crossentropy
        return function(y_true, y_pred, from_logits=True)


def check_label_form(loss, shape, argument: str) -> None:
    """Refuses labels of a form that the compiled loss does not take.

    Args:
        loss: What `logit_loss` returned.
        shape: Shape of the labels.
        argument: Their name in error messages.

    Raises:
        ValueError: If one of Keras's losses wants the other form.
    """
    is_dense = len(shape) == 2 and shape[-1] != 1
    name = type(loss).__name__
    wrong = _OF_INDICES if is_dense else _OF_DISTRIBUTIONS
    if name in wrong and type(loss).__module__.startswith("keras."):
        wanted = "class indices" if is_dense else "distributions"
        other = (_OF_DISTRIBUTIONS if is_dense else _OF_INDICES)[0]
        raise ValueError(
            f"`{argument}` must hold {wanted} where `loss` is {name}: pass "
            f"keras.losses.{other}(from_logits=True), or leave `loss` out. "
            f"Received: {argument}.shape={tuple(shape)}"
        )


def logit_loss(loss) -> keras.losses.Loss | None:
    """Returns the loss to report, as an object.

    Args:
        loss: What `compile` takes as the loss of one output, or None.

    Returns:
        A loss of labels and logits, or None.

    Raises:
        ValueError: If it is a cross-entropy that would take the logits for
            probabilities.
    """
    if loss is None:
        return None
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        loss = loss[0]
    loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", type(loss).__name__)
    from_logits = (
        loss.get_config().get("from_logits")
        if isinstance(loss, keras.losses.Loss)
        else False
    )
    wants_probabilities = name in _OF_PROBABILITIES or (
        "crossentropy" in name.lower() and from_logits is False
    )
    if wants_probabilities:
        raise ValueError(
            "`loss` must take logits: pass keras.losses."
            "SparseCategoricalCrossentropy(from_logits=True), or leave it out "
            f"for the cross-entropy. Received: loss={name}"
        )
    if isinstance(loss, keras.losses.Loss):
        return loss
    return _FunctionLoss(loss)


def of_replica(value: tf.Tensor, loss: keras.losses.Loss) -> tf.Tensor:
    """Undoes that Keras divides a mean by the number of replicas.

    Args:
        value: What the loss gave for a replica's share of a batch.
        loss: The loss.

    Returns:
        The loss of the share, a scalar.
    """
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return value if loss.reduction == "sum" else value * num_replicas


def share_of_mean(
    loss: keras.losses.Loss, y, sample_weight: tf.Tensor | None
) -> tf.Tensor:
    """Factor that makes a replica's loss its part of the global batch's.

    Keras takes the mean over each replica's share and divides it by their
    number, which is the mean over all only where the shares are equal.

    Args:
        loss: The compiled loss.
        y: Labels of this replica's share.
        sample_weight: Its weights, or None.

    Returns:
        Scalar, float32; to be called before XLA compiles.
    """
    if loss.reduction == "sum":
        return tf.ones([])
    replica = tf.distribute.get_replica_context()
    labels = keras.tree.flatten(y)[0]
    own = tf.cast(tf.shape(labels)[0], tf.float32)
    total = global_batch_size(labels)
    if (
        loss.reduction == "mean_with_sample_weight"
        and sample_weight is not None
    ):
        own = tf.reduce_sum(tf.cast(sample_weight, tf.float32))
        total = replica.all_reduce(tf.distribute.ReduceOp.SUM, own)
    return tf.math.divide_no_nan(own, total) * replica.num_replicas_in_sync


class _FunctionLoss(keras.losses.Loss):
    """Gives a loss function weights and a mean over the batch."""

    def __init__(self, function):
        super().__init__(name=getattr(function, "__name__", "loss"))
        self._function = function

    def call(self, y_true, y_pred):
        return self._function(y_true, y_pred)
