"""Scores of labels: figures by hand, forms of data, replicas."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf
from limit_tf import data
from limit_tf import label_issues
from tests import testing


def columns(scores):
    return {
        field.name: np.asarray(getattr(scores, field.name))
        for field in dataclasses.fields(scores)
    }


def labelled_images(images, labels, ids):
    return data.LabelledImages(images, labels, None, None, np.array(ids))


class LabelScoresTest(parameterized.TestCase):
    def assert_same_scores(self, scores, expected, but=()):
        for name, column in columns(expected).items():
            if name in but:
                continue
            np.testing.assert_allclose(
                columns(scores)[name], column, rtol=1e-5, err_msg=name
            )

    def test_figures_of_one_example_are_those_of_the_formulas(self):
        # Two inputs, three classes. The classifier's logits of (1, 0) are
        # (0, log 3, log 4), s(a) = (1, 3, 4) / 8; the predictor's are
        # (log 5, log 3, log 2), s(r) = (5, 3, 2) / 10.
        classifier = testing.linear([np.log([1.0, 3.0, 4.0]), [0.0] * 3])
        predictor = testing.linear([np.log([5.0, 3.0, 2.0]), [0.0] * 3])
        model = limit_tf.LimitModel(classifier, predictor)

        scores = label_issues.label_scores(model, np.eye(2)[:1], [1])

        self.assertLen(scores, 1)
        self.assertEqual(scores.num_classes, 3)
        # mu - g = y - s(r) = (-0.5, 0.7, -0.2)
        self.assertAlmostEqual(float(scores.l1_distance[0]), 1.4, places=5)
        self.assertAlmostEqual(
            float(scores.l2_distance[0]), 0.78**0.5, places=5
        )
        self.assertAlmostEqual(float(scores.predictor_prob[0]), 0.3, places=5)
        self.assertAlmostEqual(
            float(scores.classifier_prob[0]), 0.375, places=5
        )
        self.assertEqual(scores.suggested_labels[0], 0)
        self.assertAlmostEqual(float(scores.suggested_prob[0]), 0.5, places=5)
        self.assertEqual(scores.classifier_labels[0], 2)
        self.assertFalse(scores.networks_agree[0])
        self.assertEqual(scores.top_labels.tolist(), [[0, 1, 2]])
        np.testing.assert_allclose(
            scores.top_probs, [[0.5, 0.3, 0.2]], rtol=1e-5
        )

    @parameterized.named_parameters(
        ("column", lambda y: y[:, None]),
        ("one_hot", lambda y: np.eye(testing.NUM_CLASSES)[y]),
        ("floats", lambda y: y.astype("float32")),
        ("list", lambda y: y.tolist()),
    )
    def test_labels_of_every_form_get_the_same_scores(self, form):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        expected = label_issues.label_scores(model, x, y)
        self.assert_same_scores(
            label_issues.label_scores(model, x, form(y)), expected
        )

    @parameterized.parameters(5, 100)
    def test_scores_do_not_depend_on_the_batch_size(self, batch_size):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        expected = label_issues.label_scores(model, x, y)
        self.assert_same_scores(
            label_issues.label_scores(model, x, y, batch_size=batch_size),
            expected,
        )

    def test_a_data_set_gets_the_scores_of_its_arrays(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        expected = label_issues.label_scores(model, x, y)
        for arrays in ((x, y), (x, y, np.ones(16, "float32"))):
            batches = tf.data.Dataset.from_tensor_slices(arrays).batch(5)
            self.assert_same_scores(
                label_issues.label_scores(model, batches), expected
            )

    def test_ids_of_a_data_set_come_along(self):
        x, y = testing.toy_batch(seed=0)
        ids = np.arange(16)[::-1] + 3
        model = testing.toy_limit_model(seed=1)
        batches = tf.data.Dataset.from_tensor_slices(
            (testing.with_ids(x, ids), y)
        ).batch(5)
        scores = label_issues.label_scores(model, batches)
        self.assertEqual(scores.example_ids.tolist(), ids.tolist())
        self.assert_same_scores(
            scores, label_issues.label_scores(model, x, y), but="example_ids"
        )

    def test_inputs_that_the_model_holds_are_looked_up(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        expected = label_issues.label_scores(model, x, y)
        model.hold_inputs(x)
        batches = data.training_dataset(
            x, y, batch_size=5, seed=0, epoch=0, with_inputs=False
        )
        scores = label_issues.label_scores(model, batches)
        order = scores.example_ids.argsort()
        np.testing.assert_allclose(
            scores.l1_distance[order], expected.l1_distance, rtol=1e-5
        )

    def test_ids_of_arrays_may_be_strings(self):
        x, y = testing.toy_batch(seed=0)
        ids = [f"image-{i}" for i in range(16)]
        scores = label_issues.label_scores(
            testing.toy_limit_model(seed=1), x, y, example_ids=ids
        )
        self.assertEqual([i.decode() for i in scores.example_ids], ids)

    def test_images_bring_their_own_ids_and_labels(self):
        images = np.arange(24, dtype=np.uint8).reshape(6, 2, 2, 1)
        classifier = keras.Sequential(
            [
                keras.Input((2, 2, 1)),
                keras.layers.Rescaling(0.1),
                keras.layers.Flatten(),
                keras.layers.Dense(3),
            ]
        )
        model = limit_tf.LimitModel(classifier)
        labels = np.array([0, 1, 2, 0, 1, 2])
        ids = ["f", "e", "d", "c", "b", "a"]
        scores = label_issues.label_scores(
            model, labelled_images(images, labels, ids), batch_size=4
        )
        self.assertEqual(scores.example_ids.tolist(), ids)
        self.assert_same_scores(
            scores,
            label_issues.label_scores(model, images, labels),
            but="example_ids",
        )

    def test_parts_are_the_whole(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        chunks = list(label_issues.iter_label_scores(model, x, y, batch_size=6))
        self.assertEqual([len(chunk) for chunk in chunks], [6, 6, 4])
        self.assertEqual(chunks[1].positions.tolist(), list(range(6, 12)))

    def test_joined_parts_count_their_positions_on(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        parts = [
            label_issues.label_scores(model, x[:10], y[:10]),
            label_issues.label_scores(model, x[10:], y[10:]),
        ]
        self.assert_same_scores(
            label_issues.concatenated(parts),
            label_issues.label_scores(model, x, y),
            but="example_ids",
        )

    def test_a_classifier_alone_takes_the_predictors_place(self):
        x, y = testing.toy_batch(seed=0)
        classifier = testing.toy_network(seed=3)
        scores = label_issues.label_scores(classifier, x, y)
        probs = keras.ops.softmax(classifier(x)).numpy()
        own = probs[np.arange(16), y]
        np.testing.assert_allclose(scores.predictor_prob, own, rtol=1e-5)
        np.testing.assert_allclose(scores.l1_distance, 2 - 2 * own, rtol=1e-4)
        self.assertTrue(scores.networks_agree.all())

    def test_of_many_classes_ten_are_kept(self):
        rng = np.random.default_rng(0)
        network = testing.linear(rng.normal(size=(4, 25)))
        x = rng.normal(size=(7, 4)).astype("float32")
        scores = label_issues.label_scores(network, x, np.arange(7))
        logits = network(x).numpy()
        self.assertEqual(
            scores.top_labels.tolist(),
            np.argsort(-logits, axis=1)[:, :10].tolist(),
        )

    @parameterized.parameters(16, 13)
    def test_two_replicas_score_as_one(self, num_examples):
        if len(tf.config.list_logical_devices("CPU")) < 2:
            self.skipTest("two logical CPU devices are needed, see conftest")
        x, y = testing.toy_batch(seed=0, batch_size=num_examples)
        expected = label_issues.label_scores(
            testing.toy_limit_model(seed=1), x, y
        )
        with testing.two_replicas().scope():
            model = testing.toy_limit_model(seed=1)
        self.assert_same_scores(
            label_issues.label_scores(model, x, y, batch_size=6), expected
        )

    def test_half_precision_gives_float32(self):
        x, y = testing.toy_batch(seed=0)
        network = testing.toy_network(seed=0, dtype="mixed_bfloat16")
        scores = label_issues.label_scores(network, x, y)
        self.assertEqual(scores.l1_distance.dtype, np.float32)
        self.assertTrue(np.isfinite(scores.l1_distance).all())


class RefusalTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.x, self.y = testing.toy_batch(seed=0)
        self.model = testing.toy_limit_model(seed=1)

    def test_labels_must_be_given(self):
        with self.assertRaisesRegex(ValueError, "`y` must hold the labels"):
            label_issues.label_scores(self.model, self.x)

    def test_labels_must_be_classes(self):
        self.y[11] = testing.NUM_CLASSES
        with self.assertRaisesRegex(ValueError, "`y` must.*position 11"):
            label_issues.label_scores(self.model, self.x, self.y, batch_size=6)

    def test_inputs_must_give_finite_logits(self):
        self.x[12] = np.nan
        with self.assertRaisesRegex(ValueError, r"`x` must.*first x\[12\]"):
            label_issues.label_scores(self.model, self.x, self.y)

    @parameterized.parameters("y", "example_ids")
    def test_arrays_must_be_equally_long(self, name):
        arguments = {"y": self.y, "example_ids": np.arange(16)}
        arguments[name] = arguments[name][:-1]
        with self.assertRaisesRegex(ValueError, f"`{name}` must.*16.*15"):
            label_issues.label_scores(self.model, self.x, **arguments)

    def test_there_must_be_an_example(self):
        with self.assertRaisesRegex(ValueError, "`x` must hold at least one"):
            label_issues.label_scores(self.model, self.x[:0], self.y[:0])
        empty = tf.data.Dataset.from_tensor_slices((self.x[:0], self.y[:0]))
        with self.assertRaisesRegex(ValueError, "`x` must hold at least one"):
            label_issues.label_scores(self.model, empty.batch(4))

    def test_a_data_set_has_its_own_labels(self):
        batches = tf.data.Dataset.from_tensor_slices((self.x, self.y)).batch(4)
        with self.assertRaisesRegex(ValueError, "`y` must be left out"):
            label_issues.label_scores(self.model, batches, self.y)
        with self.assertRaisesRegex(ValueError, "`x` must be a data set of"):
            label_issues.label_scores(self.model, batches.map(lambda x, y: x))

    def test_other_streams_are_refused(self):
        batches = testing.Batches(self.x, self.y)
        with self.assertRaisesRegex(TypeError, "`x` must be.*Batches"):
            label_issues.label_scores(self.model, batches)
        with self.assertRaisesRegex(TypeError, "`x` must be.*generator"):
            label_issues.pred_probs(self.model, (i for i in [self.x]))

    def test_a_batch_has_examples(self):
        with self.assertRaisesRegex(ValueError, "`batch_size` must"):
            label_issues.label_scores(self.model, self.x, self.y, batch_size=0)


class PredProbsTest(parameterized.TestCase):
    @parameterized.parameters("gradient_predictor", "classifier")
    def test_rows_are_the_networks_probabilities(self, name):
        x, _ = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        probs = label_issues.pred_probs(model, x, network=name, batch_size=5)
        logits = getattr(model, name)(x)
        np.testing.assert_allclose(
            probs, keras.ops.softmax(logits).numpy(), rtol=1e-5
        )
        self.assertEqual(probs.dtype, np.float64)
        np.testing.assert_allclose(probs.sum(axis=1), 1.0, rtol=1e-12)

    def test_labels_of_a_data_set_do_not_matter(self):
        x, y = testing.toy_batch(seed=0)
        model = testing.toy_limit_model(seed=1)
        expected = label_issues.pred_probs(model, x)
        for arrays in (x, (x, y)):
            batches = tf.data.Dataset.from_tensor_slices(arrays).batch(5)
            np.testing.assert_allclose(
                label_issues.pred_probs(model, batches), expected, rtol=1e-6
            )

    def test_the_network_must_be_there(self):
        x, _ = testing.toy_batch(seed=0)
        with self.assertRaisesRegex(ValueError, "`network` must be one of"):
            label_issues.pred_probs(
                testing.toy_limit_model(seed=1), x, network="predictor"
            )
        with self.assertRaisesRegex(ValueError, "must be 'classifier'"):
            label_issues.pred_probs(testing.toy_network(seed=1), x)


class WrongDataTest(parameterized.TestCase):
    def refused(self, message, function, *args, **kwargs):
        with self.assertRaisesRegex(ValueError, message) as caught:
            function(*args, **kwargs)
        self.assertNotIn("\n", str(caught.exception))

    def test_inputs_that_are_not_finite(self):
        # A rectifier makes zero of NaN: the answer alone would not tell.
        x, y = testing.toy_batch(seed=0)
        x[5, 2], x[9, 1] = np.nan, np.inf
        model = testing.toy_limit_model(seed=1)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
        whole = r"`x`.*finite.*: 2 invalid of 16, the first x\[5\]"
        for arguments, message in (
            ((x, y), whole),
            ((dataset,), "`x`.*finite.*: 1 invalid of 8.*position 5"),
        ):
            self.refused(message, label_issues.label_scores, model, *arguments)
            self.refused(message, label_issues.pred_probs, model, arguments[0])

    def test_equal_identifiers(self):
        x, y = testing.toy_batch(seed=0)
        ids = np.arange(16)
        ids[:8] = [7, 7, 9, 9, 11, 11, 13, 13]
        model = testing.toy_limit_model(seed=1)
        message = (
            "`example_ids` must be unique.*: 4 .*: 7, 9, 11|first 7, 9, 11"
        )
        self.refused(
            message, label_issues.label_scores, model, x, y, example_ids=ids
        )
        inputs = {"inputs": x, "example_ids": ids[[*range(0, 16, 2)] * 2]}
        dataset = tf.data.Dataset.from_tensor_slices((inputs, y)).batch(8)
        self.refused("unique", label_issues.label_scores, model, dataset)

    @parameterized.parameters("softmax", "hidden")
    def test_networks_that_give_probabilities(self, kind):
        x, y = testing.toy_batch(seed=0)
        network = testing.Subclassed(8, activation="softmax")
        if kind == "softmax":
            inputs = keras.Input((testing.NUM_FEATURES,))
            logits = keras.layers.Dense(testing.NUM_CLASSES)(inputs)
            network = keras.Model(inputs, keras.ops.softmax(logits))
        self.refused(
            "`model`.*logits", label_issues.label_scores, network, x, y
        )
        self.refused(
            "`model`.*logits",
            label_issues.pred_probs,
            network,
            x,
            network="classifier",
        )

    def test_names_of_classes(self):
        x, y = testing.toy_batch(seed=0)
        names = np.array(["a", "b", "c", "d"])[y]
        with self.assertRaisesRegex(TypeError, "`y`.*numpy.unique"):
            label_issues.label_scores(testing.toy_limit_model(seed=1), x, names)


if __name__ == "__main__":
    absltest.main()
