"""Every method survives saving and loading, down to its next step."""

import os
import zipfile

import h5py
import keras
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

from tests import testing

# Arguments whose loss in saving would change the next step.
ARGUMENTS = {
    "classifier": {},
    "elr": {"regularization": 2.0, "target_momentum": 0.6},
    "elr_plus": {
        "regularization": 2.0,
        "target_momentum": 0.6,
        "mixup_alpha": 0.5,
        "average_decay": 0.8,
        "average_ramp_steps": 10,
        "regularization_ramp_steps": 5,
        "refine_labels": True,
    },
    "noisy_gradient": {"noise": "laplace", "noise_std": 0.2},
    "soft_regularization": {
        "information_penalty": 0.2,
        "gradient_penalty": 0.4,
    },
}
# The cross-entropy is part of these methods.
LOSS_IS_FIXED = ("elr", "elr_plus", "noisy_gradient", "soft_regularization")


def trained(method, dtype=None):
    """Returns a model after two steps, whose state is all in use."""
    x, y = testing.toy_batch(seed=0)
    model = testing.compiled(
        testing.toy_model(
            method,
            seed=1,
            network={"dropout": 0.25, "dtype": dtype},
            name="mine",
            **ARGUMENTS[method],
        ),
        keras.optimizers.Adam(0.02),
        metrics=["accuracy"],
    )
    for _ in range(2):
        model.train_on_batch(testing.training_inputs(method, x), y)
    return model


# A tenth of the learning rate: half precision rounds to 11 bits.
ATOL = 2e-3


class SavingTest(parameterized.TestCase):
    def assert_same_from_here(self, method, model, other):
        """Compares all weights, the predictions, then a further step."""
        x, y = testing.toy_batch(seed=5)
        np.testing.assert_array_equal(testing.flat(model), testing.flat(other))
        testing.assert_close(
            model.predict(x, verbose=0), other.predict(x, verbose=0), ATOL
        )
        before = testing.flat(model)
        logs = []
        for m in (model, other):
            m.reset_metrics()
            logs.append(
                m.train_on_batch(
                    testing.training_inputs(method, x), y, return_dict=True
                )
            )
        self.assertEqual(set(logs[0]), set(logs[1]))
        for name, value in logs[0].items():
            testing.assert_close(logs[1][name], value, ATOL)
        testing.assert_close(testing.flat(model), testing.flat(other), ATOL)
        self.assertFalse(np.array_equal(testing.flat(model), before))

    @parameterized.product(
        method=tuple(ARGUMENTS), dtype=(None, "mixed_float16")
    )
    def test_keras_file_round_trip(self, method, dtype):
        model = trained(method, dtype)
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        self.assertIs(type(loaded), type(model))
        self.assertEqual(loaded.name, "mine")
        for config in (ours := model.get_config(), loaded.get_config()):
            for network in model.NETWORKS:
                config.pop(network)
            self.assertEqual(config, ours)
        self.assert_same_from_here(method, model, loaded)

    @parameterized.parameters("elr", "elr_plus")
    @pytest.mark.slow
    def test_weights_file_round_trip(self, method):
        model = trained(method)
        path = os.path.join(self.create_tempdir(), "model.weights.h5")
        model.save_weights(path)
        other = trained(method)
        other.set_weights([0 * w for w in other.get_weights()])
        other.load_weights(path)
        self.assert_same_from_here(method, model, other)

    @parameterized.parameters(*ARGUMENTS)
    def test_file_holds_every_weight_once(self, method):
        model = trained(method)
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        sizes = []
        with (
            zipfile.ZipFile(path) as archive,
            archive.open("model.weights.h5") as stream,
            h5py.File(stream) as file,
        ):
            file.visititems(
                lambda name, item: (
                    sizes.append(item.size)
                    if isinstance(item, h5py.Dataset)
                    and "optimizer" not in name
                    and "metric" not in name
                    and "tracker" not in name
                    else None
                )
            )
        # Dropout's seeds are stored beside the weights: by the layer, and by
        # the model, two numbers a time.
        weights = sum(int(np.prod(w.shape)) for w in model.weights)
        self.assertBetween(sum(sizes), weights, weights + 32)

    def test_subclassed_network_is_saved_with_its_table(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.compiled(
            testing.METHODS["elr"](
                testing.Subclassed(8), 16, num_classes=4, seed=1
            ),
            keras.optimizers.Adam(0.02),
        )
        model.train_on_batch(testing.with_ids(x), y)
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        np.testing.assert_array_equal(model.targets, loaded.targets)
        self.assert_same_from_here("elr", model, loaded)


class CompileTest(parameterized.TestCase):
    @parameterized.parameters(*LOSS_IS_FIXED)
    def test_loss_of_a_method_that_has_its_own_is_refused(self, method):
        model = testing.toy_model(method, seed=1)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        with self.assertRaisesRegex(
            ValueError, f"`loss` must be left out: {type(model).__name__}"
        ) as caught:
            model.compile("sgd", loss=loss)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(*ARGUMENTS)
    def test_loading_restores_what_was_compiled(self, method):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_model(method, seed=1)
        loss = None
        if method == "classifier":
            loss = keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, ignore_class=1
            )
        model.compile(
            keras.optimizers.SGD(0.25, momentum=0.5),
            loss=loss,
            metrics=["accuracy"],
            weighted_metrics=[
                keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2")
            ],
            jit_compile=False,
            steps_per_execution=2,
        )
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        self.assertEqual(
            loaded.get_compile_config(), model.get_compile_config()
        )
        self.assertEqual(loaded.steps_per_execution, 2)
        logs = [
            m.evaluate(x, y, verbose=0, return_dict=True)
            for m in (model, loaded)
        ]
        self.assertEqual(logs[0], logs[1])
        self.assertContainsSubset({"loss", "accuracy", "top_2"}, logs[0])


if __name__ == "__main__":
    absltest.main()
