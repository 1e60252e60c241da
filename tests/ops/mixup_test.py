"""Draws and mixtures of mixup."""

import numpy as np
import scipy.stats
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import ops


def seeds(count):
    """Returns seeds `(count, 2)`."""
    return tf.constant([[7, index] for index in range(count)])


class MixupWeightTest(parameterized.TestCase):
    @parameterized.product(alpha=(0.2, 1.0, 1.5), jit_compile=(False, True))
    def test_draw_is_the_quantile_of_a_uniform_draw(self, alpha, jit_compile):
        # The distribution function of max(l, 1 - l) is 2 I(alpha, alpha) - 1
        # on [1/2, 1], so the quantile of u is the beta's of (1 + u) / 2. With
        # alpha = 1 that is (1 + u) / 2 itself, which tells u.
        draw = tf.function(
            lambda seed: (
                ops.mixup_weight(alpha, seed),
                ops.mixup_weight(1.0, seed),
            ),
            jit_compile=jit_compile,
        )
        for seed in seeds(50):
            weight, half = (value.numpy() for value in draw(seed))
            # 24 bisections of 1/2 leave 2^-26; the float32 distribution
            # function, wrong by some 1e-6, has a slope of at least 0.3.
            np.testing.assert_allclose(
                weight, scipy.stats.beta.ppf(half, alpha, alpha), atol=1e-5
            )

    @parameterized.product(alpha=(0.2, 1.0, 1.5))
    def test_draws_follow_the_distribution(self, alpha):
        draw = tf.function(
            lambda all_seeds: tf.map_fn(
                lambda seed: ops.mixup_weight(alpha, seed),
                all_seeds,
                fn_output_signature=tf.float32,
            )
        )
        draws = draw(seeds(1000)).numpy()
        self.assertGreaterEqual(draws.min(), 0.5)
        self.assertLessEqual(draws.max(), 1.0)
        distance = scipy.stats.kstest(
            draws, lambda v: 2.0 * scipy.stats.beta.cdf(v, alpha, alpha) - 1.0
        ).statistic
        # Exceeded by one in a thousand samples of the distribution.
        self.assertLess(distance, 1.95 / np.sqrt(len(draws)))

    @parameterized.parameters(0.2, 1.5)
    def test_xla_draws_the_same(self, alpha):
        draws = [
            tf.function(
                lambda seed: ops.mixup_weight(alpha, seed), jit_compile=jit
            )
            for jit in (False, True)
        ]
        for seed in seeds(10):
            first, second = (draw(seed) for draw in draws)
            np.testing.assert_allclose(first, second, atol=1e-6)

    def test_seed_decides(self):
        first, again = (ops.mixup_weight(1.0, seeds(1)[0]) for _ in range(2))
        self.assertEqual(float(first), float(again))
        self.assertNotEqual(
            float(first), float(ops.mixup_weight(1.0, seeds(2)[1]))
        )


class RandomOrderTest(parameterized.TestCase):
    def test_every_position_is_there_once_with_xla_and_without(self):
        order, other = (
            tf.function(
                lambda seed: ops.random_order(50, seed), jit_compile=jit
            )(seeds(1)[0]).numpy()
            for jit in (False, True)
        )
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
        np.testing.assert_array_equal(order, other)
        self.assertFalse(np.array_equal(order, np.arange(50)))

    def test_all_orders_are_equally_likely(self):
        draw = tf.function(lambda seed: ops.random_order(3, seed))
        orders = [tuple(draw(seed).numpy()) for seed in seeds(600)]
        counts = [orders.count(order) for order in set(orders)]
        self.assertLen(counts, 6)
        # Each count is binomial with mean 100 and deviation 9.1.
        self.assertLess(np.abs(np.array(counts) - 100).max(), 4 * 9.1)


class MixTest(parameterized.TestCase):
    def test_rows_are_mixed_with_their_partners(self):
        values = tf.constant([[0.0, 1.0], [4.0, 3.0], [8.0, 5.0]])
        mixed = ops.mix(values, tf.constant(0.75), tf.constant([1, 2, 1]))
        np.testing.assert_allclose(
            mixed, [[1.0, 1.5], [5.0, 3.5], [7.0, 4.5]], rtol=1e-6
        )

    @parameterized.parameters("uint8", "int32", "float16", "float64")
    def test_dtype_is_kept_and_integers_are_rounded(self, dtype):
        values = tf.cast([[0.0], [255.0]], dtype)
        mixed = ops.mix(values, tf.constant(0.75), tf.constant([1, 0]))
        self.assertEqual(mixed.dtype.name, dtype)
        exact = np.array([[63.75], [191.25]])
        expected = np.round(exact) if "int" in dtype else exact
        np.testing.assert_allclose(
            tf.cast(mixed, tf.float64), expected, rtol=2.0**-11
        )

    def test_weight_one_changes_nothing(self):
        values = tf.random.stateless_normal([5, 2, 3], seeds(1)[0])
        mixed = ops.mix(values, tf.constant(1.0), tf.constant([4, 3, 2, 1, 0]))
        np.testing.assert_array_equal(mixed, values)


if __name__ == "__main__":
    absltest.main()
