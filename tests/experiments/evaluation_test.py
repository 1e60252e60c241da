"""Predictions come in the order of the images, two batches at a time."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.experiments.evaluation import Predictor
from tests import testing


class PredictorTest(parameterized.TestCase):
    @parameterized.parameters(1, 999, 1000, 1001, 4300)
    def test_logits_are_those_of_each_row(self, num_rows):
        kernel = np.array([[1.0, -1.0], [0.5, 2.0]], "float32")
        rows = np.random.default_rng(0).normal(size=(num_rows, 2))
        rows = rows.astype("float32")
        predictor = Predictor(testing.linear(kernel))
        logits = predictor.logits(rows)
        self.assertEqual(logits.dtype, np.float32)
        np.testing.assert_allclose(logits, rows @ kernel, rtol=1e-5, atol=1e-6)
        labels = np.argmax(rows @ kernel, -1)
        self.assertEqual(predictor.accuracy(rows, labels), 1.0)

    def test_an_error_in_a_batch_is_raised(self):
        predictor = Predictor(testing.linear(np.eye(2)))
        with self.assertRaises(Exception) as caught:
            predictor.logits(np.zeros((2500, 3), "float32"))
        self.assertIn("shape", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
