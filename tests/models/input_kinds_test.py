"""Tables, texts and structures of inputs, in networks built or not."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from keras import layers

import limit_tf
from tests import testing

TEXTS = np.array(["good film", "bad film", "good", "bad"] * 4)
LABELS = np.array([1, 0, 1, 0] * 4)


def text_network(is_built, shape=()):
    vectorize = layers.TextVectorization(output_mode="multi_hot")
    vectorize.adapt(TEXTS)
    inputs = [keras.Input(shape, dtype="string")] if is_built else []
    return keras.Sequential([*inputs, vectorize, layers.Dense(2)])


def fitted(model, *arguments):
    testing.compiled(model, keras.optimizers.Adam(0.1), run_eagerly=True)
    return model.fit(*arguments, verbose=0, epochs=5).history["loss"]


class InputKindsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    @parameterized.parameters(False, True)
    def test_pandas_objects_train_as_their_values(self, is_built):
        x, y = testing.toy_batch(seed=0)
        histories = []
        for convert in (pd.DataFrame, np.asarray):
            model = limit_tf.LimitModel(
                self.network(is_built), self.network(is_built), seed=0
            )
            testing.compiled(model, run_eagerly=True)
            values = convert(x.astype("float64"))
            labels = pd.Series(y) if convert is pd.DataFrame else y
            history = model.fit(values, labels, verbose=0, shuffle=False)
            histories.append(history.history["loss"])
            self.assertIsNotNone(model.evaluate(values, labels, verbose=0))
            self.assertEqual(model.predict(values, verbose=0).shape, (16, 4))
        np.testing.assert_allclose(*histories, rtol=1e-6)

    def network(self, is_built):
        head = layers.Dense(4, kernel_initializer="zeros")
        inputs = [keras.Input((6,))] if is_built else []
        return keras.Sequential([*inputs, head])

    def test_columns_of_a_frame_are_inputs_by_name(self):
        x, _ = testing.toy_batch(seed=0)
        frame = pd.DataFrame(x[:, :2], columns=["a", "b"])
        model = limit_tf.LimitModel(Columns())
        testing.compiled(model, run_eagerly=True)
        model.fit(dict(frame), (x[:, 0] > 0).astype(int), verbose=0)
        self.assertEqual(model.predict(dict(frame), verbose=0).shape, (16, 2))

    @parameterized.product(
        is_built=(False, True),
        convert=(
            lambda texts: texts.astype(object),
            tf.constant,
            lambda texts: tf.constant(texts[:, None]),
        ),
    )
    def test_texts_are_learnt(self, is_built, convert):
        texts = convert(TEXTS)
        network = text_network(is_built, texts.shape[1:])
        model = limit_tf.LimitModel(network, gradient_penalty=0.0)
        losses = fitted(model, texts, LABELS)
        self.assertLess(losses[-1], losses[0])

    @parameterized.parameters(False, True)
    def test_streams_of_texts_are_learnt(self, is_built):
        stream = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(8)
        network = text_network(is_built)
        model = limit_tf.LimitModel(network, gradient_penalty=0.0)
        losses = fitted(model, stream)
        self.assertLess(losses[-1], losses[0])

    def test_texts_cannot_be_mixed(self):
        model = limit_tf.ElrPlusModel(text_network(True), num_examples=16)
        testing.compiled(model)
        with self.assertRaisesRegex(ValueError, "`x` must.*numbers.*string"):
            model.fit(testing.with_ids(tf.constant(TEXTS)), LABELS, verbose=0)


@keras.saving.register_keras_serializable(package="limit_tf_tests")
class Columns(keras.Model):
    """Network of inputs by name, whose structure Keras cannot see."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.head = layers.Dense(2)

    def call(self, inputs):
        return self.head(
            keras.ops.concatenate([inputs["a"], inputs["b"]], axis=-1)
        )


if __name__ == "__main__":
    absltest.main()
