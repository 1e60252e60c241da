import numpy as np
from absl.testing import absltest

from limit_tf.losses import MeanAbsoluteError


class MeanAbsoluteErrorTest(absltest.TestCase):
    def test_by_hand(self):
        # p = (3/4, 1/4): a label of class 1 gives 2 (1 - 1/4), the soft label
        # (1/2, 1/2) gives 1/4 + 1/4.
        logits = [[np.log(3.0), 0.0]] * 2
        loss = MeanAbsoluteError(reduction="none")
        np.testing.assert_allclose(
            loss([[0.0, 1.0], [0.5, 0.5]], logits), [1.5, 0.5], rtol=1e-6
        )


if __name__ == "__main__":
    absltest.main()
