"""Accuracies by an estimated transition matrix, against the truth."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import noise
from limit_tf.label_issues import corrected_accuracy as accuracy

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
        found = accuracy.corrected_accuracy(classes, labels, matrix)
        estimate, error = found.accuracy, found.standard_error
        self.assertAlmostEqual(
            estimate, (classes == truth).mean(), delta=4 * error
        )
        self.assertLess(error, 0.01)
        self.assertGreater(abs((classes == labels).mean() - 0.8), 0.1)

    def test_standard_error_is_that_of_many_draws(self):
        matrix = MATRICES["symmetric"]
        truth = np.arange(500) % K
        draws = [
            accuracy.unchecked_accuracy(
                truth,
                noisy(truth, matrix, s),
                accuracy.TransitionEstimate(matrix, ""),
            )
            for s in range(300)
        ]
        estimates, errors = np.array(draws).T
        self.assertAlmostEqual(
            np.std(estimates) / np.mean(errors), 1.0, delta=0.15
        )

    def test_without_noise_it_is_the_accuracy(self):
        classes, labels = np.array([0, 1, 2, 3]), np.array([0, 1, 2, 0])
        found = accuracy.unchecked_accuracy(
            classes, labels, accuracy.TransitionEstimate(np.eye(K), "")
        )
        self.assertEqual(found[0], 0.75)

    def test_outside_the_range_of_accuracies_there_is_none(self):
        # Labels that agree with all predictions, though half should not.
        classes = np.arange(4000) % K
        found = accuracy.corrected_accuracy(
            classes, classes, MATRICES["symmetric"]
        )
        self.assertIsNone(found.accuracy)
        self.assertIsNone(found.standard_error)
        # inverse(T)[j, j] with diagonal 1/2, others 1/6: 5/2 - 1/2 = 2.
        self.assertEqual(found.reason, "the estimate, 250.0%, is no accuracy")

    def test_with_a_large_standard_error_there_is_none(self):
        matrix = MATRICES["symmetric"]
        truth = np.arange(40) % K
        classes = np.where(np.arange(40) < 20, truth, (truth + 1) % K)
        found = accuracy.corrected_accuracy(
            classes, noisy(truth, matrix, 1), matrix
        )
        self.assertIsNone(found.accuracy)
        self.assertIn("too large", found.reason)

    def test_where_the_choice_of_examples_matters_there_is_none(self):
        # A fiftieth of the outputs of each class is surer than labels are. By
        # the matrix without the surest 3 % half of the labels are wrong, by
        # the one without the surest 1 % hardly any.
        rng = np.random.default_rng(0)
        truth = rng.integers(K, size=4000)
        labels = noisy(truth, MATRICES["symmetric"], 0)
        is_sure = rng.random((4000, 1)) < 0.08
        probs = np.where(
            is_sure, np.eye(K)[truth], MATRICES["symmetric"][truth]
        )
        logits = np.log(probs + 1e-3) + 1e-3 * rng.normal(size=probs.shape)
        transitions = accuracy.estimate_transitions(logits)
        classes = np.where(rng.random(4000) < 0.8, truth, (truth + 1) % K)
        estimate, error = accuracy.unchecked_accuracy(
            classes, labels, transitions
        )
        self.assertAlmostEqual(estimate, 0.8, delta=0.05)
        # 0.8 are right: of these half of the labels agree, of the others 1/6.
        self.assertAlmostEqual(error, 0.8 - (0.4 + 0.2 / 6), delta=0.05)
        found = accuracy.corrected_accuracy(classes, labels, transitions)
        self.assertIsNone(found.accuracy)
        self.assertIn("too large", found.reason)

    def test_without_a_matrix_it_says_why(self):
        missing = accuracy.TransitionEstimate(None, "too few")
        self.assertEqual(
            accuracy.corrected_accuracy(np.zeros(3), np.zeros(3), missing),
            accuracy.CorrectedAccuracy(None, None, "too few"),
        )

    def test_its_error_holds_that_of_the_matrix(self):
        """The matrix varies with the examples that it is estimated from."""
        rng = np.random.default_rng(0)
        matrix = MATRICES["pair"]
        estimates, errors, plain = [], [], []
        for seed in range(20):
            truth = rng.integers(K, size=400)
            labels = noisy(truth, matrix, seed)
            logits = np.log(matrix[truth] + 1e-2)
            logits += 0.5 * rng.normal(size=logits.shape)
            transitions = accuracy.estimate_transitions(logits)
            estimate, error = accuracy.unchecked_accuracy(
                truth, labels, transitions
            )
            estimates.append(estimate)
            errors.append(error)
            given = accuracy.TransitionEstimate(
                transitions.transition_matrix, ""
            )
            plain.append(accuracy.unchecked_accuracy(truth, labels, given)[1])
        self.assertGreater(np.mean(errors), np.mean(plain))
        # Rather too large than too small: two choices of examples differ, too.
        self.assertBetween(np.std(estimates) / np.mean(errors), 0.4, 1.1)


class EstimateTest(absltest.TestCase):
    def test_of_outputs_that_are_the_probabilities(self):
        matrix = MATRICES["pair"]
        truth = np.arange(200) % K
        logits = np.log(matrix[truth] + 1e-9)
        logits += 1e-3 * np.random.default_rng(0).normal(size=logits.shape)
        found = accuracy.estimate_transitions(
            logits.astype(np.float32), "trial 0007"
        )
        np.testing.assert_allclose(found.transition_matrix, matrix, atol=2e-2)
        self.assertIn("trial 0007", found.reason)

    def test_of_few_images_there_is_none(self):
        found = accuracy.estimate_transitions(
            np.zeros((K * 10 - 1, K), np.float32)
        )
        self.assertIsNone(found.transition_matrix)
        self.assertIn("39 labels are too few", found.reason)

    def test_of_a_class_that_mostly_reads_as_another_there_is_none(self):
        logits = np.random.default_rng(0).normal(size=(80, K)) * 0.1
        logits += np.array([0.0, 2.0, 0.0, 0.0])
        found = accuracy.estimate_transitions(logits.astype(np.float32))
        self.assertIsNone(found.transition_matrix)
        self.assertIn("class 0 mostly read 1", found.reason)

    def test_of_outputs_that_are_all_alike_there_is_none(self):
        found = accuracy.estimate_transitions(np.zeros((80, K), np.float32))
        self.assertIsNone(found.transition_matrix)
        self.assertIn("no example is typical", found.reason)

    def test_of_labels_that_hardly_depend_on_the_class_there_is_none(self):
        truth = np.arange(200) % K
        logits = 0.01 * np.eye(K)[truth]
        logits += 1e-4 * np.random.default_rng(0).normal(size=logits.shape)
        found = accuracy.estimate_transitions(logits.astype(np.float32))
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
        found, cross_entropy = accuracy.calibrated(logits * factor, labels)
        self.assertAlmostEqual(np.mean(found / logits), 1.0, delta=0.05)
        own = probs[np.arange(len(labels)), labels]
        self.assertAlmostEqual(cross_entropy, -np.log(own).mean(), delta=1e-3)


if __name__ == "__main__":
    absltest.main()
