"""The picture of a search: colours by standard errors, words with room."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.tuning import plot
from tests.tuning.builders import trial


class BehindStepTest(parameterized.TestCase):
    # Of 100 labels, the other trial predicts `lost` fewer, none that the best
    # does not: a difference of d = lost / 100 with the standard error
    # sqrt(d (1 - d) / 99). That is 1.0, 2.3, 4.2 and 9.9 of them behind.
    @parameterized.parameters((0, 0), (1, 0), (5, 2), (15, 3), (50, 4))
    def test_by_hand(self, lost, step):
        best = trial(0, range(60))
        self.assertEqual(
            plot.behind_step(best, trial(1, range(lost, 60))), step
        )


class TicksTest(absltest.TestCase):
    def test_words_do_not_touch(self):
        heights = {f"{h:.4f}": h for h in np.linspace(0, 1, 90) ** 2}
        chosen = sorted(heights[name] for name in plot.ticks(heights))
        self.assertGreater(len(chosen), 8)
        self.assertGreaterEqual(np.diff(chosen).min(), 0.05)
        self.assertEqual([chosen[0], chosen[-1]], [0.0, 1.0])

    def test_few_words_are_all_written(self):
        heights = {"sgd": 0.0, "adam": 1.0}
        self.assertEqual(plot.ticks(heights), ["sgd", "adam"])
        self.assertEqual(plot.ticks({"sgd": 0.0}), ["sgd"])

    def test_long_words_are_cut_in_the_middle(self):
        self.assertEqual(plot.shortened("a" * 18), "a" * 18)
        self.assertEqual(
            plot.shortened("my_package.networks:large_one"), "my_packa…arge_one"
        )


if __name__ == "__main__":
    absltest.main()
