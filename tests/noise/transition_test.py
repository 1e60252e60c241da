import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.noise import transition


class TransitionTest(parameterized.TestCase):
    def test_symmetric_matrix_by_hand(self):
        np.testing.assert_allclose(
            transition.symmetric_transition_matrix(3, 0.2),
            [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]],
        )

    def test_uniform_matrix_by_hand(self):
        # 0.7 + 0.3 / 3 = 0.8 stays: the real flip rate is 0.3 (1 - 1/3).
        np.testing.assert_allclose(
            transition.uniform_transition_matrix(3, 0.3),
            [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]],
        )

    def test_class_map_goes_one_way_and_leaves_the_rest_clean(self):
        np.testing.assert_allclose(
            transition.class_map_transition_matrix(4, 0.3, {0: 2}),
            [[0.7, 0, 0.3, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        )

    def test_pair_matrix_is_cyclic_by_default(self):
        np.testing.assert_allclose(
            transition.pair_transition_matrix(3, 0.4),
            [[0.6, 0.4, 0], [0, 0.6, 0.4], [0.4, 0, 0.6]],
        )

    def test_sources_may_be_strings(self):
        np.testing.assert_array_equal(
            transition.pair_transition_matrix(10, 0.3, {"9": 1, "4": 7}),
            transition.pair_transition_matrix(10, 0.3, {9: 1, 4: 7}),
        )

    def test_cifar10_pairs_have_four_tenths_of_the_rate(self):
        matrix = transition.pair_transition_matrix(
            10, 0.5, transition.CIFAR10_PAIRS
        )
        self.assertAlmostEqual(1 - np.trace(matrix) / 10, 0.4 * 0.5)

    def test_asymmetric_noise_of_elr_has_half_of_the_rate(self):
        self.assertEqual(
            transition.CIFAR10_ASYMMETRIC, {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
        )
        matrix = transition.pair_transition_matrix(
            10, 0.4, transition.CIFAR10_ASYMMETRIC
        )
        self.assertAlmostEqual(1 - np.trace(matrix) / 10, 0.5 * 0.4)

    def test_classes_cycle_inside_their_block(self):
        self.assertEqual(
            transition.block_cycle_class_map(6, 3),
            {0: 1, 1: 2, 2: 0, 3: 4, 4: 5, 5: 3},
        )
        class_map = transition.block_cycle_class_map(100, 5)
        matrix = transition.pair_transition_matrix(100, 0.4, class_map)
        self.assertAlmostEqual(1 - np.trace(matrix) / 100, 0.4)
        self.assertEqual((class_map[98], class_map[99]), (99, 95))

    @parameterized.parameters((100, 3), (100, 1), (1, 1), (4, 8))
    def test_blocks_must_divide_the_classes(self, num_classes, block_size):
        with self.assertRaisesRegex(ValueError, "`(block_size|num_classes)`"):
            transition.block_cycle_class_map(num_classes, block_size)

    @parameterized.product(
        build=(
            transition.symmetric_transition_matrix,
            transition.uniform_transition_matrix,
            transition.pair_transition_matrix,
        ),
        num_classes=(2, 3, 100),
        noise_rate=(0, 0.37, 1.0, np.float32(0.1)),
    )
    def test_matrices_pass_the_check(self, build, num_classes, noise_rate):
        matrix = build(num_classes, noise_rate)
        np.testing.assert_array_equal(
            transition.check_transition_matrix(matrix, num_classes), matrix
        )
        self.assertEqual(matrix.dtype, np.float64)

    @parameterized.parameters(
        transition.symmetric_transition_matrix,
        transition.uniform_transition_matrix,
        transition.pair_transition_matrix,
    )
    def test_rate_zero_is_the_identity(self, build):
        np.testing.assert_array_equal(
            build(5, 0.0), transition.identity_transition_matrix(5)
        )

    @parameterized.parameters(
        transition.symmetric_transition_matrix,
        transition.uniform_transition_matrix,
        transition.pair_transition_matrix,
    )
    def test_bad_numbers_are_refused(self, build):
        for noise_rate in (-0.1, 1.1, float("nan"), float("inf")):
            with self.assertRaisesRegex(ValueError, "`noise_rate`.*Received"):
                build(3, noise_rate)
        for noise_rate in (None, "0.1", True, [0.1]):
            with self.assertRaisesRegex(TypeError, "`noise_rate`.*Received"):
                build(3, noise_rate)
        for num_classes in (1, 0, -2):
            with self.assertRaisesRegex(ValueError, "`num_classes`.*Received"):
                build(num_classes, 0.1)
        for num_classes in (3.0, "3", True, None):
            with self.assertRaisesRegex(TypeError, "`num_classes`.*Received"):
                build(num_classes, 0.1)

    @parameterized.parameters(
        ({3: 0}, ValueError),
        ({0: -1}, ValueError),
        ({0: 0}, ValueError),
        ({0: 1, "0": 2}, ValueError),
        ({}, ValueError),
        ({0.5: 1}, TypeError),
        ({"a": 1}, TypeError),
        ({0: True}, TypeError),
        ([(0, 1)], TypeError),
    )
    def test_bad_class_maps_are_refused(self, class_map, error):
        with self.assertRaisesRegex(error, "`class_map`.*Received"):
            transition.class_map_transition_matrix(3, 0.1, class_map)

    @parameterized.parameters(
        ([0.5, 0.5],),
        ([[1.0, 0.0]],),
        ([[1.0]],),
        ([[1.0, np.nan], [0.0, 1.0]],),
        ([[1.5, -0.5], [0.0, 1.0]],),
        ([[1.0, 1e-5], [0.0, 1.0]],),
    )
    def test_bad_matrices_are_refused(self, matrix):
        with self.assertRaisesRegex(ValueError, "transition_matrix.*Received"):
            transition.check_transition_matrix(matrix)

    def test_a_matrix_of_another_size_is_refused(self):
        with self.assertRaisesRegex(ValueError, "num_classes=3.*Received"):
            transition.check_transition_matrix(np.eye(2), 3)

    def test_a_matrix_of_other_things_is_refused(self):
        with self.assertRaisesRegex(TypeError, "`transition_matrix`"):
            transition.check_transition_matrix([["a", "b"], ["c", "d"]])

    def test_rows_may_miss_one_by_rounding(self):
        transition.check_transition_matrix([[1.0, 5e-7], [0.0, 1.0]])


if __name__ == "__main__":
    absltest.main()
