"""The choice among trials, in cases computed by hand."""

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.tuning import selection
from limit_tf.tuning.trials import OUT_OF_BUDGET
from limit_tf.tuning.trials import PRUNED
from limit_tf.tuning.trials import FinishedTrial

PENALTY = "limit.gradient_penalty"


def trial(number, accuracy, penalty=1.0, stopped=None, epochs=10):
    return FinishedTrial(
        trial_id=str(number),
        values={PENALTY: penalty},
        valid_accuracy=accuracy,
        valid_cross_entropy=1.0,
        num_valid_labels=100,
        test_accuracy=None,
        epochs=epochs,
        num_epochs=epochs,
        best_epoch=1,
        stopped_early=stopped,
        seconds=1.0,
    )


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


class SelectTest(absltest.TestCase):
    # At 0.5 on 100 labels the standard error is 0.05.
    def test_strongest_penalty_within_one_standard_error(self):
        trials = [
            trial(0, 0.50, 1.0),
            trial(1, 0.46, 10.0),
            trial(2, 0.46, 3.0),
            trial(3, 0.44, 100.0),
        ]
        choice = selection.select(trials, PENALTY)
        self.assertEqual(choice.chosen.trial_id, "1")
        self.assertEqual(choice.best.trial_id, "0")
        self.assertAlmostEqual(choice.standard_error, 0.05)
        self.assertIn("trial 0", choice.reason)

    def test_penalties_of_another_family_are_not_compared(self):
        trials = [trial(0, 0.50, 1.0), trial(1, 0.48, 10.0), trial(2, 0.47)]
        for one, q_dist in zip(
            trials, ("laplace", "gaussian", "laplace"), strict=True
        ):
            one.values["limit.q_dist"] = q_dist
        trials[2].values[PENALTY] = 3.0
        choice = selection.select(trials, PENALTY, "limit.q_dist")
        self.assertEqual(choice.chosen.trial_id, "2")
        self.assertIn("of 'laplace' within", choice.reason)

    def test_better_one_of_equal_penalties(self):
        trials = [trial(0, 0.46, 10.0), trial(1, 0.5, 10.0)]
        choice = selection.select(trials, PENALTY)
        self.assertEqual(choice.chosen.trial_id, "1")
        self.assertIn("no trial within", choice.reason)

    def test_without_a_penalty_the_best(self):
        trials = [trial(0, 0.46, 10.0), trial(1, 0.5, 1.0)]
        choice = selection.select(trials)
        self.assertEqual(choice.chosen.trial_id, "1")

    def test_stopped_and_short_trials_come_last(self):
        short = trial(0, 0.6, epochs=3)
        stopped = trial(1, 0.55, stopped=OUT_OF_BUDGET)
        whole = trial(2, 0.5)
        pruned = trial(3, 0.4, stopped=PRUNED)
        for trials, expected in (
            ([short, stopped, whole, pruned], "2"),
            ([short, stopped, pruned], "0"),
            ([stopped, pruned], "1"),
        ):
            choice = selection.select(trials, PENALTY)
            self.assertEqual(choice.chosen.trial_id, expected)

    def test_no_trial_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`trials`"):
            selection.select([])


if __name__ == "__main__":
    absltest.main()
