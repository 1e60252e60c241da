"""Which labels are issues, and in which order."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized
from scipy import special

from limit_tf import label_issues
from limit_tf import noise
from limit_tf.label_issues.wrong_probs import wrong_log_odds
from tests.label_issues import builders

PAIR = noise.pair_transition_matrix(4, 0.3)


def estimate_of(matrix, rate, num_examples=10**9):
    """An estimate without doubt: of so many examples none is unseen."""
    matrix = np.asarray(matrix, float)
    num_classes = len(matrix)
    return label_issues.NoiseEstimate(
        noise_rate=rate,
        noise_rate_interval=(rate, rate),
        transition_matrix=matrix,
        transition_matrix_interval=np.stack([matrix, matrix]),
        class_noise_rates=1 - np.diagonal(matrix),
        label_error_rates=np.full(num_classes, rate),
        label_error_rates_interval=np.full((2, num_classes), rate),
        confidence=0.95,
        num_examples=num_examples,
    )


def wrong_probs(scores, estimate):
    return special.expit(wrong_log_odds(scores, estimate))


class WrongProbsTest(parameterized.TestCase):
    def test_bayes_rule_by_hand(self):
        # Class 0 reads 1 in a quarter of the cases, class 1 is never misread.
        # An example of the label 1 with p = (0.5, 0.5): it is wrong with
        # 0.5 * 0.25 / (0.5 * 0.25 + 0.5 * 1) = 0.2; one of the label 0 cannot
        # be wrong. So 3 in 8 labels are 0, as they are here: the outputs are
        # the probabilities, and nothing is brought nearer to them.
        estimate = estimate_of([[0.75, 0.25], [0.0, 1.0]], rate=0.1)
        labels = [0] * 3 + [1] * 5
        scores = builders.scores_of([[0.5, 0.5]] * 8, labels)
        probs = wrong_probs(scores, estimate)
        np.testing.assert_allclose(probs, [0.0] * 3 + [0.2] * 5, atol=1e-3)

    @parameterized.parameters(
        (1.0, (0.0, 0.0)), (2.0, (0.0, 0.0)), (1.5, (-0.5, 0.5))
    )
    def test_flat_and_shifted_outputs_become_probabilities(self, a, offsets):
        # Two kinds of examples, whose true classes are 0 with 0.9 and 0.3;
        # labels as often as symmetric noise of 0.3 makes them: 0 with 0.9 *
        # 0.7 + 0.1 * 0.3 = 0.66 and 0.3 * 0.7 + 0.7 * 0.3 = 0.42.
        true = np.array([[0.9, 0.1], [0.3, 0.7]])
        outputs = np.exp((np.log(true) - offsets) / a)
        outputs /= outputs.sum(axis=1, keepdims=True)
        probs = np.repeat(outputs, 10_000, axis=0)
        labels = np.repeat([0, 1, 0, 1], [6600, 3400, 4200, 5800])
        estimate = estimate_of([[0.7, 0.3], [0.3, 0.7]], rate=0.3)
        found = wrong_probs(builders.scores_of(probs, labels), estimate)
        # Labels 0, 1 of either kind: p[i] 0.3 over its sum with p[j] 0.7.
        expected = [0.03 / 0.66, 0.27 / 0.34, 0.21 / 0.42, 0.09 / 0.58]
        np.testing.assert_allclose(
            found[[0, 9_999, 10_000, -1]], expected, atol=0.01
        )

    def test_right_labels_of_a_small_class_are_spared(self):
        # 950 examples of class 0, 50 of class 1, labels wrong with 0.1: of 140
        # that read 1, some 45 are right. The predictor, as if a penalty held
        # it back, expects class 1 by a factor of e^4 too rarely.
        rng = np.random.default_rng(0)
        clean = np.repeat([0, 1], [950, 50])
        given = np.where(rng.random(1000) < 0.1, 1 - clean, clean)
        logits = np.where(clean == 1, 2.0, -2.0) + rng.normal(size=1000) - 4.0
        probs = special.expit(np.stack([-logits, logits], axis=1))
        scores = builders.scores_of(probs, given)
        right = (clean == 1) & (given == 1)
        is_wrong = (
            wrong_log_odds(
                scores, estimate_of([[0.9, 0.1], [0.1, 0.9]], rate=0.1)
            )
            > 0
        )
        by_itself = 0.1 * probs[:, 0] > 0.9 * probs[:, 1]  # Bayes' rule alone
        self.assertGreater(by_itself[right].mean(), 0.3)
        self.assertLess(is_wrong[right].mean(), by_itself[right].mean() / 2)
        wrong = given != clean
        self.assertGreater(is_wrong[wrong].mean(), 0.9)

    def test_labels_that_both_agree_on_are_not_called_wrong(self):
        # By the estimate most labels of class 0 read 1. What the predictor
        # finds certain stays right all the same.
        estimate = estimate_of([[0.2, 0.8], [0.0, 1.0]], rate=0.4)
        scores = builders.scores_of([[0.99, 0.01], [0.01, 0.99]], [0, 1])
        self.assertLess(wrong_probs(scores, estimate).max(), 0.1)

    def test_what_probabilities_cannot_tell_apart_odds_can(self):
        # As probabilities of being wrong, both are 1 to the last digit.
        estimate = estimate_of([[0.7, 0.3], [0.3, 0.7]], rate=1.0)
        scores = builders.scores_of(
            [[1.0, 1e-25], [1.0, 1e-30], [1e-30, 1.0]], [1, 1, 1]
        )
        odds = wrong_log_odds(scores, estimate)
        self.assertGreater(odds[1], odds[0] + 10)
        self.assertLess(odds[2], -10)
        self.assertTrue(np.isfinite(odds).all())
        for rank_by in label_issues.finding.RANKINGS:
            issues = label_issues.find_label_issues(
                scores, noise=estimate, rank_by=rank_by
            )
            self.assertEqual(issues.positions.tolist(), [1, 0, 2])

    def test_a_label_beside_the_ten_classes_kept_is_counted(self):
        probs = np.full((1, 30), 1e-3)
        probs[0, 0] = 1.0 - 29e-3
        estimate = estimate_of(
            noise.symmetric_transition_matrix(30, 0.2), rate=0.5
        )
        scores = builders.scores_of(probs, [29])
        self.assertNotIn(29, scores.top_labels)
        self.assertGreater(wrong_probs(scores, estimate)[0], 0.8)


class FindLabelIssuesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.scores, self.clean = builders.noisy_scores(PAIR, 1000, doubt=0.5)
        self.wrong = self.clean != self.scores.given_labels

    def test_without_a_rule_the_noise_is_estimated(self):
        issues = label_issues.find_label_issues(self.scores)
        found = np.zeros(1000, bool)
        found[issues.positions[issues.is_issue]] = True
        self.assertGreater(np.mean(found == self.wrong), 0.99)
        self.assertIn("more likely wrong than right", issues.rule)
        self.assertEqual(issues.threshold, 0.5)

    def test_the_most_suspicious_come_first(self):
        issues = label_issues.find_label_issues(self.scores)
        self.assertTrue((np.diff(issues.scores) <= 0).all())
        self.assertTrue((issues.scores[:100] > 0.9).all())

    def test_rows_belong_together(self):
        issues = label_issues.find_label_issues(
            self.scores, clean_labels=self.clean
        )
        at = issues.positions
        self.assertEqual(sorted(at), list(range(1000)))
        for name in ("example_ids", "given_labels", "suggested_labels"):
            self.assertEqual(
                getattr(issues, name).tolist(),
                getattr(self.scores, name)[at].tolist(),
            )
        self.assertEqual(issues.clean_labels.tolist(), self.clean[at].tolist())
        self.assertEqual(
            issues.details["predictor_prob"].tolist(),
            self.scores.predictor_prob[at].tolist(),
        )

    @parameterized.parameters(0.0, 0.123, 1.0)
    def test_a_fraction_takes_the_first_ones(self, fraction):
        issues = label_issues.find_label_issues(self.scores, fraction=fraction)
        number = round(1000 * fraction)
        self.assertEqual(issues.num_issues, number)
        self.assertTrue(issues.is_issue[:number].all())

    def test_a_threshold_takes_those_that_reach_it(self):
        issues = label_issues.find_label_issues(
            self.scores, threshold=0.6, rank_by="l1_distance"
        )
        self.assertEqual(
            issues.is_issue.tolist(), (issues.scores >= 0.6).tolist()
        )
        np.testing.assert_allclose(
            issues.scores, issues.details["l1_distance"] / 2, atol=1e-6
        )
        self.assertEqual(issues.threshold, 0.6)

    def test_the_noise_model_ranks_better_where_classes_are_confused(self):
        # A label that noise cannot have made is less suspicious.
        found = [
            label_issues.find_label_issues(
                self.scores, rank_by=rank_by, clean_labels=self.clean
            )
            for rank_by in ("l1_distance", "wrong_prob")
        ]
        number = int(self.wrong.sum())
        hits = [
            np.mean(i.given_labels[:number] != i.clean_labels[:number])
            for i in found
        ]
        self.assertGreaterEqual(hits[1], hits[0])
        self.assertGreater(hits[1], 0.99)

    @parameterized.parameters(
        ({"threshold": 1.5}, "`threshold` must lie in"),
        ({"fraction": -0.1}, "`fraction` must lie in"),
        ({"fraction": 0.1, "threshold": 0.1}, "`fraction` must be left out"),
        ({"rank_by": "loss"}, "`rank_by` must be one of"),
        ({"class_names": ["a", "b"]}, "`class_names` must be as many as the 4"),
        ({"clean_labels": [0, 1]}, r"`clean_labels` must have shape \(1000,\)"),
    )
    def test_wrong_arguments_are_named(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            label_issues.find_label_issues(self.scores, **arguments)


if __name__ == "__main__":
    absltest.main()
