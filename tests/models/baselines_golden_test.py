"""Steps of ELR and of the soft regularisation against the references."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import models
from limit_tf import ops
from limit_tf.models.target_table import TargetTable
from tests import testing

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
FILES = ("golden_0.npz", "golden_1.npz")
NUM_VISITS = 3
# A step of SGD with learning rate 1 is a difference of float32 weights of size
# about one, hence the absolute tolerance of a few epsilons.
STEP = {"rtol": 1e-4, "atol": 5e-7}


class ElrGoldenTest(parameterized.TestCase):
    @parameterized.product(file=FILES, jit_compile=(False, True))
    def test_three_visits_of_the_target_table(self, file, jit_compile):
        values = np.load(GOLDEN / file)
        num_examples, num_classes = values["elr_target_0"].shape
        table = TargetTable(
            num_examples, num_classes, float(values["elr_beta"])
        )
        ids = tf.constant(values["elr_index"])
        labels = ops.label_distribution(values["y"], num_classes)

        @tf.function(jit_compile=jit_compile)
        def loss_and_gradient(logits):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                probs = ops.clipped_probs(logits)
                targets = table.moved(
                    ids, probs / tf.reduce_sum(probs, -1, keepdims=True)
                )
                table.write(ids, targets)
                loss = tf.reduce_mean(
                    ops.cross_entropy(labels, logits)
                    + float(values["elr_lambda"])
                    * ops.early_learning_regularizer(probs, targets)
                )
            return loss, tape.gradient(loss, logits)

        for visit in range(NUM_VISITS):
            loss, gradient = loss_and_gradient(
                tf.constant(values["elr_logits"][visit])
            )
            np.testing.assert_allclose(
                loss, values[f"elr_loss_{visit}"], rtol=1e-5, atol=1e-6
            )
            np.testing.assert_allclose(
                gradient, values[f"elr_grad_{visit}"], rtol=1e-5, atol=1e-6
            )
            np.testing.assert_allclose(
                table.targets, values[f"elr_target_{visit}"], atol=1e-6
            )

    @parameterized.product(file=FILES, jit_compile=(False, True))
    def test_three_steps_of_the_model(self, file, jit_compile):
        # One-hot inputs make the kernel of a linear network its logits, and
        # the kernel's gradient theirs.
        values = np.load(GOLDEN / file)
        num_examples = len(values["elr_target_0"])
        x = np.eye(len(values["y"]), dtype="float32")
        model = testing.compiled(
            models.ElrModel(
                testing.linear(values["elr_logits"][0]),
                num_examples,
                regularization=float(values["elr_lambda"]),
                target_momentum=float(values["elr_beta"]),
            ),
            keras.optimizers.SGD(1.0),
            jit_compile=jit_compile,
        )
        inputs = testing.with_ids(x, values["elr_index"])
        for visit in range(NUM_VISITS):
            logits = values["elr_logits"][visit]
            model.classifier.set_weights([logits])
            model.reset_metrics()

            logs = model.train_on_batch(inputs, values["y"], return_dict=True)

            np.testing.assert_allclose(
                logs["loss"] + logs["regularization"],
                values[f"elr_loss_{visit}"],
                rtol=1e-5,
                atol=1e-6,
            )
            np.testing.assert_allclose(
                logits - model.classifier.get_weights()[0],
                values[f"elr_grad_{visit}"],
                **STEP,
            )
            np.testing.assert_allclose(
                model.targets, values[f"elr_target_{visit}"], atol=1e-6
            )


class SoftRegularizationGoldenTest(parameterized.TestCase):
    @parameterized.product(file=FILES, jit_compile=(False, True))
    def test_one_step_equals_the_reference(self, file, jit_compile):
        values = np.load(GOLDEN / file)
        names = {
            "classifier": ("base_w0", "base_b0", "last_w0"),
            "gradient_predictor": tuple(
                f"auxiliary_{key}" for key in ("w0", "b0", "w1", "b1")
            ),
        }
        networks = {
            argument: perceptron([values[f"soft_{name}"] for name in keys])
            for argument, keys in names.items()
        }
        model = testing.compiled(
            models.SoftRegularizationModel(
                **networks, information_penalty=0.03, gradient_penalty=0.1
            ),
            keras.optimizers.SGD(1.0),
            jit_compile=jit_compile,
        )

        logs = model.train_on_batch(values["x"], values["y"], return_dict=True)

        for figure, key in (
            ("loss", "soft_classifier"),
            ("information_penalty", "soft_info_penalty"),
            ("gradient_penalty", "soft_pred_grad_l2"),
        ):
            np.testing.assert_allclose(
                logs[figure], values[key], rtol=1e-5, atol=1e-6, err_msg=figure
            )
        for argument, keys in names.items():
            for name, after in zip(
                keys, networks[argument].get_weights(), strict=True
            ):
                np.testing.assert_allclose(
                    values[f"soft_{name}"] - after,
                    values[f"soft_grad_{name}"],
                    **STEP,
                    err_msg=name,
                )


def perceptron(weights):
    """Builds the network of one hidden layer that has these weights."""
    model = keras.Sequential(
        [
            keras.Input((weights[0].shape[0],)),
            keras.layers.Dense(weights[0].shape[1], activation="relu"),
            keras.layers.Dense(weights[2].shape[1], use_bias=len(weights) == 4),
        ]
    )
    model.set_weights(weights)
    return model


if __name__ == "__main__":
    absltest.main()
