"""Means of consecutive epochs, in cases computed by hand."""

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.tuning import smoothing


class SmoothingTest(parameterized.TestCase):
    @parameterized.parameters((1, 1), (4, 1), (10, 2), (100, 20), (400, 20))
    def test_window(self, epochs, expected):
        self.assertEqual(smoothing.window_of(epochs), expected)

    @parameterized.parameters(
        # A lucky epoch is worth less than two good ones.
        ([0.1, 0.9, 0.1, 0.6, 0.6], 2, slice(3, 5), 0.6),
        ([0.5, 0.5, 0.5], 2, slice(0, 2), 0.5),
        # Fewer epochs than a window: all of them.
        ([0.2, 0.4], 3, slice(0, 2), 0.3),
        ([0.2], 1, slice(0, 1), 0.2),
    )
    def test_best_mean(self, accuracies, window, epochs, expected):
        self.assertEqual(smoothing.best_window(accuracies, window), epochs)
        self.assertAlmostEqual(
            smoothing.best_mean(accuracies, window), expected
        )


if __name__ == "__main__":
    absltest.main()
