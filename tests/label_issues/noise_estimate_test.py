"""Estimates of label noise: counts by hand, against cleanlab, intervals."""

import importlib.util

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import label_issues
from limit_tf import noise
from limit_tf.label_issues import confident_joint
from tests.label_issues import builders


class ConfidentCountsTest(absltest.TestCase):
    def test_an_example_counts_for_the_class_that_reaches_its_average(self):
        # Averages of p[0] among labels 0: (0.9 + 0.1) / 2 = 0.5; of p[1] among
        # labels 1: (0.8 + 0.45) / 2 = 0.625. So the second example, p[1] = 0.9,
        # counts as class 1 with the label 0; the last one reaches 0.55 >= 0.5
        # and counts as class 0 with the label 1.
        scores = builders.scores_of(
            [[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.55, 0.45]], [0, 0, 1, 1]
        )
        counts, unconfident = confident_joint.confident_counts(scores)
        self.assertEqual(counts.tolist(), [[1, 1], [1, 1]])
        self.assertEqual(unconfident.tolist(), [0, 0])

    def test_an_example_that_reaches_no_average_counts_for_none(self):
        # Averages: class 0: 0.9, class 1: (0.9 + 0.4) / 2 = 0.65.
        scores = builders.scores_of(
            [[0.9, 0.1], [0.1, 0.9], [0.6, 0.4]], [0, 1, 1]
        )
        counts, unconfident = confident_joint.confident_counts(scores)
        self.assertEqual(counts.tolist(), [[1, 0], [0, 1]])
        self.assertEqual(unconfident.tolist(), [0, 1])

    def test_the_joint_keeps_the_shares_of_the_given_labels(self):
        counts = np.array([[3, 1], [1, 1]])
        joint = confident_joint.calibrated_joint(counts, np.array([4, 0]))
        # Label 0: 8 of 10 labels, three quarters of them right.
        np.testing.assert_allclose(joint, [[0.6, 0.1], [0.2, 0.1]])

    def test_labels_without_confident_examples_count_as_right(self):
        joint = confident_joint.calibrated_joint(
            np.array([[3, 0], [1, 0]]), np.array([0, 4])
        )
        np.testing.assert_allclose(joint, [[0.375, 0.0], [0.125, 0.5]])

    def test_counts_are_those_of_cleanlab(self):
        if importlib.util.find_spec("cleanlab") is None:
            self.skipTest("cleanlab is not installed")
        from cleanlab import count

        rng = np.random.default_rng(0)
        for num_classes in (3, 10):
            labels = rng.integers(num_classes, size=500)
            probs = rng.dirichlet(np.full(num_classes, 0.3), size=500)
            probs[np.arange(500), labels] += 0.5
            probs /= probs.sum(axis=1, keepdims=True)
            expected = count.compute_confident_joint(
                labels, probs, calibrate=False
            )
            counts, _ = confident_joint.confident_counts(
                builders.scores_of(probs, labels)
            )
            # Theirs are by given label first, and have no empty diagonal.
            self.assertEqual(counts.T.tolist(), expected.tolist())


class EstimateNoiseTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("none", noise.identity_transition_matrix(4)),
        ("symmetric", noise.symmetric_transition_matrix(4, 0.4)),
        ("pair", noise.pair_transition_matrix(4, 0.3)),
    )
    def test_a_predictor_that_knows_gives_the_drawn_matrix(self, matrix):
        scores, clean = builders.noisy_scores(matrix, 4000)
        estimate = label_issues.estimate_noise(scores)

        drawn = np.zeros((4, 4))
        np.add.at(drawn, (clean, scores.given_labels), 1)
        drawn /= drawn.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(estimate.transition_matrix, drawn, atol=0.02)
        wrong = np.mean(clean != scores.given_labels)
        self.assertAlmostEqual(estimate.noise_rate, wrong, delta=0.01)
        np.testing.assert_allclose(
            estimate.class_noise_rates, 1 - np.diagonal(drawn), atol=0.02
        )
        for label in range(4):
            read = scores.given_labels == label
            self.assertAlmostEqual(
                estimate.label_error_rates[label],
                np.mean(clean[read] != label),
                delta=0.02,
            )
        self.assertEqual(estimate.num_examples, 4000)

    def test_intervals_hold_the_estimate_and_have_the_width_of_a_share(self):
        matrix = noise.symmetric_transition_matrix(3, 0.3)
        scores, _ = builders.noisy_scores(matrix, 2000)
        estimate = label_issues.estimate_noise(scores, confidence=0.95)

        low, high = estimate.noise_rate_interval
        self.assertBetween(estimate.noise_rate, low, high)
        # 1.96 standard errors of a share of 0.3 among 2,000 to each side: 0.04
        # in all; the ends of a bootstrap of 1,000 scatter by some per cent.
        self.assertAlmostEqual(
            high - low, 2 * 1.96 * (0.21 / 2000) ** 0.5, delta=0.006
        )
        low, high = estimate.transition_matrix_interval
        self.assertTrue((low <= estimate.transition_matrix).all())
        self.assertTrue((estimate.transition_matrix <= high).all())
        narrow = label_issues.estimate_noise(scores, confidence=0.5)
        self.assertLess(
            np.ptp(narrow.noise_rate_interval),
            0.5 * np.ptp(estimate.noise_rate_interval),
        )

    def test_without_parts_the_interval_is_said_to_be_of_sampling(self):
        scores, _ = builders.noisy_scores(np.eye(3), 200)
        estimate = label_issues.estimate_noise(scores, confidence=0.9)
        self.assertEqual(estimate.interval_name, "90% sampling interval")
        self.assertEqual(
            estimate.to_json("abc")["intervals_hold"], "sampling error"
        )

    def test_intervals_reach_as_far_as_parts_differ(self):
        # Half of the 40 % of wrong labels were memorised: the outputs say that
        # they are right; of the held-out part, a tenth of all looks wrong
        # beside. So estimates are 0.2 and 0.46; the truth is 0.4.
        matrix = noise.symmetric_transition_matrix(3, 0.4)
        rng = np.random.default_rng(0)
        seen, clean = builders.noisy_scores(matrix, 1000)
        wrong = np.flatnonzero(seen.given_labels != clean)
        believed = clean.copy()
        memorised = wrong[: len(wrong) // 2]
        believed[memorised] = seen.given_labels[memorised]
        held_out, truth = builders.noisy_scores(matrix, 1000, seed=1)
        guesses = truth.copy()
        mistakes = rng.random(1000) < 0.1
        guesses[mistakes] = (truth[mistakes] + 1) % 3
        scores = builders.scores_of(
            0.05 + 0.85 * np.eye(3)[np.concatenate([believed, guesses])],
            np.concatenate([seen.given_labels, held_out.given_labels]),
        )
        true_rate = np.mean(
            np.concatenate([clean, truth]) != scores.given_labels
        )
        plain = label_issues.estimate_noise(scores)
        self.assertLess(plain.noise_rate_interval[1], true_rate)
        estimate = label_issues.estimate_noise(
            scores, parts=np.repeat([0, 1], 1000)
        )
        low, high = estimate.noise_rate_interval
        self.assertBetween(true_rate, low, high)
        self.assertAlmostEqual(low, 0.2 - 0.02, delta=0.02)
        self.assertEqual(estimate.noise_rate, plain.noise_rate)
        self.assertEqual(estimate.interval_name, "95% interval")
        ends = estimate.transition_matrix_interval
        diagonal = np.diagonal(ends, axis1=1, axis2=2)
        self.assertTrue((diagonal[0] < 0.6).all())
        self.assertTrue((diagonal[1] > 0.6).all())
        self.assertTrue(((ends >= 0.0) & (ends <= 1.0)).all())

    def test_small_parts_are_not_looked_at_by_themselves(self):
        scores, _ = builders.noisy_scores(np.eye(3), 200)
        estimate = label_issues.estimate_noise(
            scores, parts=np.repeat([0, 1], [171, 29])
        )
        self.assertEqual(estimate.interval_name, "95% sampling interval")

    @parameterized.parameters(([0, 1],), (np.zeros(30),))
    def test_wrong_parts_are_refused(self, parts):
        scores, _ = builders.noisy_scores(np.eye(3), 30)
        with self.assertRaisesRegex(ValueError, "`parts` must be integers"):
            label_issues.estimate_noise(scores, parts=parts)

    def test_resamples_follow_the_seed(self):
        scores, _ = builders.noisy_scores(
            noise.symmetric_transition_matrix(3, 0.3), 200
        )
        ends = [
            label_issues.estimate_noise(scores, seed=s).noise_rate_interval
            for s in (0, 0, 1)
        ]
        self.assertEqual(ends[0], ends[1])
        self.assertNotEqual(ends[0], ends[2])

    def test_a_class_that_no_label_reads_has_no_error_rate(self):
        scores = builders.scores_of(
            [[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]] * 10, [0, 1] * 10
        )
        estimate = label_issues.estimate_noise(scores)
        self.assertTrue(np.isnan(estimate.label_error_rates[2]))
        self.assertEqual(estimate.transition_matrix[2].tolist(), [0, 0, 1])
        plain = estimate.to_json(["a", "b", "c"])
        self.assertIsNone(plain["label_error_rates"]["c"])
        self.assertEqual(plain["label_error_rates_interval"]["c"], [None] * 2)

    def test_of_many_classes_resamples_are_drawn_in_parts(self):
        scores, clean = builders.noisy_scores(
            noise.symmetric_transition_matrix(200, 0.2), 8000
        )
        estimate = label_issues.estimate_noise(scores, num_resamples=100)
        wrong = np.mean(clean != scores.given_labels)
        self.assertAlmostEqual(estimate.noise_rate, wrong, delta=0.02)

    @parameterized.parameters(
        ({"confidence": 1.0}, "`confidence` must lie in"),
        ({"num_resamples": 10}, "`num_resamples` must be at least 100"),
        ({"seed": -1}, "`seed` must"),
    )
    def test_wrong_arguments_are_named(self, arguments, message):
        scores, _ = builders.noisy_scores(np.eye(3), 30)
        with self.assertRaisesRegex(ValueError, message):
            label_issues.estimate_noise(scores, **arguments)


if __name__ == "__main__":
    absltest.main()
