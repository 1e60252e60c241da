"""Copies of networks keep what nothing trains and draw the rest anew."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from keras import layers

import limit_tf
from limit_tf import models
from limit_tf.models.network_copy import network_copy

RNG = np.random.default_rng(0)
X = RNG.normal(1000.0, 50.0, (32, 6)).astype("float32")
WORDS = np.array([["a", "b"], ["b", "c"], ["c", "d"], ["c", "e"]])


def normalization():
    layer = layers.Normalization()
    layer.adapt(X)
    return layer, keras.Input((6,)), X


def discretization():
    layer = layers.Discretization(num_bins=4, output_mode="one_hot")
    layer.adapt(X[:, :1])
    return layer, keras.Input((1,)), X[:, :1]


def string_lookup(output_mode):
    layer = layers.StringLookup(output_mode=output_mode)
    layer.adapt(WORDS)
    return layer, keras.Input((2,), dtype="string"), tf.constant(WORDS)


def integer_lookup():
    numbers = np.array([[3, 7], [9, 3]])
    layer = layers.IntegerLookup(output_mode="multi_hot")
    layer.adapt(numbers)
    return layer, keras.Input((2,), dtype="int64"), numbers


def text_vectorization(output_mode):
    texts = tf.constant(["a b", "b c c", "d"])
    layer = layers.TextVectorization(output_mode=output_mode)
    layer.adapt(texts)
    return layer, keras.Input((), dtype="string"), texts


def embedding():
    matrix = RNG.normal(size=(10, 3))
    layer = layers.Embedding(10, 3, weights=[matrix], trainable=False)
    return layer, keras.Input((2,), dtype="int64"), np.array([[1, 2], [3, 9]])


def low_rank():
    layer = layers.Dense(4)
    layer.build((None, 6))
    layer.enable_lora(2)
    return layer, keras.Input((6,)), X


def own_state():
    layer = Offset()
    layer.offset = np.arange(6.0)
    return layer, keras.Input((6,)), X


def frozen_backbone():
    inputs = keras.Input((6,))
    hidden = layers.BatchNormalization()(layers.Dense(5)(inputs))
    inner = keras.Model(inputs, hidden)
    backbone = keras.Sequential([keras.Input((6,)), inner, layers.Dense(4)])
    backbone(X, training=True)  # moves the statistics
    backbone.trainable = False
    return backbone, keras.Input((6,)), X


@keras.saving.register_keras_serializable(package="limit_tf_tests")
class Offset(layers.Layer):
    """Layer that is adapted and saved in a way of its own."""

    offset = None

    def call(self, inputs):
        return inputs - (0.0 if self.offset is None else self.offset)

    def save_own_variables(self, store):
        store["offset"] = self.offset

    def load_own_variables(self, store):
        self.offset = np.asarray(store["offset"])


KINDS = {
    "normalization": normalization,
    "discretization": discretization,
    "string_lookup_int": lambda: string_lookup("int"),
    "string_lookup_tf_idf": lambda: string_lookup("tf_idf"),
    "integer_lookup": integer_lookup,
    "text_vectorization": lambda: text_vectorization("multi_hot"),
    "text_vectorization_tf_idf": lambda: text_vectorization("tf_idf"),
    "frozen_embedding": embedding,
    "low_rank": low_rank,
    "own_state": own_state,
    "frozen_backbone": frozen_backbone,
}


def network_of(kind):
    """Returns a network, what its first layer gives, and inputs."""
    layer, inputs, x = KINDS[kind]()
    hidden = layer(inputs)
    if kind == "string_lookup_int":
        hidden = layers.Flatten()(layers.Embedding(9, 3)(hidden))
    elif kind == "frozen_embedding":
        hidden = layers.Flatten()(hidden)
    return keras.Model(inputs, layers.Dense(2)(hidden)), x


def first_answers(network, x):
    return np.asarray(network.layers[1](x))


class NetworkCopyTest(parameterized.TestCase):
    @parameterized.parameters(*KINDS)
    def test_what_nothing_trains_is_kept_by_every_copy(self, kind):
        network, x = network_of(kind)
        expected = first_answers(network, x)
        self.assertGreater(np.ptp(expected), 0.0)
        limit = limit_tf.LimitModel(network)
        elr_plus = limit_tf.ElrPlusModel(network, num_examples=8)
        for copy in (
            limit.gradient_predictor,
            elr_plus.second_classifier,
            *elr_plus.averages,
        ):
            np.testing.assert_allclose(
                first_answers(copy, x), expected, rtol=1e-6, err_msg=copy.name
            )
        for copy in (limit.gradient_predictor, elr_plus.second_classifier):
            self.assertFalse(
                np.allclose(network.layers[-1].kernel, copy.layers[-1].kernel)
            )
        for one, average in zip(
            (network, elr_plus.second_classifier),
            elr_plus.averages,
            strict=True,
        ):
            np.testing.assert_array_equal(one(x), average(x))

    @parameterized.parameters(*KINDS)
    def test_soft_regularization_and_weight_copies_keep_it_too(self, kind):
        network, x = network_of(kind)
        target, _ = network_of(kind)
        if network.weights:
            models.copy_weights(network, target)
            np.testing.assert_array_equal(network(x), target(x))
        logits = layers.Dense(2, use_bias=False)(network.layers[-2].output)
        network = keras.Model(network.input, logits)
        model = limit_tf.SoftRegularizationModel(network)
        np.testing.assert_allclose(
            first_answers(model.gradient_predictor, x),
            first_answers(network, x),
            rtol=1e-6,
        )

    def test_weight_copy_computes_with_what_it_copied(self):
        (source, x), target = network_of("normalization"), None
        target = keras.Sequential(
            [keras.Input((6,)), layers.Normalization(), layers.Dense(2)]
        )
        self.assertFalse(np.allclose(source(x), target(x), atol=1.0))
        models.copy_weights(source, target)
        np.testing.assert_array_equal(source(x), target(x))

    def test_weight_copy_brings_the_vocabulary(self):
        source, x = network_of("string_lookup_int")
        target, _ = network_of("string_lookup_int")
        target.layers[1].set_vocabulary(["e", "d", "c", "b", "a"])
        models.copy_weights(source, target)
        np.testing.assert_array_equal(source(x), target(x))

    def test_weight_copy_refuses_other_preprocessing(self):
        source, _ = network_of("text_vectorization")
        inputs = keras.Input((len(source.layers[1].get_vocabulary()),))
        target = keras.Model(inputs, layers.Dense(2)(inputs))
        with self.assertRaisesRegex(ValueError, "TextVectorization.*for"):
            models.copy_weights(source, target)

    def test_statistics_of_layers_that_train_are_fresh(self):
        network = keras.Sequential(
            [keras.Input((6,)), layers.BatchNormalization(), layers.Dense(2)]
        )
        network(X, training=True)
        for origin, is_kept in (("fresh", False), ("copy", True)):
            model = limit_tf.LimitModel(network, predictor_from=origin)
            mean = model.gradient_predictor.layers[0].moving_mean
            expected = network.layers[0].moving_mean if is_kept else 0.0 * mean
            np.testing.assert_array_equal(mean, expected)

    def test_copy_may_start_from_the_trainable_weights(self):
        network, x = network_of("frozen_backbone")
        limit = limit_tf.LimitModel(network, predictor_from="copy")
        elr_plus = limit_tf.ElrPlusModel(
            network, num_examples=8, second_from="copy"
        )
        for copy in (limit.gradient_predictor, elr_plus.second_classifier):
            np.testing.assert_array_equal(network(x), copy(x))
            owned = {id(weight) for weight in network.weights}
            self.assertFalse(any(id(w) in owned for w in copy.weights))

    def test_flags_of_frozen_parts_are_kept_at_any_depth(self):
        network, _ = network_of("frozen_backbone")
        backbone = limit_tf.LimitModel(network).gradient_predictor.layers[1]
        self.assertFalse(backbone.trainable)
        self.assertEmpty(backbone.trainable_weights)
        self.assertFalse(backbone.layers[0].layers[2].trainable)

    def test_layers_shared_across_nested_models_stay_shared(self):
        shared, inputs = layers.Dense(4), keras.Input((6,))
        inner = keras.Model(inputs, shared(inputs))
        a, b = keras.Input((6,)), keras.Input((6,))
        logits = layers.Dense(2)(inner(a) + shared(b))
        copy = network_copy(keras.Model([a, b], logits))
        self.assertLen(copy.weights, 4)

    def test_unbuilt_network_keeps_its_built_layers(self):
        adapted, _, x = normalization()
        backbone, _, _ = frozen_backbone()
        network = keras.Sequential([adapted, backbone, layers.Dense(2)])
        copy = network_copy(network)
        np.testing.assert_allclose(
            copy.layers[1](copy.layers[0](x)), backbone(adapted(x)), rtol=1e-6
        )

    @parameterized.parameters(False, True)
    def test_subclassed_network_keeps_its_layers(self, is_built):
        network = Standardised()
        network.adapted.adapt(X)
        if is_built:
            network(X)
        copy = network_copy(network)
        np.testing.assert_allclose(
            copy.adapted(X), network.adapted(X), rtol=1e-6
        )
        if is_built:
            np.testing.assert_array_equal(
                copy.frozen.kernel, network.frozen.kernel
            )
            self.assertFalse(np.allclose(copy.head.kernel, network.head.kernel))

    def test_compiled_network_is_copied_without_its_loss(self):
        network, _ = network_of("normalization")
        network.compile("adam", loss=lambda y, logits: 0.0 * logits)
        self.assertFalse(network_copy(network).compiled)
        self.assertTrue(network.compiled)

    def test_log_says_what_was_kept_once(self):
        network, _ = network_of("frozen_backbone")
        with self.assertLogs("absl", "INFO") as logs:
            limit_tf.LimitModel(network)
        self.assertLen(logs.output, 1)
        self.assertIn("8 frozen or adapted weights", logs.output[0])
        self.assertIn("drawn anew", logs.output[0])
        plain = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
        with self.assertNoLogs("absl", "INFO"):
            limit_tf.LimitModel(plain)

    def test_wrong_origins_are_refused(self):
        plain = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
        other = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
        with self.assertRaisesRegex(ValueError, "`predictor_from`.*'old'"):
            limit_tf.LimitModel(plain, predictor_from="old")
        with self.assertRaisesRegex(ValueError, "`predictor_from`.*left out"):
            limit_tf.LimitModel(plain, other, predictor_from="copy")
        with self.assertRaisesRegex(ValueError, "`second_from`.*left out"):
            limit_tf.ElrPlusModel(
                plain, other, num_examples=8, second_from="copy"
            )


@keras.saving.register_keras_serializable(package="limit_tf_tests")
class Standardised(keras.Model):
    """Network whose structure Keras cannot see, with a frozen part."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.adapted = layers.Normalization()
        self.frozen = layers.Dense(4, trainable=False)
        self.head = layers.Dense(2)

    def call(self, inputs):
        return self.head(self.frozen(self.adapted(inputs)))


if __name__ == "__main__":
    absltest.main()
