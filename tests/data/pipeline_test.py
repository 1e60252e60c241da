import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.data import pipeline


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
        epoch = tf.Variable(0, dtype=tf.int64)
        model.fit(
            training(epoch=epoch),
            epochs=3,
            initial_epoch=1,
            shuffle=False,
            verbose=0,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=lambda number, logs: epoch.assign(number)
                )
            ],
        )
        expected = [label_batches(training(epoch=number)) for number in (1, 2)]
        self.assertEqual(seen, sum(expected, []))

    def test_variable_is_read_when_an_iteration_starts(self):
        epoch = tf.Variable(0, dtype=tf.int64)
        dataset = training(epoch=epoch)
        self.assertLen(dataset, 3)
        for number in (3, 1):
            epoch.assign(number)
            self.assertEqual(
                label_batches(dataset), label_batches(training(epoch=number))
            )

    def test_remainder_can_be_dropped(self):
        dataset = training(drop_remainder=True)
        self.assertLen(dataset, 2)
        self.assertEqual([len(b) for b in label_batches(dataset)], [4] * 2)

    def test_every_position_is_equally_likely(self):
        n, epochs = 8, 300
        epoch = tf.Variable(0, dtype=tf.int64)
        dataset = training(n=n, batch_size=n, epoch=epoch)
        orders = []
        for number in range(epochs):
            epoch.assign(number)
            orders += label_batches(dataset)
        orders = np.array(orders)
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
        with self.assertRaisesRegex(TypeError, "`images`.*float"):
            pipeline.evaluation_dataset(images / 255, labels, batch_size=4)
        with self.assertRaisesRegex(ValueError, "`labels`.*10.*9"):
            pipeline.evaluation_dataset(images, labels[:9], batch_size=4)


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
