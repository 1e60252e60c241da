"""The choice among trials, in cases computed by hand."""

import math

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.tuning import selection
from limit_tf.tuning.trials import PRUNED
from tests.tuning.builders import trial


class StandardErrorTest(parameterized.TestCase):
    # sqrt(0.5 * 0.5 / 100), sqrt(0.9 * 0.1 / 225), and of what never varies.
    @parameterized.parameters(
        (0.5, 100, 0.05), (0.9, 225, 0.02), (1.0, 10, 0.0), (0.0, 10, 0.0)
    )
    def test_by_hand(self, accuracy, num_labels, expected):
        self.assertAlmostEqual(
            selection.standard_error(accuracy, num_labels), expected
        )

    @parameterized.parameters(
        (1.1, 10, "`accuracy`.*1.1"), (0.5, 0, "`num_labels`.*0")
    )
    def test_refusals(self, accuracy, num_labels, message):
        with self.assertRaisesRegex(ValueError, message):
            selection.standard_error(accuracy, num_labels)


class DistanceTest(absltest.TestCase):
    def test_by_hand(self):
        # Of 100 labels, 10 the one alone and 1 the other alone: the mean of
        # the differences is 0.09, the sum of their squares 11.
        distance = selection.distance(
            trial(0, range(0, 50)), trial(1, range(10, 51))
        )
        self.assertAlmostEqual(distance.accuracy, 0.09)
        self.assertAlmostEqual(
            distance.standard_error, math.sqrt((11 - 100 * 0.09**2) / 99 / 100)
        )
        self.assertFalse(distance.is_a_tie)

    def test_of_a_trial_to_itself(self):
        one = trial(0, range(50))
        self.assertEqual(selection.distance(one, one).standard_error, 0.0)
        self.assertTrue(selection.distance(one, one).is_a_tie)

    def test_one_label_is_a_tie_and_two_alike_are_not(self):
        one = trial(0, range(50))
        for others, expected in ((range(1, 50), True), (range(2, 50), False)):
            distance = selection.distance(one, trial(1, others))
            self.assertEqual(distance.is_a_tie, expected)


class SelectTest(absltest.TestCase):
    def test_best_that_may_be_as_good_and_memorises_least(self):
        trials = [
            trial(0, range(0, 50), memorised=0.3),
            # 48 of them right, 10 of these others: 0.02 behind, 0.047 of error.
            trial(1, [*range(0, 38), *range(80, 90)], memorised=0.14),
            trial(2, range(0, 50), memorised=0.2),
            trial(3, [*range(0, 38), *range(80, 89)], memorised=0.1),
            # As many right, all of them like the best: 0.02, 0.014 of error.
            trial(4, range(0, 48), memorised=0.0),
        ]
        choice = selection.select(trials)
        self.assertEqual(choice.chosen.trial_id, "1")
        self.assertEqual(choice.best.trial_id, "0")
        self.assertIn("2.0% ± 4.7% behind trial 0", choice.reason)
        self.assertIn("14% in place of 30%", choice.reason)

    def test_the_best_stays_where_none_memorises_less(self):
        trials = [
            trial(0, range(0, 50), memorised=0.14),
            trial(1, range(1, 50), memorised=0.1),
        ]
        choice = selection.select(trials)
        self.assertEqual(choice.chosen.trial_id, "0")
        self.assertIn(
            "none that may be as good memorises clearly less", choice.reason
        )

    def test_memorised_share_by_hand(self):
        # 40 of 100 labels are told; of the other 60, 30 are known all the same.
        one = trial(0, range(40), memorised=0.5)
        self.assertAlmostEqual(one.train_accuracy, 0.7)
        self.assertAlmostEqual(one.memorised, 0.5)
        self.assertEqual(trial(0, range(100)).memorised, 0.0)

    def test_trials_of_another_family_are_not_compared(self):
        trials = [
            trial(0, range(50), memorised=0.5),
            trial(1, range(50), memorised=0.0),
            trial(2, range(1, 50), memorised=0.1),
        ]
        for one, q_dist in zip(
            trials, ("laplace", "gaussian", "laplace"), strict=True
        ):
            one.values["limit.q_dist"] = q_dist
        choice = selection.select(trials, "limit.q_dist")
        self.assertEqual(choice.chosen.trial_id, "2")

    def test_stopped_and_short_trials_come_last(self):
        short = trial(0, range(60), epochs=3)
        whole = trial(1, range(50))
        pruned = trial(2, range(70), stopped=PRUNED)
        for trials, expected in (
            ([short, whole, pruned], "1"),
            ([short, pruned], "0"),
            ([pruned], "2"),
        ):
            choice = selection.select(trials)
            self.assertEqual(choice.chosen.trial_id, expected)

    def test_no_trial_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`trials`"):
            selection.select([])


if __name__ == "__main__":
    absltest.main()
