"""Two networks may share what nothing trains, and nothing else."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from keras import layers

import limit_tf
from tests import testing


def backbone(trainable=False):
    """Returns a small backbone whose statistics have moved."""
    inputs = keras.Input((testing.NUM_FEATURES,))
    hidden = layers.BatchNormalization()(layers.Dense(5)(inputs))
    base = keras.Model(inputs, hidden, name="backbone")
    base(testing.toy_batch(seed=3)[0], training=True)
    base.trainable = trainable
    return base


def functional(base):
    inputs = keras.Input((testing.NUM_FEATURES,))
    logits = layers.Dense(testing.NUM_CLASSES)(base(inputs))
    return keras.Model(inputs, logits)


def sequential(base):
    head = layers.Dense(testing.NUM_CLASSES)
    return keras.Sequential([keras.Input((testing.NUM_FEATURES,)), base, head])


def nested(base):
    inputs = keras.Input((testing.NUM_FEATURES,))
    inner = keras.Model(inputs, layers.Dense(3)(base(inputs)))
    return functional(inner)


def trained(model):
    x, y = testing.toy_batch(seed=0)
    testing.compiled(model, run_eagerly=True).train_on_batch(x, y)
    return model


class SharedLayersTest(parameterized.TestCase):
    @parameterized.parameters(
        (functional, "keras"),
        (sequential, "keras"),
        (nested, "keras"),
        (functional, "h5"),
    )
    def test_saved_model_answers_as_before(self, build, suffix):
        base = backbone()
        before = testing.flat(base)
        model = trained(limit_tf.LimitModel(build(base), build(base)))
        np.testing.assert_array_equal(testing.flat(base), before)
        path = os.path.join(self.create_tempdir(), f"model.{suffix}")
        model.save(path)
        loaded = keras.models.load_model(path)
        x, y = testing.toy_batch(seed=1)
        for name in ("classifier", "gradient_predictor"):
            np.testing.assert_allclose(
                getattr(loaded, name)(x), getattr(model, name)(x), rtol=1e-6
            )
        self.assertLen(loaded.weights, len(model.weights))
        self.assertLen(loaded.trainable_weights, len(model.trainable_weights))
        for one in (model, loaded):
            testing.compiled(one, run_eagerly=True).train_on_batch(x, y)
        testing.assert_close(testing.flat(loaded), testing.flat(model))

    def test_weights_file_fits_a_model_that_shares_alike(self):
        base, other_base = backbone(), backbone()
        model = trained(limit_tf.LimitModel(functional(base), functional(base)))
        path = os.path.join(self.create_tempdir(), "model.weights.h5")
        model.save_weights(path)
        other = limit_tf.LimitModel(
            functional(other_base), functional(other_base)
        )
        other.load_weights(path)
        np.testing.assert_array_equal(testing.flat(other), testing.flat(model))

    def test_elr_plus_shares_too(self):
        base = backbone()
        model = limit_tf.ElrPlusModel(
            functional(base), functional(base), num_examples=16
        )
        x, _ = testing.toy_batch(seed=0)
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        np.testing.assert_allclose(loaded(x), model(x), rtol=1e-6)

    def test_vocabulary_is_shared_and_saved(self):
        texts = tf.constant(["a b", "b c c", "d", "a"] * 4)
        vectorize = layers.TextVectorization(output_mode="count")
        vectorize.adapt(texts)

        def network():
            head = layers.Dense(testing.NUM_CLASSES)
            inputs = keras.Input((), dtype="string")
            return keras.Sequential([inputs, vectorize, head])

        model = limit_tf.LimitModel(network(), network())
        path = os.path.join(self.create_tempdir(), "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        for name in ("classifier", "gradient_predictor"):
            np.testing.assert_allclose(
                getattr(loaded, name)(texts),
                getattr(model, name)(texts),
                rtol=1e-6,
            )

    def test_layer_that_trains_is_refused_by_name(self):
        base = backbone(trainable=True)
        with self.assertRaisesRegex(
            ValueError, "no weight in common.*freeze.*layer 'dense"
        ):
            limit_tf.LimitModel(functional(base), functional(base))

    def test_statistics_that_move_are_refused(self):
        norm = layers.BatchNormalization(scale=False, center=False, name="bn")
        with self.assertRaisesRegex(ValueError, "moving_mean.*layer 'bn'"):
            limit_tf.LimitModel(sequential(norm), sequential(norm))

    def test_thawed_layer_is_found_at_compile_and_fit(self):
        base = backbone()
        model = trained(limit_tf.LimitModel(functional(base), functional(base)))
        base.trainable = True
        x, y = testing.toy_batch(seed=0)
        for call in (
            lambda: model.compile("adam"),
            lambda: model.fit(x, y, verbose=0),
            lambda: model.train_on_batch(x, y),
        ):
            with self.assertRaisesRegex(ValueError, "no weight in common"):
                call()

    def test_thawed_layer_of_ones_own_is_trained(self):
        base = backbone()
        model = limit_tf.ElrPlusModel(functional(base), num_examples=16)
        base.trainable = True
        x, y = testing.toy_batch(seed=0)
        before = testing.flat(base)
        average = testing.flat(model.averages[0].layers[1])
        testing.compiled(model, run_eagerly=True)
        for _ in range(2):
            model.train_on_batch(testing.with_ids(x), y)
        self.assertFalse(np.allclose(testing.flat(base), before))
        self.assertFalse(
            np.allclose(testing.flat(model.averages[0].layers[1]), average)
        )

    def test_hidden_structure_cannot_share(self):
        base = backbone()
        hidden = Around(base)
        hidden(testing.toy_batch(seed=0)[0])
        with self.assertRaisesRegex(
            ValueError, "`gradient_predictor` must be a functional"
        ):
            limit_tf.LimitModel(functional(base), hidden)


class Around(keras.Model):
    """Network whose structure Keras cannot see, around given layers."""

    def __init__(self, base):
        super().__init__()
        self.base, self.head = base, layers.Dense(testing.NUM_CLASSES)

    def call(self, inputs):
        return self.head(self.base(inputs))


if __name__ == "__main__":
    absltest.main()
