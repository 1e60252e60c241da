"""LIMIT for a keras-tuner program of one's own."""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence

import keras

from limit_tf import distributions
from limit_tf.models import LimitModel
from limit_tf.models import copy_weights
from limit_tf.tuning import builders
from limit_tf.tuning import limit_arguments
from limit_tf.tuning.builders import Builder
from limit_tf.tuning.classifier_hypermodel import ClassifierHyperModel


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class LimitHyperModel(ClassifierHyperModel):
    """Builds `LimitModel`s for any tuner of keras-tuner.

    The search space is that of the LIMIT paper: no penalty or one between two
    bounds (`has_penalty`, `gradient_penalty`), the family of the gradient
    (`q_dist`), whether gradients are drawn from it and how far they spread
    (`sample_gradients`, `q_scale`; the cross-entropy family cannot be sampled),
    `warmup_steps` and `learning_rate`. `predictor_width` and
    `start_predictor` are searched where an argument below asks for them.

    The models are compiled with the accuracy as their metric. The objective
    `"val_accuracy"` is then that on the validation labels, noisy as they are:
    nothing here asks for clean ones.

    Args:
        build_classifier: Function that builds a network ending in logits,
            `build_classifier(num_classes)`.
        num_classes: Number of classes.
        build_gradient_predictor: The same for the gradient predictor. None
            takes the classifier's architecture.
        penalties: Least and largest penalty, if there is one.
        q_dists: Names of the families to try.
        q_scales: Least and largest standard deviation of a drawn gradient;
            None never draws.
        warmup_steps: Numbers of steps to try.
        learning_rates: Least and largest learning rate.
        predictor_widths: Widths of the predictor to try. The predictor's
            builder is called as `build_gradient_predictor(num_classes,
            width=...)`; what a width means is up to it.
        start_from: Built network that was trained on the same labels by
            cross-entropy. It is then tried whether the predictor should start
            from its weights.
        optimizer: Class or function that is called with `learning_rate=`.
        augmentation: See `LimitModel`.
        jit_compile: Whether to compile the steps by XLA.
        seed: See `LimitModel`.
        name: Name of the hypermodel.
        tunable: Whether keras-tuner searches; otherwise it takes defaults.

    Raises:
        TypeError: If a builder is no function, or does not take a width.
        ValueError: If a value is outside its range.

    References:
        - [Harutyunyan et al., 2020](https://arxiv.org/abs/2002.07933)

    Example:
    ```python
    import keras
    import keras_tuner
    import numpy as np
    import tempfile

    from limit_tf.tuning import LimitHyperModel

    def build_classifier(num_classes):
        return keras.Sequential(
            [
                keras.Input((8,)),
                keras.layers.Dense(16, activation="relu"),
                keras.layers.Dense(num_classes),
            ]
        )

    x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    tuner = keras_tuner.RandomSearch(
        LimitHyperModel(build_classifier, num_classes=2),
        objective="val_accuracy",
        max_trials=2,
        directory=tempfile.mkdtemp(),
    )
    tuner.search(x, y, validation_split=0.25, epochs=2, verbose=0)
    best = tuner.get_best_hyperparameters()[0].values
    ```
    """

    build_gradient_predictor: Builder | None = None
    penalties: tuple[float, float] = (0.03, 100.0)
    q_dists: Sequence[str] = ("laplace", "gaussian", "cross_entropy")
    q_scales: tuple[float, float] | None = (0.01, 0.3)
    warmup_steps: Sequence[int] = (0, 50, 200)
    predictor_widths: Sequence[float] | None = None
    start_from: keras.Model | None = None
    augmentation: Callable | None = None
    seed: int | None = None

    def __post_init__(self):
        """Checks the arguments."""
        super().__post_init__()
        if self.build_gradient_predictor is not None:
            builders.check_builder(
                self.build_gradient_predictor, "build_gradient_predictor"
            )
        limit_arguments.check_families(self.q_dists)
        limit_arguments.check_steps(self.warmup_steps)
        if self.predictor_widths is not None:
            limit_arguments.check_widths(
                self.build_gradient_predictor, self.start_from
            )
        self.penalties = builders.check_range(self.penalties, "penalties")
        self.q_scales = self.q_scales and builders.check_range(
            self.q_scales, "q_scales"
        )

    def _model(self, hp):
        predictor = self._predictor(hp)
        model = LimitModel(
            self._classifier(),
            predictor,
            gradient_penalty=self._penalty(hp),
            warmup_steps=hp.Choice("warmup_steps", list(self.warmup_steps)),
            augmentation=self.augmentation,
            seed=self.seed,
            **self._distribution(hp),
        )
        if self._starts_from_network(hp):
            copy_weights(self.start_from, model.gradient_predictor)
        return model

    def _penalty(self, hp):
        has_penalty = hp.Boolean("has_penalty", default=True)
        with hp.conditional_scope("has_penalty", [True]):
            penalty = builders.log_float(hp, "gradient_penalty", self.penalties)
        return penalty if has_penalty else 0.0

    def _distribution(self, hp):
        q_dist = hp.Choice("q_dist", list(self.q_dists))
        sampled = [
            name for name in self.q_dists if distributions.get(name).can_sample
        ]
        if self.q_scales is None or not sampled:
            return {"q_dist": q_dist}
        with hp.conditional_scope("q_dist", sampled):
            sample_gradients = hp.Boolean("sample_gradients")
            with hp.conditional_scope("sample_gradients", [True]):
                q_scale = builders.log_float(hp, "q_scale", self.q_scales)
        return {
            "q_dist": q_dist,
            "sample_gradients": bool(sample_gradients),
            "q_scale": q_scale if sample_gradients else None,
        }

    def _predictor(self, hp):
        if self.build_gradient_predictor is None:
            return None
        options = {}
        if self.predictor_widths is not None:
            options["width"] = hp.Choice(
                "predictor_width", list(self.predictor_widths)
            )
        return builders.build_network(
            self.build_gradient_predictor,
            "build_gradient_predictor",
            self.num_classes,
            **options,
        )

    def _starts_from_network(self, hp):
        return self.start_from is not None and hp.Boolean(
            "start_predictor", default=True
        )
