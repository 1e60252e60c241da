"""Whatever a training goes by is saved with the weights."""

import pathlib
import tempfile

import h5py
import keras
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.models import auto_penalty
from tests import testing

# What a run keeps beside its weights: generators, averages, counters, targets.
RUNS = {
    "elr_plus": {"average_ramp_steps": 10, "regularization_ramp_steps": 5},
    "limit, all": {
        "gradient_penalty": "auto",
        "sample_gradients": True,
        "q_scale": 0.3,
        "warmup_steps": 5,
    },
}
MORE_RUNS = {
    "classifier": {},
    "elr": {},
    "limit": {},
    "noisy_gradient": {},
    "soft_regularization": {},
}


class Interrupted(Exception):
    """Ends a training where a test wants it to."""


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self._epoch:
            raise Interrupted


def unseeded(method, run_eagerly=True, **kwargs):
    """Returns a model that draws its own seed, as one without a seed does."""
    model = testing.toy_model(
        method, seed=1, network={"dropout": 0.25}, **kwargs
    )
    model.seed = np.random.default_rng().integers(2**31)
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.9)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9, use_ema=True),
        metrics=["accuracy"],
        run_eagerly=run_eagerly,
    )
    return model


def fit(method, model, *callbacks, epochs=3):
    x, y = testing.toy_batch(seed=0)
    model.fit(
        testing.training_inputs(method, x),
        y,
        batch_size=8,
        epochs=epochs,
        verbose=0,
        shuffle=False,
        validation_data=(x, y),
        callbacks=list(callbacks),
    )
    return model


class ResumeTest(parameterized.TestCase):
    @parameterized.parameters(*RUNS)
    def test_an_interrupted_run_ends_as_a_whole_one(self, run):
        self._check(run, RUNS[run], run_eagerly=True)

    @parameterized.product(run=[*RUNS, *MORE_RUNS], run_eagerly=(False, True))
    @pytest.mark.slow
    def test_so_does_that_of_every_model(self, run, run_eagerly):
        self._check(run, {**RUNS, **MORE_RUNS}[run], run_eagerly)

    def _check(self, run, arguments, run_eagerly):
        method = run.split(",")[0]
        whole = unseeded(method, run_eagerly, **arguments)
        folder = tempfile.mkdtemp()
        backup = lambda: keras.callbacks.BackupAndRestore(folder)  # noqa: E731
        first = unseeded(method, run_eagerly, **arguments)
        first.seed = whole.seed
        with self.assertRaises(Interrupted):
            fit(method, first, backup(), Interrupt(1))
        resumed = unseeded(method, run_eagerly, **arguments)
        fit(method, resumed, backup())
        fit(method, whole)
        self.assertEqual(resumed.seed, whole.seed)
        for ours, theirs in (
            (resumed.variables, whole.variables),
            (resumed.optimizer.variables, whole.optimizer.variables),
        ):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(a.numpy(), b.numpy(), a.path)


def auto_model():
    return testing.toy_limit_model(
        seed=0,
        optimizer=keras.optimizers.SGD(0.1),
        gradient_penalty="auto",
        run_eagerly=True,
    )


class AutoPenaltyStateTest(parameterized.TestCase):
    def test_savers_save_the_penalty_of_the_next_epoch(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        saver = keras.callbacks.ModelCheckpoint(folder / "{epoch}.keras")
        by_step = keras.callbacks.ModelCheckpoint(
            folder / "step.weights.h5", save_freq=3, save_weights_only=True
        )
        penalties = []
        model = auto_model()
        last = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_: penalties.append(model.penalty_weight)
        )
        fit("limit", model, saver, by_step, last, epochs=2)
        self.assertNotEqual(penalties[0], penalties[1])
        for epoch in (1, 2):
            saved = keras.models.load_model(folder / f"{epoch}.keras")
            self.assertEqual(saved.penalty_weight, penalties[epoch - 1])
        # The third of four steps used the penalty set after the second.
        saved = auto_model()
        saved.load_weights(folder / "step.weights.h5")
        self.assertEqual(saved.penalty_weight, penalties[0])

    def test_a_second_fit_goes_on(self):
        once, twice = auto_model(), auto_model()
        fit("limit", once, epochs=2)
        fit("limit", twice, epochs=1)
        fit("limit", twice, epochs=1)
        self.assertEqual(once.penalty_weight, twice.penalty_weight)

    def test_a_list_of_callbacks_adapts_once_however_often_it_is_used(self):
        model = auto_model()
        callbacks = keras.callbacks.CallbackList(
            [], add_history=True, model=model
        )
        x, y = testing.toy_batch(seed=0)
        for _ in range(2):
            model.fit(
                x, y, validation_data=(x, y), verbose=0, callbacks=callbacks
            )
        kinds = [type(callback) for callback in callbacks.callbacks]
        self.assertEqual(kinds.count(auto_penalty.AutoPenalty), 1)

    def test_epochs_one_by_one_are_remembered_as_the_whole_list(self):
        rng = np.random.default_rng(0)
        accuracies = rng.uniform(size=12)
        one_by_one, at_once = auto_model(), auto_model()
        for end in range(1, len(accuracies) + 1):
            one_by_one.adapt_penalty(0.7, accuracies[end - 1])
            at_once.adapt_penalty(0.7, accuracies[:end].tolist())
            best = auto_penalty.best_accuracy(accuracies[:end])
            strength = float(at_once._strength.numpy())
            self.assertAlmostEqual(
                at_once.penalty_weight, strength * (1.0 - best), places=4
            )
            self.assertEqual(one_by_one.penalty_weight, at_once.penalty_weight)

    def test_a_file_of_an_earlier_version_goes_on_from_its_best_accuracy(self):
        model = auto_model()
        for accuracy in (0.5, 0.6, 0.6, 0.6, 0.6, 0.6):
            model.adapt_penalty(0.7, accuracy)
        path = pathlib.Path(tempfile.mkdtemp()) / "old.weights.h5"
        model.save_weights(path)
        with h5py.File(path, "r+") as file:
            for key in ("3", "4", "seed"):
                del file["vars"][key]
        old = testing.toy_limit_model(seed=5, gradient_penalty="auto")
        old.load_weights(path)
        self.assertEqual(old.seed, 5)
        self.assertEqual(old.penalty_weight, model.penalty_weight)
        # A worse epoch: the best mean, 0.6, is still the one that counts.
        for one in (old, model):
            one.adapt_penalty(0.7, 0.3)
        self.assertAlmostEqual(
            old.penalty_weight, model.penalty_weight, places=4
        )


if __name__ == "__main__":
    absltest.main()
