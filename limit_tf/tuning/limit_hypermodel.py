"""LIMIT for a keras-tuner program of one's own."""

import inspect
from collections.abc import Callable
from collections.abc import Sequence

import keras
import keras_tuner

from limit_tf import distributions
from limit_tf.models import LimitModel
from limit_tf.models import copy_weights
from limit_tf.tuning import builders
from limit_tf.tuning.builders import Builder


class LimitHyperModel(keras_tuner.HyperModel):
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

    def __init__(
        self,
        build_classifier: Builder,
        num_classes: int,
        *,
        build_gradient_predictor: Builder | None = None,
        penalties: tuple[float, float] = (0.03, 100.0),
        q_dists: Sequence[str] = ("laplace", "gaussian", "cross_entropy"),
        q_scales: tuple[float, float] | None = (0.01, 0.3),
        warmup_steps: Sequence[int] = (0, 50, 200),
        learning_rates: tuple[float, float] = (1e-4, 1e-2),
        predictor_widths: Sequence[float] | None = None,
        start_from: keras.Model | None = None,
        optimizer: Callable[..., keras.optimizers.Optimizer] = (
            keras.optimizers.Adam
        ),
        augmentation=None,
        jit_compile: bool | str = "auto",
        seed: int | None = None,
        name: str | None = None,
        tunable: bool = True,
    ):
        super().__init__(name=name, tunable=tunable)
        builders.check_builder(build_classifier, "build_classifier")
        builders.check_num_classes(num_classes)
        if build_gradient_predictor is not None:
            builders.check_builder(
                build_gradient_predictor, "build_gradient_predictor"
            )
        _check_families(q_dists)
        _check_steps(warmup_steps)
        if predictor_widths is not None:
            _check_widths(build_gradient_predictor, start_from)
        self._build_classifier = build_classifier
        self._build_gradient_predictor = build_gradient_predictor
        self._num_classes = num_classes
        self._penalties = builders.check_range(penalties, "penalties")
        self._q_dists = list(q_dists)
        self._q_scales = q_scales and builders.check_range(q_scales, "q_scales")
        self._warmup_steps = list(warmup_steps)
        self._learning_rates = builders.check_range(
            learning_rates, "learning_rates"
        )
        self._predictor_widths = predictor_widths
        self._start_from = start_from
        self._optimizer = optimizer
        self._augmentation = augmentation
        self._jit_compile = jit_compile
        self._seed = seed

    def build(self, hp: keras_tuner.HyperParameters) -> LimitModel:
        """Builds and compiles the model of a trial.

        Args:
            hp: Its hyperparameters.

        Returns:
            A compiled model.
        """
        predictor = self._predictor(hp)
        model = LimitModel(
            builders.build_network(
                self._build_classifier, "build_classifier", self._num_classes
            ),
            predictor,
            gradient_penalty=self._penalty(hp),
            warmup_steps=hp.Choice("warmup_steps", self._warmup_steps),
            augmentation=self._augmentation,
            seed=self._seed,
            **self._distribution(hp),
        )
        if self._starts_from_network(hp):
            copy_weights(self._start_from, model.gradient_predictor)
        rate = hp.Float(
            "learning_rate",
            *self._learning_rates,
            sampling="log",
            default=builders.middle(self._learning_rates),
        )
        model.compile(
            optimizer=self._optimizer(learning_rate=rate),
            metrics=["accuracy"],
            jit_compile=self._jit_compile,
        )
        return model

    def _penalty(self, hp):
        has_penalty = hp.Boolean("has_penalty", default=True)
        with hp.conditional_scope("has_penalty", [True]):
            penalty = hp.Float(
                "gradient_penalty",
                *self._penalties,
                sampling="log",
                default=builders.middle(self._penalties),
            )
        return penalty if has_penalty else 0.0

    def _distribution(self, hp):
        q_dist = hp.Choice("q_dist", self._q_dists)
        sampled = [
            name for name in self._q_dists if distributions.get(name).can_sample
        ]
        if self._q_scales is None or not sampled:
            return {"q_dist": q_dist}
        with hp.conditional_scope("q_dist", sampled):
            sample_gradients = hp.Boolean("sample_gradients")
            with hp.conditional_scope("sample_gradients", [True]):
                q_scale = hp.Float(
                    "q_scale",
                    *self._q_scales,
                    sampling="log",
                    default=builders.middle(self._q_scales),
                )
        return {
            "q_dist": q_dist,
            "sample_gradients": bool(sample_gradients),
            "q_scale": q_scale if sample_gradients else None,
        }

    def _predictor(self, hp):
        if self._build_gradient_predictor is None:
            return None
        options = {}
        if self._predictor_widths is not None:
            options["width"] = hp.Choice(
                "predictor_width", list(self._predictor_widths)
            )
        return builders.build_network(
            self._build_gradient_predictor,
            "build_gradient_predictor",
            self._num_classes,
            **options,
        )

    def _starts_from_network(self, hp):
        return self._start_from is not None and hp.Boolean(
            "start_predictor", default=True
        )


def _check_families(q_dists):
    if not q_dists:
        raise ValueError("`q_dists` must name a family. Received: none")
    for name in q_dists:
        if name not in distributions.DISTRIBUTIONS:
            raise ValueError(
                "`q_dists` must be names of "
                f"{sorted(distributions.DISTRIBUTIONS)}. Received: {name!r}"
            )


def _check_steps(warmup_steps):
    if not warmup_steps or any(
        not isinstance(steps, int) or steps < 0 for steps in warmup_steps
    ):
        raise ValueError(
            "`warmup_steps` must be whole numbers >= 0. Received: "
            f"warmup_steps={warmup_steps}"
        )


def _check_widths(build_gradient_predictor, start_from):
    if build_gradient_predictor is None:
        raise ValueError(
            "`build_gradient_predictor` must be given with predictor_widths. "
            "Received: build_gradient_predictor=None"
        )
    try:
        inspect.signature(build_gradient_predictor).bind(2, width=1.0)
    except TypeError as error:
        raise TypeError(
            "`build_gradient_predictor` must take the number of classes and "
            f"width=... with predictor_widths. Received: {error}"
        ) from error
    if start_from is not None:
        raise ValueError(
            "`start_from` must be left out with predictor_widths: its weights "
            "fit one width. Received: both"
        )
