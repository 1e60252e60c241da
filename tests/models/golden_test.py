"""One step of LimitModel against values of the official implementation."""

import pathlib

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
LEARNING_RATE = 1.0


def network(values, name):
    """Builds the perceptron whose weights the golden file holds."""
    weights = [values[f"{name}_{key}"] for key in ("w0", "b0", "w1", "b1")]
    model = keras.Sequential(
        [
            keras.Input((weights[0].shape[0],)),
            keras.layers.Dense(weights[0].shape[1], activation="relu"),
            keras.layers.Dense(weights[2].shape[1]),
        ]
    )
    model.set_weights(weights)
    return model


class GoldenTest(parameterized.TestCase):
    @parameterized.product(
        file=("golden_0.npz", "golden_1.npz"),
        q_dist=("gaussian", "laplace", "cross_entropy"),
        beta=(0, 3),
        jit_compile=(False, True),
    )
    def test_one_step_equals_the_reference(
        self, file, q_dist, beta, jit_compile
    ):
        values = np.load(GOLDEN / file)
        key = f"limit_{q_dist}_beta{beta}_"
        classifier = network(values, "classifier")
        predictor = network(values, "auxiliary")
        model = limit_tf.LimitModel(
            classifier, predictor, q_dist=q_dist, gradient_penalty=beta
        )
        model.compile(
            keras.optimizers.SGD(LEARNING_RATE), jit_compile=jit_compile
        )
        x, y = values["x"], values["y"]

        logs = model.train_on_batch(x, y, return_dict=True)

        close = {"rtol": 1e-5, "atol": 1e-6}
        np.testing.assert_allclose(
            logs["matching_loss"], values[key + "info_penalty"], **close
        )
        np.testing.assert_allclose(
            logs["gradient_penalty"], values[key + "norm_penalty"], **close
        )
        np.testing.assert_allclose(
            logs["loss"], values[key + "classifier_ce"], **close
        )
        norms = np.linalg.norm(values["predicted_gradient"], axis=-1)
        np.testing.assert_allclose(
            logs["predicted_gradient_norm"], norms.mean(), **close
        )
        for trained, name, batch_size in (
            (classifier, "classifier", len(y)),
            (predictor, "auxiliary", 1),
        ):
            for weight, after in zip(
                ("w0", "b0", "w1", "b1"), trained.get_weights(), strict=True
            ):
                before = values[f"{name}_{weight}"]
                expected = values[f"{key}grad_{name}_{weight}"] / batch_size
                # The step is the difference of two float32 weights of size
                # about one, hence the absolute tolerance of a few epsilons.
                np.testing.assert_allclose(
                    (before - after) / LEARNING_RATE,
                    expected,
                    rtol=1e-4,
                    atol=5e-7,
                )

    @parameterized.parameters("golden_0.npz", "golden_1.npz")
    def test_logits_equal_the_reference(self, file):
        values = np.load(GOLDEN / file)
        model = limit_tf.LimitModel(
            network(values, "classifier"), network(values, "auxiliary")
        )
        for name, predicted in (
            ("logits", model.predict(values["x"], verbose=0)),
            ("auxiliary_logits", model.gradient_predictor(values["x"])),
        ):
            np.testing.assert_allclose(
                predicted, values[name], rtol=1e-4, atol=1e-6
            )


if __name__ == "__main__":
    absltest.main()
