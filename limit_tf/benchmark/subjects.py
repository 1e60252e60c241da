"""What can be timed in a process: training steps, data, predictions."""

import functools
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf

from limit_tf import data
from limit_tf import models
from limit_tf import nets
from limit_tf.benchmark.cases import Case
from limit_tf.benchmark.cases import Mode
from limit_tf.experiments import build
from limit_tf.experiments.evaluation import Predictor

_SCALING = {"pixel_max": 255.0, "mean": 0.5, "std": 0.25}
_NEEDS_IDS = ("elr", "elr_plus")
_SMALL_NUM_EXAMPLES = 1000
_SMALL_NUM_EPOCHS = 10
_PREDICT_NUM_EXAMPLES = 2000


def toy_data(case: Case, num_examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws images, uint8, and labels of a case's shape."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (num_examples, *case.input_shape), np.uint8)
    return images, rng.integers(case.num_classes, size=num_examples)


def build_model(subject: str, case: Case, mode: Mode, steps: int):
    """Builds and compiles the model that a subject trains.

    Args:
        subject: `"limit"`, `"classifier"` and `"gradient_predictor"` (either
            network with the cross-entropy), `"elr"` or `"elr_plus"`.
        case: Network and batches.
        mode: Way to run the steps.
        steps: Steps of an epoch.

    Returns:
        A compiled model.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(mode.precision)
    try:
        network = functools.partial(
            nets.get(case.net),
            case.num_classes,
            case.input_shape,
            pixel_scaling=_SCALING,
        )
        predictor = functools.partial(
            network, variant="gradient_predictor", seed=1
        )
        num_examples = case.batch_size * steps
        model = {
            "limit": lambda: models.LimitModel(network(seed=0), predictor()),
            "classifier": lambda: models.ClassifierModel(network(seed=0)),
            "gradient_predictor": lambda: models.ClassifierModel(predictor()),
            "elr": lambda: models.ElrModel(network(seed=0), num_examples),
            "elr_plus": lambda: models.ElrPlusModel(
                network(seed=0), network(seed=1), num_examples=num_examples
            ),
        }[subject]()
    finally:
        keras.config.set_dtype_policy(before)
    model.compile(
        keras.optimizers.Adam(1e-3),
        metrics=["accuracy"],
        jit_compile=mode.xla,
        steps_per_execution=data.steps_per_execution(
            mode.steps_per_execution, steps
        ),
    )
    build.build_metrics(model)
    return model


class _Clock(keras.callbacks.Callback):
    """Notes when each epoch ends."""

    def __init__(self):
        super().__init__()
        self.times = []

    def on_epoch_end(self, epoch, logs=None):
        self.times.append(time.perf_counter())


class Training:
    """Rounds of training steps of one model, through `fit`.

    Args:
        subject: See `build_model`.
        case: Network and batches.
        mode: Way to run the steps.
        steps: Steps of a round.
    """

    def __init__(self, subject: str, case: Case, mode: Mode, steps: int):
        self._case, self._steps = case, steps
        self._needs_ids = subject in _NEEDS_IDS
        self._holds_images = mode.device_resident
        self._model = build_model(subject, case, mode, steps)
        self._images, labels = toy_data(case, case.batch_size * steps)
        self._hold(self._images)
        self._stream = self._dataset(self._images, labels)
        start = time.perf_counter()
        self._model.fit(
            self._stream, steps_per_epoch=steps, shuffle=False, verbose=0
        )
        self.first_seconds = time.perf_counter() - start

    def round(self) -> float:
        """Trains a round in the midst of a `fit`; returns its seconds."""
        return self.fit_seconds(self._stream, self._steps)

    def repeated_batch_round(self) -> float:
        """Trains as many steps on one batch that is there already."""
        batch = next(iter(self._stream))
        stream = tf.data.Dataset.from_tensors(batch).repeat(3 * self._steps)
        return self.fit_seconds(
            data.with_fixed_parallelism(stream), self._steps
        )

    def pipeline_round(self) -> float:
        """Goes through the data of a round without a model."""
        iterator = iter(self._stream)
        for _ in range(self._steps):
            next(iterator)
        start = time.perf_counter()
        for _ in range(self._steps):
            next(iterator)
        return time.perf_counter() - start

    def small_epoch(self) -> float:
        """Seconds of an epoch of 1,000 examples in the midst of a `fit`."""
        images, labels = toy_data(self._case, _SMALL_NUM_EXAMPLES)
        steps = data.num_batches(_SMALL_NUM_EXAMPLES, self._case.batch_size)
        stream = self._dataset(images, labels, _SMALL_NUM_EPOCHS + 1)
        before = self._model.steps_per_execution
        self._model.steps_per_execution = data.steps_per_execution(None, steps)
        self._model.train_function = None
        self._hold(images)
        try:
            self.fit_seconds(stream, steps, _SMALL_NUM_EPOCHS)
            return self.fit_seconds(stream, steps, _SMALL_NUM_EPOCHS)
        finally:
            self._model.steps_per_execution = before
            self._model.train_function = None
            self._hold(self._images)

    def flops_per_example(self) -> float:
        """Floating-point operations of a step's graph, an example."""
        batch = next(iter(self._stream))
        step = tf.function(lambda batch: self._model.train_step(batch))
        graph = step.get_concrete_function(batch).graph
        tf.get_logger().setLevel("ERROR")  # the profiler's API is old
        builder = tf.compat.v1.profiler.ProfileOptionBuilder
        profile = tf.compat.v1.profiler.profile(
            graph,
            options=builder(builder.float_operation())
            .with_empty_output()
            .build(),
        )
        return profile.total_float_ops / self._case.batch_size

    def fit_seconds(self, stream, steps, epochs=2):
        """Trains; returns the seconds of an epoch after the first.

        The stream goes on after the last epoch: where it ends, Keras makes a
        new iterator within that epoch's time.
        """
        clock = _Clock()
        self._model.fit(
            stream,
            steps_per_epoch=steps,
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=[clock],
        )
        first, *_, last = clock.times
        return (last - first) / (epochs - 1)

    def _dataset(self, images, labels, num_epochs=3):
        return data.training_dataset(
            images,
            labels,
            batch_size=self._case.batch_size,
            seed=0,
            epoch=0,
            num_epochs=num_epochs,
            with_example_ids=self._needs_ids,
            with_inputs=not self._holds_images,
        )

    def _hold(self, images):
        if self._holds_images:
            self._model.hold_inputs(images)


def time_inference(case: Case, mode: Mode, repeats: int) -> dict[str, list]:
    """Times predictions of a classifier, in memory and as a SavedModel.

    Args:
        case: Network.
        mode: Way to run; its precision and XLA count.
        repeats: Number of timed calls.

    Returns:
        Seconds of each call: `predict_2000` images, `saved_model_1` and
        `saved_model_256`.
    """
    classifier = build_model("classifier", case, mode, 1).classifier
    images, _ = toy_data(case, _PREDICT_NUM_EXAMPLES)
    predictor = Predictor(classifier, jit_compile=mode.xla)
    with tempfile.TemporaryDirectory() as folder:
        classifier.export(folder, verbose=False)
        served = tf.saved_model.load(folder)
        calls = {
            f"predict_{len(images)}": lambda: predictor.logits(images),
            "saved_model_1": lambda: served.serve(images[:1]).numpy(),
            "saved_model_256": lambda: served.serve(images[:256]).numpy(),
        }
        seconds = {}
        for name, call in calls.items():
            call()
            seconds[name] = []
            for _ in range(repeats):
                start = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - start)
    return seconds
