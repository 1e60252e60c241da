"""Figures of trials that an estimated transition matrix gives."""

import numpy as np
from absl.testing import absltest

from limit_tf.tuning import correction


class ForwardCrossEntropyTest(absltest.TestCase):
    def test_by_hand(self):
        matrix = np.array([[0.75, 0.25], [0.4, 0.6]])
        # Probabilities 1/2 and 1/2, then 1 and 0.
        logits = np.array([[3.0, 3.0], [100.0, -100.0]], np.float32)
        value = correction.forward_cross_entropy(
            logits, np.array([0, 1]), matrix
        )
        self.assertAlmostEqual(value, -(np.log(0.575) + np.log(0.25)) / 2)


if __name__ == "__main__":
    absltest.main()
