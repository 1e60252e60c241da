"""The methods of training, by the name a configuration gives."""

import dataclasses
from collections.abc import Callable

import keras
import ml_collections
import numpy as np

from limit_tf import losses
from limit_tf import noise
from limit_tf.augmentation import Augmentation
from limit_tf.models import ClassifierModel
from limit_tf.models import ElrModel
from limit_tf.models import ElrPlusModel
from limit_tf.models import LimitModel
from limit_tf.models import NoisyGradientModel
from limit_tf.models import SoftRegularizationModel
from limit_tf.models.network_model import NetworkModel


@dataclasses.dataclass(frozen=True)
class Ingredients:
    """What a method may need beside its settings.

    Attributes:
        network: Builds a network, `network(variant, **options)`, the variant
            `"classifier"`, `"second_classifier"` or `"gradient_predictor"`.
            A classifier starts from `config.init_from` if there is one, unless
            `from_scratch=True`.
        augmentation: Augmentation of training inputs, or None.
        num_examples: Number of training examples.
        initial_probs: Gives the probabilities `(num_examples, num_classes)`
            that the classifier of `config.init_from` assigns to the training
            images; None without one.
        has_weights: Whether training examples have sample weights. A method
            honours them or refuses them.
    """

    network: Callable[..., keras.Model]
    augmentation: Augmentation | None
    num_examples: int
    initial_probs: Callable[[], np.ndarray] | None
    has_weights: bool = False


@dataclasses.dataclass
class Plan:
    """A model, and how it is to be trained.

    Attributes:
        model: Model that is not compiled yet.
        loss: Loss to compile it with; None is the model's own.
        learning_rate: Learning rate instead of `config.training`'s, or None.
        needs_example_ids: Whether batches must carry the examples' ids.
        facts: What the results should hold beside the usual.
    """

    model: NetworkModel
    loss: keras.losses.Loss | None = None
    learning_rate: float | None = None
    needs_example_ids: bool = False
    facts: dict = dataclasses.field(default_factory=dict)


def cross_entropy(config, parts: Ingredients) -> Plan:
    """Cross-entropy on the given labels."""
    return _classifier_plan(config, parts, loss=None)


def mae(config, parts: Ingredients) -> Plan:
    """Mean absolute error of the probabilities."""
    return _classifier_plan(config, parts, losses.MeanAbsoluteError())


def gce(config, parts: Ingredients) -> Plan:
    """Generalised cross-entropy, with the settings in `config.gce`."""
    return _classifier_plan(
        config,
        parts,
        losses.GeneralizedCrossEntropy(
            q=config.gce.q, truncation=config.gce.truncation
        ),
    )


def sce(config, parts: Ingredients) -> Plan:
    """Symmetric cross-entropy, with the settings in `config.sce`."""
    return _classifier_plan(
        config,
        parts,
        losses.SymmetricCrossEntropy(
            alpha=config.sce.alpha, beta=config.sce.beta
        ),
    )


def forward_correction(config, parts: Ingredients) -> Plan:
    """Forward correction, with the settings in `config.forward_correction`.

    Without a transition matrix there, it is estimated by the classifier of
    `config.init_from`.
    """
    settings = config.forward_correction
    matrix = settings.transition_matrix
    if matrix is None:
        if parts.initial_probs is None:
            raise ValueError(
                "`config.init_from` must be the folder of a finished run of "
                "cross_entropy, from which the transition matrix is estimated,"
                " unless config.forward_correction.transition_matrix is given."
                " Received: config.init_from=None"
            )
        matrix = noise.estimate_transition_matrix(
            parts.initial_probs(),
            filter_percentile=97.0 if settings.percentile_filter else None,
        )
    plan = _classifier_plan(
        config, parts, losses.ForwardCorrectedCrossEntropy(matrix)
    )
    plan.facts["transition_matrix"] = np.asarray(matrix).tolist()
    return plan


def dmi(config, parts: Ingredients) -> Plan:
    """Determinant mutual information, with the settings in `config.dmi`."""
    if parts.initial_probs is None:
        raise ValueError(
            "`config.init_from` must be the folder of a finished run of "
            "cross_entropy: from random weights the determinant gives no "
            "direction. Received: config.init_from=None"
        )
    plan = _classifier_plan(
        config, parts, losses.DeterminantMutualInformation()
    )
    plan.learning_rate = config.dmi.learning_rate
    return plan


def noisy_gradients(config, parts: Ingredients) -> Plan:
    """Noise on the logits' gradient, as `config.noisy_gradients` says."""
    return Plan(
        NoisyGradientModel(
            parts.network("classifier"),
            noise=config.noisy_gradients.noise,
            noise_std=config.noisy_gradients.noise_std,
            augmentation=parts.augmentation,
            seed=config.seed,
        )
    )


def soft_regularization(config, parts: Ingredients) -> Plan:
    """Equation 11, with the settings in `config.soft_regularization`."""
    settings = config.soft_regularization
    if parts.initial_probs is not None:
        raise ValueError(
            "`config.init_from` must be left out for soft_regularization: its "
            "classifier has no bias in the last layer, that of cross_entropy "
            f"has one. Received: config.init_from={config.init_from}"
        )
    return Plan(
        SoftRegularizationModel(
            parts.network("classifier", head_bias=False),
            parts.network("gradient_predictor"),
            information_penalty=settings.information_penalty,
            gradient_penalty=settings.gradient_penalty,
            augmentation=parts.augmentation,
            seed=config.seed,
        )
    )


def limit(config, parts: Ingredients) -> Plan:
    """LIMIT, with the settings in `config.limit`.

    The predictor starts from `config.init_from` if there is one, the
    classifier never does.
    """
    return Plan(
        LimitModel(
            parts.network("classifier", from_scratch=True),
            parts.network("gradient_predictor"),
            q_dist=config.limit.q_dist,
            gradient_penalty=config.limit.gradient_penalty,
            sample_gradients=config.limit.sample_gradients,
            q_scale=config.limit.q_scale,
            warmup_steps=config.limit.warmup_steps,
            augmentation=parts.augmentation,
            seed=config.seed,
        )
    )


def elr(config, parts: Ingredients) -> Plan:
    """Early-learning regularisation, with the settings in `config.elr`."""
    return Plan(
        ElrModel(
            parts.network("classifier"),
            parts.num_examples,
            regularization=config.elr.regularization,
            target_momentum=config.elr.target_momentum,
            augmentation=parts.augmentation,
            seed=config.seed,
        ),
        needs_example_ids=True,
    )


def elr_plus(config, parts: Ingredients) -> Plan:
    """ELR+, with the settings in `config.elr` and `config.elr_plus`."""
    settings = config.elr_plus
    if parts.has_weights:
        raise ValueError(
            "`config.method` must not be elr_plus where training examples have "
            "sample weights: mixup has no meaning for them. Received: "
            f"config.data.labels_file={config.data.labels_file!r} with weights"
        )
    return Plan(
        ElrPlusModel(
            parts.network("classifier", float_pixels=True),
            parts.network("second_classifier", float_pixels=True),
            num_examples=parts.num_examples,
            regularization=config.elr.regularization,
            target_momentum=config.elr.target_momentum,
            mixup_alpha=settings.mixup_alpha,
            average_decay=settings.average_decay,
            average_ramp_steps=settings.average_ramp_steps,
            regularization_ramp_steps=settings.regularization_ramp_steps,
            refine_labels=settings.refine_labels,
            augmentation=parts.augmentation,
            seed=config.seed,
        ),
        needs_example_ids=True,
    )


def _classifier_plan(
    config: ml_collections.ConfigDict,
    parts: Ingredients,
    loss: keras.losses.Loss | None,
) -> Plan:
    model = ClassifierModel(
        parts.network("classifier"),
        augmentation=parts.augmentation,
        seed=config.seed,
    )
    return Plan(model, loss)


METHODS: dict[str, Callable[..., Plan]] = {
    "cross_entropy": cross_entropy,
    "noisy_gradients": noisy_gradients,
    "mae": mae,
    "gce": gce,
    "sce": sce,
    "forward_correction": forward_correction,
    "dmi": dmi,
    "soft_regularization": soft_regularization,
    "limit": limit,
    "elr": elr,
    "elr_plus": elr_plus,
}
# Those that start from a classifier trained by cross-entropy.
STARTING_METHODS = ("forward_correction", "dmi")
