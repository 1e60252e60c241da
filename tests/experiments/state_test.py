"""Checkpoints of runs bring back what layers compute with."""

import pathlib

import keras
import numpy as np
from absl.testing import absltest

import limit_tf
from limit_tf.experiments.state import Checkpoint
from limit_tf.experiments.state import RunState
from tests import testing


def scaled_model():
    scale, head = keras.layers.Normalization(), keras.layers.Dense(2)
    inputs = keras.Input((testing.NUM_FEATURES,))
    network = keras.Sequential([inputs, scale, head])
    return testing.compiled(limit_tf.ClassifierModel(network)), scale


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


if __name__ == "__main__":
    absltest.main()
