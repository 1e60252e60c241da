"""How far a label is from what a trained model expects."""

import dataclasses
import functools
from collections.abc import Iterator
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from limit_tf.data import LabelledImages
from limit_tf.label_issues.label_batches import check_unique
from limit_tf.label_issues.label_batches import input_batches
from limit_tf.label_issues.label_batches import label_batches
from limit_tf.models import example_inputs
from limit_tf.models import network_checks
from limit_tf.models.input_checks import not_finite_rows
from limit_tf.ops import label_distribution
from limit_tf.ops import predicted_logit_gradient
from limit_tf.ops import true_logit_gradient

NETWORKS = ("gradient_predictor", "classifier")
# Of so many classes the predictor's probabilities are kept, an example.
NUM_TOP_CLASSES = 10
_BATCH_SIZE = 512


@dataclasses.dataclass(frozen=True, eq=False)
class LabelScores:
    """What a model says of the labels of `n` examples, in the data's order.

    Where a model has no gradient predictor, its classifier takes the
    predictor's place, and both always agree.

    Args:
        num_classes: Number of classes `K`.
        positions: Place of each example in the data, `(n,)`, int64.
        example_ids: Identifiers, `(n,)`; the positions where there are none.
        given_labels: Labels as they were given, `(n,)`, int64; of soft labels
            the most probable class.
        suggested_labels: Most probable class by the predictor, `(n,)`, int64.
        classifier_labels: The same by the classifier.
        l1_distance: L1 distance between the predicted gradient `s(a) - s(r)`
            and that of the cross-entropy `s(a) - y`, in `[0, 2]`, `(n,)`,
            float32.
        l2_distance: Their L2 distance, in `[0, sqrt(2)]`.
        predictor_prob: Probability of the given label by the predictor, `(n,)`,
            float32.
        classifier_prob: The same by the classifier.
        suggested_prob: Probability of the suggested label by the predictor.
        top_labels: The predictor's most probable classes, the most probable
            first: all of them, but no more than ten, `(n, m)`, int32.
        top_probs: Their probabilities, `(n, m)`, float32.
    """

    num_classes: int
    positions: np.ndarray
    example_ids: np.ndarray
    given_labels: np.ndarray
    suggested_labels: np.ndarray
    classifier_labels: np.ndarray
    l1_distance: np.ndarray
    l2_distance: np.ndarray
    predictor_prob: np.ndarray
    classifier_prob: np.ndarray
    suggested_prob: np.ndarray
    top_labels: np.ndarray
    top_probs: np.ndarray

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(self.positions)

    @property
    def networks_agree(self) -> np.ndarray:
        """Whether both networks find the same class most probable, `(n,)`."""
        return self.suggested_labels == self.classifier_labels


def label_scores(
    model: keras.Model,
    x,
    y=None,
    *,
    example_ids=None,
    batch_size: int = _BATCH_SIZE,
) -> LabelScores:
    """Scores labels: those of training examples, or of data never seen.

    The gradient that LIMIT predicts knows inputs alone, and the penalty keeps
    it from following single labels. So it is far from the gradient of the
    cross-entropy where a label is wrong: the distance
    `|mu - g| = |y - s(r)|` tells which labels are (section 4.1 of the paper).

    Data is read in a stream: beside a few batches, memory holds some 150 bytes
    an example, and twice that while they are joined. A model that was built
    under a `tf.distribute` strategy scores on all of its replicas; of several
    workers each returns the examples that it has scored.

    Args:
        model: `LimitModel`, or any model that gives logits `(batch, K)`.
        x: Arrays of inputs; or a `tf.data.Dataset` of batches `(x, y)` or
            `(x, y, sample_weight)`, finite; or `limit_tf.data.LabelledImages`,
            as `noisy_splits` gives them.
        y: Labels, where `x` holds arrays: `(n,)`, or distributions `(n, K)`.
        example_ids: Identifiers, where `x` holds arrays; by default positions.
            Those of a data set are its `x["example_ids"]`, if it has them.
        batch_size: Number of examples in a batch, where `x` is not batched.

    Returns:
        The `LabelScores`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is missing or wrong, a label is none of the
            model's classes, an input is NaN or infinite, an identifier occurs
            twice, or the model gives probabilities.

    References:
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)

    Example:
    ```python
    scores = limit_tf.label_issues.label_scores(model, x, y)
    most_suspicious = scores.positions[scores.l1_distance.argsort()[::-1]]
    ```
    """
    chunks = iter_label_scores(
        model, x, y, example_ids=example_ids, batch_size=batch_size
    )
    chunks = list(chunks)
    if not chunks:
        raise ValueError(
            "`x` must hold at least one example. Received: no batch"
        )
    joined = _joined(chunks)
    check_unique(joined.example_ids)
    order = joined.positions.argsort(kind="stable")
    return _map_columns(lambda column: column[order], joined)


def concatenated(parts: Sequence[LabelScores]) -> LabelScores:
    """Joins the scores of several data sets into those of one.

    Args:
        parts: Scores of at least one data set, all by the same classes.

    Returns:
        All of them, in the order given; positions go on from part to part.
    """
    joined = _joined(parts)
    return dataclasses.replace(joined, positions=np.arange(len(joined)))


def take(scores: LabelScores, rows: np.ndarray) -> LabelScores:
    """Returns some of the scores, with the positions that they have.

    Args:
        scores: Scores of examples.
        rows: Which of them, integers.
    """
    return _map_columns(lambda column: column[rows], scores)


def _joined(parts):
    return _map_columns(lambda *columns: np.concatenate(columns), *parts)


def _map_columns(function, *parts):
    columns = {
        field.name: function(*(getattr(part, field.name) for part in parts))
        for field in dataclasses.fields(LabelScores)
        if field.name != "num_classes"
    }
    return LabelScores(parts[0].num_classes, **columns)


def iter_label_scores(
    model: keras.Model,
    x,
    y=None,
    *,
    example_ids=None,
    batch_size: int = _BATCH_SIZE,
) -> Iterator[LabelScores]:
    """Scores labels batch by batch: memory does not grow with the data.

    Args:
        model: As in `label_scores`.
        x: As there.
        y: As there.
        example_ids: As there.
        batch_size: As there.

    Yields:
        The `LabelScores` of a batch, in the order of the data's files.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: As there; identifiers of a data set are compared within a
            batch.
    """
    batches = label_batches(
        x,
        y,
        example_ids=example_ids,
        batch_size=batch_size,
        finite=_wants_finite(model),
    )
    _check_ends(model)
    for outputs in _outputs(model, batches, functools.partial(_figures, model)):
        num_classes = int(outputs.pop("num_classes").flat[0])
        is_invalid = outputs.pop("is_invalid")
        if is_invalid.any():
            raise ValueError(
                "`y` must hold indices of the model's "
                f"{num_classes} classes, or distributions over them. Received: "
                "another label at position "
                f"{outputs['positions'][is_invalid.argmax()]}"
            )
        _check_outputs(model, outputs)
        check_unique(outputs["example_ids"])
        if isinstance(x, LabelledImages):
            outputs["example_ids"] = x.example_ids[outputs["positions"]]
        yield LabelScores(num_classes, **outputs)


def pred_probs(
    model: keras.Model,
    x,
    *,
    network: str = "gradient_predictor",
    batch_size: int = _BATCH_SIZE,
) -> np.ndarray:
    """Predicts class probabilities, as cleanlab takes them.

    `cleanlab.filter.find_label_issues(labels, pred_probs)` and
    `Datalab.find_issues(pred_probs=...)` ask for probabilities of a model that
    has not seen the labels. The gradient predictor has seen those of training
    examples, but memorises few of them.

    Args:
        model: `LimitModel`, or any model that gives logits `(batch, K)`.
        x: Arrays of inputs; or a `tf.data.Dataset` as in `label_scores`; or
            `limit_tf.data.LabelledImages`.
        network: `"gradient_predictor"` or `"classifier"`.
        batch_size: Number of examples in a batch, where `x` is not batched.

    Returns:
        Array `(n, K)`, float64, whose rows sum to one, in the data's order.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If `network` is another one, or the model does not have it,
            an input is NaN or infinite, or the model gives probabilities.
    """
    if network not in NETWORKS:
        raise ValueError(
            f"`network` must be one of {', '.join(NETWORKS)}. Received: "
            f"network={network!r}"
        )
    if network == "classifier":
        chosen = model
    else:
        chosen = _predictor(model)
    if chosen is None:
        raise ValueError(
            "`network` must be 'classifier' for a model without a gradient "
            f"predictor. Received: network={network!r} for a "
            f"{type(model).__name__}"
        )

    def probs(batch):
        inputs = _inputs(model, batch)
        logits = _logits(chosen, inputs)
        return {
            "positions": batch["positions"],
            "probs": tf.nn.softmax(logits),
            **_row_checks(inputs, logits),
        }

    batches = input_batches(
        x, batch_size=batch_size, finite=_wants_finite(model)
    )
    _check_ends(model)
    outputs = []
    for part in _outputs(model, batches, probs):
        _check_outputs(model, part)
        outputs.append(part)
    positions = np.concatenate([part["positions"] for part in outputs])
    ordered = np.concatenate([part["probs"] for part in outputs])
    ordered = ordered[positions.argsort(kind="stable")].astype(np.float64)
    return ordered / ordered.sum(axis=1, keepdims=True)


def _outputs(model, batches, figures):
    """Yields what `figures` gives for each batch, on all replicas."""
    strategy = model.distribute_strategy
    figures = tf.autograph.experimental.do_not_convert(figures)
    if strategy.num_replicas_in_sync == 1:
        # Traced once, for smaller last batches too.
        step = tf.function(figures, input_signature=[_spec(batches)])
        for batch in batches:
            yield {key: value.numpy() for key, value in step(batch).items()}
        return
    step = tf.function(figures)
    for batch in strategy.experimental_distribute_dataset(batches):
        per_replica = strategy.run(step, args=(batch,))
        yield {
            key: np.concatenate(
                [v.numpy() for v in strategy.experimental_local_results(value)]
            )
            for key, value in per_replica.items()
        }


def _spec(batches):
    """Specification of the batches, of any number of examples."""
    return keras.tree.map_structure(
        lambda spec: tf.TensorSpec((None, *spec.shape[1:]), spec.dtype),
        batches.element_spec,
    )


def _predictor(model):
    return getattr(model, "gradient_predictor", None)


def _inputs(model, batch):
    """What the networks see of a batch, without the ids of its examples."""
    x, _ = example_inputs.split(batch["inputs"])
    if example_inputs.ids_alone(x) is None:
        return x
    return model.split_inputs(x)[0]  # the inputs that the model holds


def _logits(network, inputs):
    return tf.cast(network(inputs, training=False), tf.float32)


def _figures(model, batch):
    """Figures of each example of a batch, by their names in LabelScores."""
    inputs = _inputs(model, batch)
    logits = _logits(model, inputs)
    predictor = _predictor(model)
    predictor_logits = logits
    if predictor is not None:
        predictor_logits = _logits(predictor, inputs)
    num_classes = logits.shape[-1]
    labels = label_distribution(batch["labels"], num_classes)
    difference = predicted_logit_gradient(
        logits, predictor_logits
    ) - true_logit_gradient(logits, labels)
    given = tf.argmax(labels, -1)
    probs = tf.nn.softmax(predictor_logits)

    top_probs, top_labels = tf.math.top_k(
        probs, min(NUM_TOP_CLASSES, num_classes)
    )

    def of_given(of_all):
        return tf.gather(of_all, given, batch_dims=1)

    return {
        "positions": batch["positions"],
        "example_ids": batch.get("ids", batch["positions"]),
        "given_labels": given,
        "suggested_labels": tf.argmax(probs, -1),
        "classifier_labels": tf.argmax(logits, -1),
        "l1_distance": tf.reduce_sum(tf.abs(difference), -1),
        "l2_distance": tf.norm(difference, axis=-1),
        "predictor_prob": of_given(probs),
        "classifier_prob": of_given(tf.nn.softmax(logits)),
        "suggested_prob": tf.reduce_max(probs, -1),
        "top_labels": top_labels,
        "top_probs": top_probs,
        "num_classes": tf.fill(tf.shape(given), num_classes),
        "is_invalid": tf.reduce_any(tf.math.is_nan(labels), -1),
        **_row_checks(inputs, logits, predictor_logits),
    }


def _row_checks(inputs, *all_logits):
    """What `_check_outputs` looks at, by names that it takes away."""
    size = tf.shape(all_logits[0])[:1]
    bad_inputs = [
        not_finite_rows(leaf)
        for leaf in keras.tree.flatten(inputs)
        if isinstance(leaf, tf.Tensor) and leaf.dtype.is_floating
    ]
    bad_inputs.append(tf.zeros(size, tf.bool))
    return {
        "bad_inputs": tf.reduce_any(bad_inputs, 0),
        "bad_logits": tf.reduce_any(
            [not_finite_rows(x) for x in all_logits], 0
        ),
        "are_probs": tf.reduce_any([_are_probs(x) for x in all_logits], 0),
    }


def _are_probs(logits):
    """Marks rows that are distributions already."""
    inside = tf.reduce_all((logits >= 0.0) & (logits <= 1.0), -1)
    return inside & (tf.abs(tf.reduce_sum(logits, -1) - 1.0) < 1e-3)


def _check_outputs(model, outputs):
    """Refuses a batch whose inputs, or answers, are not what they must be."""
    bad_inputs, bad_logits, are_probs = (
        outputs.pop(name) for name in ("bad_inputs", "bad_logits", "are_probs")
    )
    positions = outputs["positions"]
    if bad_inputs.any() and _wants_finite(model):
        raise ValueError(
            "`x` must hold finite numbers. Received: "
            f"{np.count_nonzero(bad_inputs)} invalid of {len(positions)} in a "
            f"batch, the first at position {positions[bad_inputs.argmax()]}"
        )
    if bad_logits.any():
        raise ValueError(
            "`x` must hold inputs for which the model gives finite logits. "
            "Received: another one at position "
            f"{positions[bad_logits.argmax()]}"
        )
    if are_probs.all():
        raise ValueError(
            "`model` must end in logits: remove the softmax that it applies "
            f"to its output. Received: {model.name!r}, which gives rows that "
            "sum to one"
        )


def _check_ends(model):
    """Refuses networks that are seen to end in probabilities."""
    network_checks.check_end(model, "model")
    predictor = _predictor(model)
    if predictor is not None:
        network_checks.check_end(predictor, "model.gradient_predictor")


def _wants_finite(model):
    return not getattr(model, "allow_non_finite_inputs", False)
