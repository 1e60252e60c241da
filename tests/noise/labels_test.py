import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.noise import labels as labels_lib


class LabelsTest(parameterized.TestCase):
    @parameterized.parameters(
        ([0, 2, 1],),
        (np.array([0, 2, 1], np.uint8),),
        (np.array([0.0, 2.0, 1.0]),),
    )
    def test_whole_numbers_become_int64(self, labels):
        checked = labels_lib.check_labels(labels, 3)
        self.assertEqual(checked.dtype, np.int64)
        self.assertEqual(checked.tolist(), [0, 2, 1])

    @parameterized.named_parameters(
        ("nan", [0.0, np.nan], "whole numbers.*1 of 2.*nan at index 1"),
        ("fraction", [0.5, 1.0, 1.5], "whole numbers.*2 of 3.*0.5 at index 0"),
        ("infinity", [0.0, np.inf], r"\[0, 2\].*1 of 2.*inf at index 1"),
        ("too large", [0, 3, 1, 4], r"\[0, 2\].*2 of 4.*3 at index 1"),
        ("negative", [0, -1], r"\[0, 2\].*1 of 2.*-1 at index 1"),
        ("huge", np.array([2**64 - 1], np.uint64), r"\[0, 2\].*index 0"),
        ("column", [[0], [1]], r"shape.*\(2, 1\)"),
        ("number", 1, r"shape.*\(\)"),
    )
    def test_bad_values_are_refused(self, labels, message):
        with self.assertRaisesRegex(ValueError, f"`y` must.*{message}"):
            labels_lib.check_labels(labels, 3, "y")

    @parameterized.parameters((["a"],), ([True],), ([None],))
    def test_other_types_are_refused(self, labels):
        with self.assertRaisesRegex(TypeError, "`labels`.*dtype"):
            labels_lib.check_labels(labels, 3)

    def test_without_a_number_of_classes_only_the_sign_counts(self):
        self.assertEqual(labels_lib.check_labels([0, 999]).tolist(), [0, 999])
        for label in (-1, np.inf, 2**63):
            with self.assertRaisesRegex(ValueError, f"`labels`.*{label} at"):
                labels_lib.check_labels([label])


if __name__ == "__main__":
    absltest.main()
