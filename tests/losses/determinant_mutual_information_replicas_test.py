"""The DMI loss under `tf.distribute`.

A process can hold one mirrored strategy only, and another test may already
have made it, so this file runs itself as a program of its own.
"""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest

from limit_tf.losses import DeterminantMutualInformation

PROGRAM = "DMI_REPLICAS_PROGRAM"  # Set in the environment of that program.


def train(strategy):
    """Returns the weights and losses of a few steps."""
    with strategy.scope():
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(
                    3, kernel_initializer=keras.initializers.GlorotUniform(0)
                ),
            ]
        )
        model.compile(
            keras.optimizers.SGD(0.05),
            loss=DeterminantMutualInformation(),
            jit_compile=False,
        )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4)).astype("float32")
    y = np.arange(30) % 3
    weights = rng.uniform(0.5, 1.5, 30).astype("float32")
    # Batches of 14, 14 and 2: the replicas' parts of the last lack classes,
    # and so does their sum.
    dataset = tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(14)
    history = model.fit(dataset, epochs=2, verbose=0)
    return {
        "weights": model.get_weights()[0].tolist(),
        "losses": history.history["loss"],
        "evaluated": model.evaluate(dataset, verbose=0),
        "num_replicas": strategy.num_replicas_in_sync,
    }


def main():
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    print(json.dumps([train(tf.distribute.get_strategy()), train(mirrored)]))


class ReplicasTest(absltest.TestCase):
    @pytest.mark.slow
    def test_two_replicas_train_as_one(self):
        answer = subprocess.run(
            [sys.executable, __file__],
            env={**os.environ, PROGRAM: "1"},
            stdout=subprocess.PIPE,
            check=True,
        )
        single, mirrored = json.loads(answer.stdout.splitlines()[-1])
        self.assertEqual(single["num_replicas"], 1)
        self.assertEqual(mirrored["num_replicas"], 2)
        for key in ("weights", "losses", "evaluated"):
            np.testing.assert_allclose(
                mirrored[key], single[key], rtol=1e-4, err_msg=key
            )


if __name__ == "__main__":
    main() if PROGRAM in os.environ else absltest.main()
