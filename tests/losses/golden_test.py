"""Losses and their gradients against the official implementation's."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import losses

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
KEYS = {
    "mae": "loss_mae",
    "gce": "loss_gce",
    "forward_correction": "loss_fw",
    "dmi": "loss_dmi",
}


def value_and_gradient(loss, labels, logits):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits)
    return value, tape.gradient(value, logits)


class GoldenTest(parameterized.TestCase):
    @parameterized.product(
        name=sorted(KEYS),
        file=("golden_0.npz", "golden_1.npz"),
        mode=("eager", "graph", "jit"),
    )
    def test_loss_and_gradient_equal_the_reference(self, name, file, mode):
        values = np.load(GOLDEN / file)
        arguments = {}
        if name == "forward_correction":
            arguments["transition_matrix"] = values["loss_transition"]
        loss = losses.get(name, **arguments)
        function = value_and_gradient
        if mode != "eager":
            function = tf.function(function, jit_compile=mode == "jit")

        value, gradient = function(
            loss, tf.constant(values["y"]), tf.constant(values["loss_logits"])
        )

        key = KEYS[name]
        np.testing.assert_allclose(value, values[key], rtol=1e-5)
        np.testing.assert_allclose(
            gradient, values[key + "_grad"], rtol=1e-4, atol=1e-6
        )


if __name__ == "__main__":
    absltest.main()
