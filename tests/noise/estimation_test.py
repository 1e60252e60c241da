import pathlib

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import noise

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"

# By column, in falling order: 0.9, 0.8, 0.3, 0.2 and 0.8, 0.7, 0.2, 0.1. The
# percentile 60 of four entries, rounded up, is the second largest.
PROBS = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]])


def estimate_with_filter_in_place(probs, percentile):
    """The reference, whose filter leaves zeros for later columns."""
    probs = probs.copy()
    rows = []
    for column in probs.T:
        threshold = np.percentile(column, percentile, method="higher")
        column[column >= threshold] = 0.0
        rows.append(probs[np.argmax(column)].copy())
    return np.stack([row / row.sum() for row in rows])


class EstimateTransitionMatrixTest(parameterized.TestCase):
    @parameterized.parameters("golden_0.npz", "golden_1.npz")
    def test_estimate_equals_the_golden_one(self, file):
        values = np.load(GOLDEN / file)
        given = noise.estimate_transition_matrix(values["transition_probs"])
        self.assertEqual(given.dtype, np.float64)
        np.testing.assert_allclose(
            given, values["transition_estimate"], rtol=1e-12
        )

    def test_by_hand(self):
        np.testing.assert_allclose(
            noise.estimate_transition_matrix(PROBS, filter_percentile=60),
            [[0.3, 0.7], [0.8, 0.2]],
        )

    def test_without_filter_the_most_likely_examples_stand(self):
        np.testing.assert_allclose(
            noise.estimate_transition_matrix(PROBS, filter_percentile=None),
            [[0.9, 0.1], [0.2, 0.8]],
        )

    def test_columns_are_filtered_one_by_one(self):
        # Filtering in place zeroes 0.8 in column 0 before row 1 is read.
        reference = estimate_with_filter_in_place(PROBS, 60)
        np.testing.assert_allclose(reference, [[0.3, 0.7], [0.0, 1.0]])

    @parameterized.parameters(range(5))
    def test_it_differs_from_filtering_in_place_only_by_left_zeros(self, seed):
        rng = np.random.default_rng(seed)
        probs = rng.dirichlet(np.full(5, 0.3), 200)
        ours = noise.estimate_transition_matrix(probs, filter_percentile=80)
        theirs = estimate_with_filter_in_place(probs, 80)
        kept = theirs != 0.0
        self.assertFalse(kept.all())
        masked = np.where(kept, ours, 0.0)
        np.testing.assert_allclose(
            theirs, masked / masked.sum(axis=1, keepdims=True)
        )

    def test_the_given_array_is_left_as_it_was(self):
        probs = PROBS.copy()
        noise.estimate_transition_matrix(probs, filter_percentile=60)
        np.testing.assert_array_equal(probs, PROBS)

    def test_rows_sum_to_one_also_from_half_precision(self):
        probs = np.random.default_rng(0).dirichlet(np.ones(5), 300)
        noise.check_transition_matrix(
            noise.estimate_transition_matrix(probs.astype("float16"))
        )

    @parameterized.parameters(
        (np.ones(3), r"`probs` must have shape .*\(3,\)"),
        (np.ones((3, 1)), r"`probs` must have shape .*\(3, 1\)"),
        (np.ones((0, 3)), r"`probs` must have shape .*\(0, 3\)"),
        ([[np.nan, 1.0]], r"`probs` must hold finite.* nan at \[0, 0\]"),
        ([[1.5, -0.5]], r"`probs` must hold .* -0.5 at \[0, 1\]"),
        ([[0.5, 0.5], [0.5, 0.4]], "`probs` must have rows .* row 1 .*0.9"),
        ([[0.5, 0.5]], "`probs` must .* examples.* 1 examples, none below"),
        (np.full((50, 2), 0.5), "`probs` must .* 50 examples, none below 0.5"),
    )
    def test_bad_probabilities_are_refused_on_one_line(self, probs, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            noise.estimate_transition_matrix(probs)
        self.assertNotIn("\n", str(caught.exception))

    def test_integers_are_refused(self):
        with self.assertRaisesRegex(TypeError, "`probs` must .*int"):
            noise.estimate_transition_matrix(np.eye(3, dtype=np.int64))

    @parameterized.parameters(
        (0.0, ValueError), (101, ValueError), ("97", TypeError)
    )
    def test_a_bad_percentile_is_refused(self, percentile, error):
        with self.assertRaisesRegex(error, "`filter_percentile` must .*="):
            noise.estimate_transition_matrix(
                PROBS, filter_percentile=percentile
            )


if __name__ == "__main__":
    absltest.main()
