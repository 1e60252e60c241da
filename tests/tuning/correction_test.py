"""Figures that an estimated transition matrix gives, against the truth."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import noise
from limit_tf.tuning import correction

K = 4
MATRICES = {
    "symmetric": noise.symmetric_transition_matrix(K, 0.5),
    "pair": noise.pair_transition_matrix(K, 0.4, {0: 1, 2: 3}),
}


def noisy(truth, matrix, seed):
    """Draws noisy labels."""
    rng = np.random.default_rng(seed)
    edges = matrix[truth].cumsum(axis=1)
    return (rng.uniform(size=(len(truth), 1)) > edges).sum(axis=1)


class CorrectedAccuracyTest(parameterized.TestCase):
    @parameterized.parameters(*MATRICES)
    def test_is_the_accuracy_on_true_labels(self, kind):
        rng = np.random.default_rng(0)
        matrix = MATRICES[kind]
        truth = rng.integers(K, size=200_000)
        is_right = rng.uniform(size=len(truth)) < 0.8
        classes = np.where(is_right, truth, (truth + 1) % K)
        labels = noisy(truth, matrix, 1)
        estimate, error = correction.corrected_accuracy(classes, labels, matrix)
        self.assertAlmostEqual(
            estimate, (classes == truth).mean(), delta=4 * error
        )
        self.assertLess(error, 0.01)
        self.assertGreater(abs((classes == labels).mean() - 0.8), 0.1)

    def test_standard_error_is_that_of_many_draws(self):
        matrix = MATRICES["symmetric"]
        truth = np.arange(500) % K
        draws = [
            correction.corrected_accuracy(
                truth, noisy(truth, matrix, s), matrix
            )
            for s in range(300)
        ]
        estimates, errors = np.array(draws).T
        self.assertAlmostEqual(
            np.std(estimates) / np.mean(errors), 1.0, delta=0.15
        )

    def test_without_noise_it_is_the_accuracy(self):
        classes, labels = np.array([0, 1, 2, 3]), np.array([0, 1, 2, 0])
        estimate, _ = correction.corrected_accuracy(classes, labels, np.eye(K))
        self.assertEqual(estimate, 0.75)


class ForwardCrossEntropyTest(absltest.TestCase):
    def test_by_hand(self):
        matrix = np.array([[0.75, 0.25], [0.4, 0.6]])
        # Probabilities 1/2 and 1/2, then 1 and 0.
        logits = np.array([[3.0, 3.0], [100.0, -100.0]], np.float32)
        value = correction.forward_cross_entropy(
            logits, np.array([0, 1]), matrix
        )
        self.assertAlmostEqual(value, -(np.log(0.575) + np.log(0.25)) / 2)


class EstimateTest(absltest.TestCase):
    def test_of_outputs_that_are_the_probabilities(self):
        matrix = MATRICES["pair"]
        truth = np.arange(200) % K
        logits = np.log(matrix[truth] + 1e-9)
        logits += 1e-3 * np.random.default_rng(0).normal(size=logits.shape)
        found = correction.estimate("0007", logits.astype(np.float32))
        np.testing.assert_allclose(found.transition_matrix, matrix, atol=2e-2)
        self.assertIn("trial 0007", found.reason)

    def test_of_few_images_there_is_none(self):
        found = correction.estimate("0", np.zeros((K * 10 - 1, K), np.float32))
        self.assertIsNone(found.transition_matrix)
        self.assertIn("39 validation labels are too few", found.reason)

    def test_of_a_class_that_mostly_reads_as_another_there_is_none(self):
        logits = np.random.default_rng(0).normal(size=(80, K)) * 0.1
        logits += np.array([0.0, 2.0, 0.0, 0.0])
        found = correction.estimate("0", logits.astype(np.float32))
        self.assertIsNone(found.transition_matrix)
        self.assertIn("class 0 mostly read 1", found.reason)

    def test_of_outputs_that_are_all_alike_there_is_none(self):
        found = correction.estimate("0", np.zeros((80, K), np.float32))
        self.assertIsNone(found.transition_matrix)
        self.assertIn("no image is typical", found.reason)

    def test_of_labels_that_hardly_depend_on_the_class_there_is_none(self):
        truth = np.arange(200) % K
        logits = 0.01 * np.eye(K)[truth]
        logits += 1e-4 * np.random.default_rng(0).normal(size=logits.shape)
        found = correction.estimate("0", logits.astype(np.float32))
        self.assertIsNone(found.transition_matrix)
        self.assertIn("hardly depend", found.reason)


class CalibratedTest(parameterized.TestCase):
    @parameterized.parameters(0.3, 1.0, 12.0)
    def test_finds_the_temperature(self, factor):
        rng = np.random.default_rng(0)
        logits = rng.normal(size=(20_000, K))
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        edges = probs.cumsum(axis=1)
        labels = (rng.uniform(size=(len(probs), 1)) > edges).sum(axis=1)
        found, cross_entropy = correction.calibrated(logits * factor, labels)
        self.assertAlmostEqual(np.mean(found / logits), 1.0, delta=0.05)
        own = probs[np.arange(len(labels)), labels]
        self.assertAlmostEqual(cross_entropy, -np.log(own).mean(), delta=1e-3)


if __name__ == "__main__":
    absltest.main()
