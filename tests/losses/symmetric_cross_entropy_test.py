import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.losses import SymmetricCrossEntropy


class SymmetricCrossEntropyTest(parameterized.TestCase):
    @parameterized.parameters((0.1, 1.0, 1e-4), (6.0, 0.1, 1e-2))
    def test_by_hand(self, alpha, beta, label_clip):
        # p = (3/4, 1/4). For a label of class 1, RCE = -3/4 log(clip); for
        # (1/2, 1/2) both parts are sums with log(1/2).
        logits = [[np.log(3.0), 0.0]] * 2
        loss = SymmetricCrossEntropy(alpha, beta, label_clip, reduction="none")
        expected = [
            alpha * np.log(4.0) - beta * 0.75 * np.log(label_clip),
            -alpha * 0.5 * np.log(3 / 16) + beta * np.log(2.0),
        ]
        np.testing.assert_allclose(
            loss([[0.0, 1.0], [0.5, 0.5]], logits), expected, rtol=1e-6
        )


if __name__ == "__main__":
    absltest.main()
