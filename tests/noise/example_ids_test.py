import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.noise import example_ids as example_ids_lib

_MASK = 2**64 - 1


def split_mix(state):
    """One output of SplitMix64 with Python's integers."""
    z = state & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


class ExampleIdsTest(parameterized.TestCase):
    def test_draws_are_those_of_a_generator_in_plain_python(self):
        gamma = 0x9E3779B97F4A7C15
        ids = [0, 1, -1, 2**63 - 1, -(2**63)]
        start = split_mix(7 + gamma)
        expected = [
            (split_mix(start + (i + 1) * gamma) >> 11) / 2**53 for i in ids
        ]
        draws = example_ids_lib.uniform_draws(7, np.array(ids))
        self.assertEqual(draws.tolist(), expected)

    def test_draws_never_change(self):
        # Written down once: labels of published runs depend on them.
        draws = example_ids_lib.uniform_draws(0, np.arange(2))
        np.testing.assert_array_equal(
            draws, [0.6524484863740322, 0.7012121095215252]
        )
        draws = example_ids_lib.uniform_draws(0, np.array(["a"]))
        np.testing.assert_array_equal(draws, [0.03794428746007994])

    def test_text_and_its_bytes_are_the_same_identifier(self):
        np.testing.assert_array_equal(
            example_ids_lib.uniform_draws(1, np.array(["a", "é"])),
            example_ids_lib.uniform_draws(
                1, np.array([b"a", "é".encode()], object)
            ),
        )

    @parameterized.parameters(0, 1, 2**64 - 1)
    def test_draws_are_uniform_and_independent(self, seed):
        n = 100_000
        draws = example_ids_lib.uniform_draws(seed, np.arange(n))
        self.assertTrue(np.all((draws >= 0) & (draws < 1)))
        # Five standard errors: of 100 counts (binomial, p = 1/100), and of
        # a correlation (1 / sqrt(n)) between neighbours or seeds.
        counts = np.histogram(draws, bins=100, range=(0, 1))[0]
        np.testing.assert_allclose(
            counts, n / 100, atol=5 * np.sqrt(n * 0.01 * 0.99)
        )
        other = example_ids_lib.uniform_draws(seed ^ 1, np.arange(n))
        for a, b in ((draws[1:], draws[:-1]), (draws, other)):
            self.assertLess(abs(np.corrcoef(a, b)[0, 1]), 5 / np.sqrt(n))

    @parameterized.parameters(
        ([0, 1, 1], ValueError, "unique.*1 repeated of 3"),
        (["a", "b", "a"], ValueError, "unique.*1 repeated of 3"),
        ([0, 1], ValueError, r"shape \(3,\)"),
        ([[0], [1], [2]], ValueError, r"shape \(3,\)"),
        ([0.0, 1.0, 2.0], TypeError, "integers.*float64"),
        ([None, 1, "a"], TypeError, "integers.*object"),
    )
    def test_bad_ids_are_refused(self, ids, error, message):
        with self.assertRaisesRegex(error, f"`example_ids`.*{message}"):
            example_ids_lib.check_example_ids(ids, 3)

    def test_no_examples_are_fine(self):
        ids = example_ids_lib.check_example_ids([], 0)
        self.assertEqual(example_ids_lib.uniform_draws(0, ids).shape, (0,))


if __name__ == "__main__":
    absltest.main()
