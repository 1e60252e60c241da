from unittest import mock

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import noise
from limit_tf.noise import corruption


def cycled_labels(num_examples, num_classes=10):
    return np.arange(num_examples) % num_classes


class CorruptionTest(parameterized.TestCase):
    def test_result_by_hand(self):
        result = corruption.corrupt_labels(
            [0, 1, 2], [[0, 1, 0], [0, 1, 0], [0, 0, 1]], seed=0
        )
        self.assertEqual(result.clean_labels.tolist(), [0, 1, 2])
        self.assertEqual(result.noisy_labels.tolist(), [1, 1, 2])
        self.assertEqual(result.is_corrupted.tolist(), [True, False, False])
        self.assertAlmostEqual(result.noise_rate, 1 / 3)
        self.assertEqual(result.noisy_labels.dtype, np.int64)
        self.assertEqual(result.is_corrupted.dtype, bool)

    @parameterized.parameters("symmetric", "uniform", "pair")
    def test_rate_zero_changes_nothing(self, kind):
        matrix = noise.get(kind, num_classes=10, noise_rate=0)
        labels = cycled_labels(1000)
        result = corruption.corrupt_labels(labels, matrix, seed=3)
        np.testing.assert_array_equal(result.noisy_labels, labels)
        self.assertEqual(result.noise_rate, 0.0)

    def test_symmetric_noise_at_rate_one_never_keeps_the_true_class(self):
        matrix = noise.symmetric_transition_matrix(10, 1.0)
        result = corruption.corrupt_labels(
            cycled_labels(50_000), matrix, seed=3
        )
        self.assertTrue(result.is_corrupted.all())

    @parameterized.parameters(
        ("symmetric", 0.4), ("uniform", 0.4), ("pair", 0.2), ("symmetric", 0.89)
    )
    def test_measured_transitions_are_those_of_the_matrix(self, kind, rate):
        n = 10_000  # examples of each class
        matrix = noise.get(kind, num_classes=5, noise_rate=rate)
        result = corruption.corrupt_labels(
            cycled_labels(5 * n, 5), matrix, seed=11
        )
        counts = np.zeros((5, 5))
        np.add.at(counts, (result.clean_labels, result.noisy_labels), 1)
        # Five standard errors of a binomial fraction, cell by cell. A cell
        # of probability zero has no error: it stays empty.
        tolerance = 5 * np.sqrt(matrix * (1 - matrix) / n)
        self.assertTrue(np.all(abs(counts / n - matrix) <= tolerance + 1e-12))

    @parameterized.named_parameters(
        ("integers", np.arange(1000) * 977 - 5000),
        ("strings", np.array([f"train__{i}" for i in range(1000)])),
        ("bytes", np.array([b"train__%d" % i for i in range(1000)])),
    )
    def test_a_label_follows_its_example_id(self, ids):
        labels = cycled_labels(1000)
        matrix = noise.symmetric_transition_matrix(10, 0.5)
        whole = corruption.corrupt_labels(
            labels, matrix, seed=5, example_ids=ids
        )
        some = np.random.default_rng(0).permutation(1000)[:300]
        part = corruption.corrupt_labels(
            labels[some], matrix, seed=5, example_ids=ids[some]
        )
        np.testing.assert_array_equal(
            part.noisy_labels, whole.noisy_labels[some]
        )

    def test_default_ids_are_the_positions(self):
        matrix = noise.symmetric_transition_matrix(10, 0.5)
        labels = cycled_labels(100)
        np.testing.assert_array_equal(
            corruption.corrupt_labels(labels, matrix, seed=5).noisy_labels,
            corruption.corrupt_labels(
                labels, matrix, seed=5, example_ids=range(100)
            ).noisy_labels,
        )

    def test_seeds_differ(self):
        matrix = noise.symmetric_transition_matrix(10, 0.5)
        labels = cycled_labels(10_000)
        first, second = (
            corruption.corrupt_labels(labels, matrix, seed=seed).is_corrupted
            for seed in (0, 1)
        )
        # Independent halves agree at half of the places.
        self.assertAlmostEqual(
            np.mean(first == second), 0.5, delta=5 * 0.5 / np.sqrt(10_000)
        )

    def test_extreme_draws_fall_on_classes_that_are_possible(self):
        draws = np.array([0.0, 1 - 2.0**-53])
        thirds = np.full(7, 1 / 7)
        for probs in (
            [0.0, 1 / 3, 1 / 3, 1 / 3, 0.0],
            [0.0, *thirds, 0.0],
            [0.0, *(thirds - 1e-8), 0.0],
            [0.0, 0.0, 1.0],
            [1.0, 0.0, 0.0],
        ):
            probs = np.array(probs)
            possible = np.flatnonzero(probs)
            matrix = np.tile(probs, (len(probs), 1))
            with mock.patch.object(
                corruption, "uniform_draws", return_value=draws
            ):
                noisy = corruption.corrupt_labels(
                    [0, 0], matrix, seed=0
                ).noisy_labels
            self.assertEqual(noisy.tolist(), [possible[0], possible[-1]])

    def test_no_examples_have_rate_zero(self):
        result = corruption.corrupt_labels(
            np.zeros(0, np.int64), np.eye(2), seed=0
        )
        self.assertEqual(result.noise_rate, 0.0)

    def test_bad_arguments_are_refused(self):
        corrupt = corruption.corrupt_labels
        with self.assertRaisesRegex(ValueError, "`clean_labels`.*2 at index 1"):
            corrupt([0, 2], np.eye(2), seed=0)
        with self.assertRaisesRegex(ValueError, "`clean_labels`.*shape"):
            corrupt([[0], [1]], np.eye(2), seed=0)
        with self.assertRaisesRegex(ValueError, "`clean_labels`.*nan"):
            corrupt([0, np.nan], np.eye(2), seed=0)
        with self.assertRaisesRegex(ValueError, "`transition_matrix`"):
            corrupt([0, 1], np.ones((2, 2)), seed=0)
        with self.assertRaisesRegex(ValueError, "`example_ids`.*unique"):
            corrupt([0, 1], np.eye(2), seed=0, example_ids=[4, 4])
        for seed in (-1, 2**64):
            with self.assertRaisesRegex(ValueError, "`seed`.*Received"):
                corrupt([0, 1], np.eye(2), seed=seed)
        for seed in (0.5, True, None):
            with self.assertRaisesRegex(TypeError, "`seed`.*Received"):
                corrupt([0, 1], np.eye(2), seed=seed)


if __name__ == "__main__":
    absltest.main()
