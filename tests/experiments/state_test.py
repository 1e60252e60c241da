"""Checkpoints of runs bring back what layers compute with."""

import pathlib

import keras
import numpy as np
from absl.testing import absltest

import limit_tf
from limit_tf.experiments.state import Checkpoint
from limit_tf.experiments.state import RunState
from limit_tf.models import auto_penalty
from tests import testing


def scaled_model():
    scale, head = keras.layers.Normalization(), keras.layers.Dense(2)
    inputs = keras.Input((testing.NUM_FEATURES,))
    network = keras.Sequential([inputs, scale, head])
    return testing.compiled(limit_tf.ClassifierModel(network)), scale


def auto_model():
    model = testing.toy_limit_model(seed=1, gradient_penalty="auto")
    for accuracy in (0.5, 0.6, 0.6, 0.6, 0.6, 0.6):
        model.adapt_penalty(0.7, accuracy)
    return model


class CheckpointTest(absltest.TestCase):
    def test_adapted_layers_compute_with_restored_weights(self):
        x, _ = testing.toy_batch(seed=0)
        x = 1000.0 + 50.0 * x
        model, scale = scaled_model()
        scale.adapt(x)
        folder = pathlib.Path(self.create_tempdir().full_path)
        state = RunState(num_epochs=1, best_epoch=1)
        Checkpoint(folder, model).save(state, is_best=True, is_last=True)
        for restore in (
            lambda checkpoint: checkpoint.restore(),
            lambda checkpoint: checkpoint.restore_best(state),
        ):
            other, _ = scaled_model()
            restore(Checkpoint(folder, other))
            np.testing.assert_array_equal(other(x), model(x))

    def test_one_of_before_accuracies_were_remembered_can_be_restored(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        model = auto_model()
        checkpoint = Checkpoint(folder, model)
        checkpoint.save(RunState(num_epochs=6), is_best=False, is_last=True)
        path = folder / "checkpoint.npz"
        with np.load(path) as arrays:
            held = dict(arrays)
        variables = model.variables + model.optimizer.variables
        rest = {k: v for k, v in held.items() if not k.isdigit()}
        kept = [
            held[str(index)]
            for index, variable in enumerate(variables)
            if variable.name not in auto_penalty.MEMORY
        ]
        self.assertLen(kept, len(variables) - 2)
        np.savez(path, **rest, **{str(i): v for i, v in enumerate(kept)})

        other = testing.toy_limit_model(seed=7, gradient_penalty="auto")
        state = Checkpoint(folder, other).restore()
        self.assertEqual(state.num_epochs, 6)
        self.assertEqual(other.penalty_weight, model.penalty_weight)
        np.testing.assert_array_equal(
            testing.flat(other.classifier), testing.flat(model.classifier)
        )
        # The run's history brings back what the model is to remember.
        accuracies = [0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.3]
        other.adapt_penalty(0.7, accuracies)
        model.adapt_penalty(0.7, accuracies[-1])
        self.assertEqual(other.penalty_weight, model.penalty_weight)


if __name__ == "__main__":
    absltest.main()
