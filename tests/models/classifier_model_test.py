"""ClassifierModel trains as Keras does, and checks its labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import models
from tests import testing

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy


def one_hot(y):
    return np.eye(testing.NUM_CLASSES, dtype="float32")[y]


class TrainingTest(parameterized.TestCase):
    @parameterized.parameters(
        {},
        {"sample_weight": np.linspace(0.0, 2.0, 20)},
        {"class_weight": {0: 1.0, 1: 2.0, 2: 0.0, 3: 0.5}},
        {"jit_compile": True},
    )
    @pytest.mark.slow
    def test_it_trains_bit_for_bit_as_the_network_itself(
        self, jit_compile=False, **weights
    ):
        # Batches of 8 leave a smaller last one (which XLA would compile
        # again); dropout and the shuffling are drawn, with the same seeds.
        x, y = testing.toy_batch(seed=0, batch_size=20)
        results = []
        for wrapped in (True, False):
            network = testing.toy_network(seed=1, dropout=0.5)
            model = models.ClassifierModel(network) if wrapped else network
            testing.compiled(
                model,
                keras.optimizers.Adam(0.01),
                jit_compile=jit_compile,
                loss=CROSS_ENTROPY(from_logits=True),
                metrics=["accuracy"],
            )
            keras.utils.set_random_seed(3)
            logs = model.fit(
                x,
                y,
                batch_size=20 if jit_compile else 8,
                epochs=2,
                validation_data=(x, y),
                verbose=0,
                **weights,
            )
            results.append((testing.flat(network), logs.history))
        testing.assert_close(results[0][0], results[1][0])
        testing.assert_logs_close(results[0][1], results[1][1])

    @parameterized.parameters(
        (lambda: keras.losses.CategoricalCrossentropy(from_logits=True),),
        (
            lambda: keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=0.1
            ),
        ),
        (lambda: keras.losses.CategoricalFocalCrossentropy(from_logits=True),),
        (lambda: "mse",),
        (lambda: keras.losses.mean_squared_error,),
        (
            lambda: (
                lambda y_true, y_pred: tf.reduce_sum((y_pred - y_true) ** 4, -1)
            ),
        ),
    )
    def test_any_loss_of_logits_trains(self, make):
        x, y = testing.toy_batch(seed=0)
        weights = []
        for wrapped in (True, False):
            network = testing.toy_network(seed=1)
            model = models.ClassifierModel(network) if wrapped else network
            testing.compiled(model, loss=make())
            model.train_on_batch(x, one_hot(y))
            weights.append(testing.flat(network))
        testing.assert_close(*weights)

    def test_no_loss_is_the_cross_entropy_of_class_indices(self):
        x, y = testing.toy_batch(seed=0)
        weights = []
        for loss in (None, CROSS_ENTROPY(from_logits=True)):
            model = testing.toy_model("classifier", seed=1)
            testing.compiled(model, loss=loss).train_on_batch(x, y)
            weights.append(testing.flat(model))
        testing.assert_close(*weights)

    def test_subclassed_network_is_built_by_its_data(self):
        x, y = testing.toy_batch(seed=0)
        for data in ((x, y), (batches(x, y),)):
            model = testing.compiled(
                models.ClassifierModel(testing.Subclassed(8))
            )
            model.fit(*data, verbose=0)
            self.assertEqual(model.num_classes, testing.NUM_CLASSES)

    def test_prediction_gives_the_logits(self):
        x, _ = testing.toy_batch(seed=0)
        model = testing.toy_model("classifier", seed=1)
        testing.assert_close(
            model.predict(x, verbose=0), model.classifier.predict(x, verbose=0)
        )


def batches(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        "sparse_categorical_crossentropy",
        "kl_divergence",
        keras.losses.KLDivergence,
        keras.losses.CategoricalGeneralizedCrossEntropy,
        keras.losses.BinaryCrossentropy,
    )
    def test_loss_of_probabilities(self, loss):
        loss = loss() if isinstance(loss, type) else loss
        model = testing.toy_model("classifier", seed=1)
        with self.assertRaisesRegex(ValueError, "`loss`.*logits") as caught:
            model.compile("sgd", loss=loss)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.product(
        wrong=(testing.NUM_CLASSES, -1), jit_compile=(False, True)
    )
    def test_labels_out_of_range(self, wrong, jit_compile):
        x, good = testing.toy_batch(seed=0)
        y = np.concatenate([good[:-1], [wrong]])
        model = testing.compiled(
            testing.toy_model("classifier", seed=1), jit_compile=jit_compile
        )
        for run in (model.fit, model.evaluate, model.train_on_batch):
            with self.assertRaisesRegex(ValueError, r"`y`.*\[0, 4\)"):
                run(x, y)
        with self.assertRaisesRegex(ValueError, r"`val_y`.*\[0, 4\)"):
            model.fit(x, good, validation_data=(x, y), verbose=0)
        for run in (model.fit, model.evaluate):
            with self.assertRaisesRegex(ValueError, r"`y`.*\[0, 4\)"):
                run(batches(x, y), verbose=0)
        with self.assertRaisesRegex(ValueError, r"`y`.*\[0, 4\)"):
            model.fit((batch for batch in [(x, y)]), verbose=0)

    def test_missing_labels(self):
        x, _ = testing.toy_batch(seed=0)
        model = testing.compiled(testing.toy_model("classifier", seed=1))
        with self.assertRaisesRegex(ValueError, "`y`.*labels"):
            model.fit(x, verbose=0)

    def test_network_that_ends_in_probabilities(self):
        network = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(2, activation="softmax")]
        )
        with self.assertRaisesRegex(ValueError, "`classifier`.*softmax"):
            models.ClassifierModel(network)


if __name__ == "__main__":
    absltest.main()
