import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.data import pipeline
from limit_tf.data.image_files import ImageFiles


def toy_arrays(n=10):
    """Images that hold their own position; labels that repeat it."""
    rows = np.arange(n)
    return rows.astype(np.uint8).reshape(n, 1, 1, 1), rows


def training(n=10, **kwargs):
    images, labels = toy_arrays(n)
    arguments = dict(batch_size=4, seed=0, epoch=0)
    return pipeline.training_dataset(images, labels, **{**arguments, **kwargs})


def label_batches(dataset):
    return [batch[1].tolist() for batch in dataset.as_numpy_iterator()]


class StepsPerExecutionTest(parameterized.TestCase):
    @parameterized.parameters(
        (None, 9, 9),
        (None, 64, 32),
        (None, 68, 17),
        (None, 67, 1),
        (None, 1, 1),
        (4, 9, 3),
        (1, 9, 1),
        (100, 9, 9),
        (100, 200, 100),
    )
    def test_largest_divisor_of_an_epoch(self, requested, steps, expected):
        self.assertEqual(
            pipeline.steps_per_execution(requested, steps), expected
        )


class TrainingDatasetTest(parameterized.TestCase):
    def test_images_and_labels_stay_together(self):
        for images, labels in training().as_numpy_iterator():
            self.assertEqual(images.dtype, np.uint8)
            self.assertEqual(labels.dtype, np.int64)
            self.assertEqual(images.shape[1:], (1, 1, 1))
            np.testing.assert_array_equal(images.ravel(), labels)

    @parameterized.parameters(0, 1, 7)
    def test_every_example_comes_once_in_an_epoch(self, epoch):
        batches = label_batches(training(epoch=epoch))
        self.assertEqual([len(b) for b in batches], [4, 4, 2])
        self.assertCountEqual(sum(batches, []), range(10))

    def test_orders_differ_from_epoch_to_epoch_and_from_seed_to_seed(self):
        orders = {
            tuple(label_batches(training(100, batch_size=100, **which))[0])
            for which in (
                {"epoch": 0},
                {"epoch": 1},
                {"epoch": 2},
                {"seed": 1},
                {"seed": 1, "epoch": 1},
            )
        }
        self.assertLen(orders, 5)
        self.assertNotIn(tuple(range(100)), orders)

    def test_same_seed_gives_the_same_run(self):
        self.assertEqual(label_batches(training()), label_batches(training()))

    def test_large_seeds_differ(self):
        self.assertNotEqual(
            label_batches(training(seed=2**63 - 1)),
            label_batches(training(seed=2**31 - 1)),
        )

    def test_fit_sees_the_epochs_one_after_another(self):
        seen = []

        class Recorder(keras.Model):
            def train_step(self, batch):
                tf.py_function(
                    lambda labels: seen.append(labels.numpy().tolist()),
                    [batch[1]],
                    [],
                )
                return {"loss": tf.constant(0.0)}

        model = Recorder()
        model.compile()
        model.fit(
            training(epoch=1, num_epochs=2),
            epochs=3,
            initial_epoch=1,
            steps_per_epoch=3,
            shuffle=False,
            verbose=0,
        )
        expected = [label_batches(training(epoch=number)) for number in (1, 2)]
        self.assertEqual(seen, sum(expected, []))

    def test_several_epochs_are_those_in_a_row(self):
        dataset = training(epoch=3, num_epochs=2)
        self.assertLen(dataset, 6)
        expected = [label_batches(training(epoch=number)) for number in (3, 4)]
        self.assertEqual(label_batches(dataset), sum(expected, []))

    def test_no_autotuner_delays_the_end_of_an_epoch(self):
        images, labels = toy_arrays(10)
        for dataset in (
            training(),
            pipeline.evaluation_dataset(images, labels, batch_size=4),
        ):
            self.assertFalse(dataset.options().autotune.enabled)

    def test_remainder_can_be_dropped(self):
        dataset = training(drop_remainder=True)
        self.assertLen(dataset, 2)
        self.assertEqual([len(b) for b in label_batches(dataset)], [4] * 2)

    def test_every_position_is_equally_likely(self):
        n, epochs = 8, 300
        dataset = training(n=n, batch_size=n, num_epochs=epochs)
        orders = np.array(label_batches(dataset))
        counts = np.zeros((n, n))
        np.add.at(counts, (np.tile(np.arange(n), epochs), orders.ravel()), 1)
        # Five standard errors of a binomial fraction at 1/8.
        np.testing.assert_allclose(
            counts / epochs, 1 / n, atol=5 * np.sqrt(1 / 8 * 7 / 8 / epochs)
        )

    def test_sample_weight_is_a_third_element(self):
        images, labels = toy_arrays()
        dataset = pipeline.training_dataset(
            images,
            labels,
            batch_size=4,
            seed=0,
            epoch=0,
            sample_weight=labels / 2,
        )
        for _, batch_labels, weights in dataset.as_numpy_iterator():
            self.assertEqual(weights.dtype, np.float32)
            np.testing.assert_array_equal(weights, batch_labels / 2)

    def test_images_are_no_constant_of_the_graph(self):
        images = np.zeros((1000, 32, 32, 1), np.uint8)
        dataset = pipeline.training_dataset(
            images, np.zeros(1000, int), batch_size=10, seed=0, epoch=0
        )

        @tf.function
        def total():
            return dataset.reduce(
                0.0, lambda a, b: a + tf.reduce_sum(tf.cast(b[0], tf.float32))
            )

        graph = total.get_concrete_function().graph.as_graph_def()
        self.assertLess(graph.ByteSize(), images.nbytes / 10)
        self.assertEqual(total(), 0.0)

    @parameterized.parameters(
        (dict(batch_size=0), ValueError, "`batch_size`"),
        (dict(batch_size=11, drop_remainder=True), ValueError, "`batch_size`"),
        (dict(batch_size=4.0), TypeError, "`batch_size`"),
        (dict(seed=-1), ValueError, "`seed`"),
        (dict(seed=2**63), ValueError, "`seed`"),
        (dict(seed=None), TypeError, "`seed`"),
        (dict(epoch=-1), ValueError, "`epoch`"),
        (dict(epoch=0.5), TypeError, "`epoch`"),
        (dict(num_epochs=0), ValueError, "`num_epochs`"),
        (dict(num_classes=9), ValueError, "`labels`.*9 at index 9"),
        (dict(sample_weight=[1.0]), ValueError, "`sample_weight`.*10"),
        (dict(sample_weight=[-1.0] * 10), ValueError, "`sample_weight`"),
        (dict(sample_weight=[np.nan] * 10), ValueError, "`sample_weight`"),
    )
    def test_bad_arguments_are_refused(self, kwargs, error, message):
        with self.assertRaisesRegex(error, message):
            training(**kwargs)

    def test_bad_arrays_are_refused(self):
        images, labels = toy_arrays()
        with self.assertRaisesRegex(TypeError, "`images`.*int64"):
            pipeline.evaluation_dataset(labels, labels, batch_size=4)
        with self.assertRaisesRegex(ValueError, "`labels`.*10.*9"):
            pipeline.evaluation_dataset(images, labels[:9], batch_size=4)

    @parameterized.parameters(False, True)
    def test_example_ids_are_positions(self, drop_remainder):
        images, labels = toy_arrays()
        for epoch in (0, 3):
            arguments = dict(epoch=epoch, drop_remainder=drop_remainder)
            plain = training(**arguments)
            dataset = training(**arguments, with_example_ids=True)
            self.assertLen(dataset, 2 if drop_remainder else 3)
            self.assertEqual(label_batches(dataset), label_batches(plain))
            for inputs, batch_labels in dataset.as_numpy_iterator():
                ids = inputs["example_ids"]
                self.assertEqual(ids.dtype, np.int64)
                np.testing.assert_array_equal(ids, batch_labels)
                np.testing.assert_array_equal(inputs["inputs"], images[ids])

    def test_example_ids_come_with_weights(self):
        weights = np.arange(10) / 10
        dataset = training(sample_weight=weights, with_example_ids=True)
        for inputs, _, batch_weights in dataset.as_numpy_iterator():
            np.testing.assert_array_equal(
                batch_weights, weights[inputs["example_ids"]].astype(np.float32)
            )

    @parameterized.parameters(np.float16, np.float32, np.float64)
    def test_inputs_may_be_floats(self, dtype):
        inputs = np.linspace(-1, 1, 50).reshape(10, 5).astype(dtype)
        dataset = pipeline.training_dataset(
            inputs, np.arange(10), batch_size=4, seed=0, epoch=0
        )
        for batch, labels in dataset.as_numpy_iterator():
            self.assertEqual(batch.dtype, np.float32)
            np.testing.assert_allclose(batch, inputs[labels], rtol=1e-7)


class ImageFilesTest(parameterized.TestCase):
    """Batches of images from files against those from memory."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        rng = np.random.default_rng(0)
        cls.images = rng.integers(0, 256, (50, 6, 8, 3), np.uint8)
        paths = []
        for i, image in enumerate(cls.images):
            paths.append(os.path.join(cls.temporary.name, f"{i}.png"))
            tf.io.write_file(paths[-1], tf.io.encode_png(image))
        cls.files = ImageFiles(paths, (6, 8))
        cls.labels = np.arange(50) % 7

    def assert_same_batches(self, dataset, expected):
        self.assertEqual(dataset.element_spec, expected.element_spec)
        self.assertEqual(len(dataset), len(expected))
        batches, others = list(dataset), list(expected)
        self.assertLen(batches, len(others))
        for batch, other in zip(batches, others, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, batch, other)

    @parameterized.product(
        epochs=((0, 1), (4, 2)),
        batch_size=(1, 8, 50),
        drop_remainder=(False, True),
        with_example_ids=(False, True),
    )
    def test_training_batches_are_those_of_arrays(self, epochs, **kwargs):
        self.assert_same_batches(
            *(
                pipeline.training_dataset(
                    images,
                    self.labels,
                    sample_weight=self.labels / 7,
                    seed=3,
                    epoch=epochs[0],
                    num_epochs=epochs[1],
                    **kwargs,
                )
                for images in (self.files, self.images)
            )
        )

    @parameterized.parameters(True, False)
    def test_evaluation_batches_are_those_of_arrays(self, has_labels):
        self.assert_same_batches(
            *(
                pipeline.evaluation_dataset(
                    images, self.labels if has_labels else None, batch_size=8
                )
                for images in (self.files, self.images)
            )
        )

    def test_training_has_a_size_of_its_own(self):
        files = ImageFiles(self.files.paths, (6, 8), (9, 10))
        train = pipeline.training_dataset(
            files, self.labels, batch_size=8, seed=0, epoch=0
        )
        test = pipeline.evaluation_dataset(files, batch_size=8)
        self.assertEqual(train.element_spec[0].shape, (None, 9, 10, 3))
        self.assertEqual(test.element_spec.shape, (None, 6, 8, 3))
        np.testing.assert_array_equal(next(iter(test)), self.images[:8])

    def test_labels_must_be_as_many_as_the_files(self):
        with self.assertRaisesRegex(ValueError, "`labels`.*50.*49"):
            pipeline.evaluation_dataset(
                self.files, self.labels[:49], batch_size=8
            )

    def test_a_file_that_cannot_be_read_stops_with_its_name(self):
        files = ImageFiles([*self.files.paths, "/no/such.png"], (6, 8))
        dataset = pipeline.evaluation_dataset(files, batch_size=8)
        with self.assertRaisesRegex(tf.errors.OpError, "/no/such.png"):
            list(dataset)


class EvaluationDatasetTest(parameterized.TestCase):
    def test_order_is_kept(self):
        images, labels = toy_arrays()
        dataset = pipeline.evaluation_dataset(images, labels, batch_size=4)
        self.assertLen(dataset, 3)
        self.assertEqual(
            label_batches(dataset), [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        )

    def test_without_labels_batches_are_images(self):
        images, _ = toy_arrays()
        dataset = pipeline.evaluation_dataset(images, batch_size=4)
        self.assertLen(dataset, 3)
        self.assertEqual(dataset.element_spec.dtype, tf.uint8)
        np.testing.assert_array_equal(
            np.concatenate(list(dataset.as_numpy_iterator())), images
        )

    def test_labels_are_checked(self):
        images, labels = toy_arrays()
        with self.assertRaisesRegex(ValueError, "`labels`.*9 at index 9"):
            pipeline.evaluation_dataset(
                images, labels, batch_size=4, num_classes=9
            )


class NumBatchesTest(parameterized.TestCase):
    @parameterized.parameters(
        (10, 4, False, 3),
        (10, 4, True, 2),
        (8, 4, False, 2),
        (8, 4, True, 2),
        (3, 4, False, 1),
        (3, 4, True, 0),
        (0, 4, False, 0),
    )
    def test_by_hand(self, num_examples, batch_size, drop_remainder, expected):
        self.assertEqual(
            pipeline.num_batches(num_examples, batch_size, drop_remainder),
            expected,
        )

    def test_bad_numbers_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`num_examples`"):
            pipeline.num_batches(-1, 4)
        with self.assertRaisesRegex(ValueError, "`batch_size`"):
            pipeline.num_batches(4, 0)


if __name__ == "__main__":
    absltest.main()
