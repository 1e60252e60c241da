"""The median stopping rule, on histories made by hand."""

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.tuning.pruning import MedianStoppingRule

# The best so far after each of eight epochs: medians 0.2, 0.3, 0.4, 0.5, ...
FINISHED = [
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
    [0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5],
    [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
]


class MedianStoppingRuleTest(parameterized.TestCase):
    # In epoch 4 the median of the bests is 0.5, its standard error on 100
    # labels 0.05.
    @parameterized.parameters(
        ([0.1, 0.1, 0.1, 0.44], True),
        ([0.1, 0.1, 0.1, 0.46], False),
        ([0.46, 0.1, 0.1, 0.1], False),  # the best so far counts
        ([0.1, 0.1], False),  # the first quarter
        ([0.1, 0.1, 0.1], True),  # just after it: 0.1 < 0.4 - 0.049
    )
    def test_by_hand(self, accuracies, expected):
        rule = MedianStoppingRule(epochs=8, num_labels=100)
        self.assertEqual(rule.should_stop(accuracies, FINISHED), expected)

    def test_three_finished_trials_are_needed(self):
        rule = MedianStoppingRule(epochs=8, num_labels=100)
        self.assertFalse(rule.should_stop([0.0] * 4, FINISHED[:2]))
        self.assertTrue(rule.should_stop([0.0] * 4, FINISHED))

    def test_a_trial_that_ended_earlier_counts_with_its_best(self):
        rule = MedianStoppingRule(epochs=8, num_labels=100)
        finished = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]
        self.assertTrue(rule.should_stop([0.8] * 6, finished))
        self.assertFalse(rule.should_stop([0.88] * 6, finished))

    def test_a_lucky_epoch_does_not_save_a_trial(self):
        finished = [[0.5] * 8] * 3
        for window, expected in ((1, False), (2, True)):
            rule = MedianStoppingRule(epochs=8, num_labels=100, window=window)
            self.assertEqual(
                rule.should_stop([0.1, 0.7, 0.1, 0.1], finished), expected
            )

    def test_few_labels_stop_later(self):
        # On 9 labels the standard error of 0.5 is 0.167.
        few = MedianStoppingRule(epochs=8, num_labels=9)
        self.assertFalse(few.should_stop([0.35] * 4, FINISHED))

    @parameterized.parameters(
        ({"epochs": 0}, "`epochs`"),
        ({"num_labels": 0}, "`num_labels`"),
        ({"min_trials": 0}, "`min_trials`"),
        ({"window": 0}, "`window`"),
        ({"first_share": 1.5}, "`first_share`"),
    )
    def test_refusals(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            MedianStoppingRule(**{"epochs": 8, "num_labels": 9, **changes})


if __name__ == "__main__":
    absltest.main()
