import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import noise


class GetTest(parameterized.TestCase):
    @parameterized.parameters(
        ("none", None, np.eye(3)),
        ("none", 0.0, np.eye(3)),
        ("symmetric", 0.2, noise.symmetric_transition_matrix(3, 0.2)),
        ("uniform", 0.2, noise.uniform_transition_matrix(3, 0.2)),
        ("pair", 0.2, noise.pair_transition_matrix(3, 0.2)),
    )
    def test_kind_gives_its_matrix(self, kind, noise_rate, expected):
        matrix = noise.get(kind, num_classes=3, noise_rate=noise_rate)
        np.testing.assert_array_equal(matrix, expected)

    def test_pair_takes_a_class_map(self):
        np.testing.assert_array_equal(
            noise.get(
                "pair", num_classes=3, noise_rate=0.2, class_map={"2": 1}
            ),
            noise.class_map_transition_matrix(3, 0.2, {2: 1}),
        )

    def test_matrix_is_handed_through(self):
        given = [[0.5, 0.5], [0.0, 1.0]]
        for noise_rate in (None, 0):
            matrix = noise.get(
                "matrix",
                num_classes=2,
                noise_rate=noise_rate,
                transition_matrix=given,
            )
            np.testing.assert_array_equal(matrix, given)

    @parameterized.parameters("typo", None, 3, (["pair"],))
    def test_unknown_kind_lists_the_known(self, kind):
        with self.assertRaisesRegex(
            ValueError,
            "^`kind`.*none, symmetric, uniform, pair, matrix.*Received.*$",
        ):
            noise.get(kind, num_classes=3, noise_rate=0.1)

    @parameterized.parameters(
        ("symmetric", 0.1, "class_map", {0: 1}),
        ("uniform", 0.1, "class_map", {0: 1}),
        ("none", None, "class_map", {0: 1}),
        ("matrix", None, "class_map", {0: 1}),
        ("symmetric", 0.1, "transition_matrix", np.eye(3)),
        ("pair", 0.1, "transition_matrix", np.eye(3)),
        ("none", None, "transition_matrix", np.eye(3)),
    )
    def test_foreign_arguments_are_refused(self, kind, rate, name, value):
        with self.assertRaisesRegex(
            ValueError, f"^`{name}` does not belong.*{kind}.*Received.*$"
        ):
            noise.get(kind, num_classes=3, noise_rate=rate, **{name: value})

    @parameterized.parameters(("none", None), ("matrix", np.eye(3)))
    def test_kinds_without_a_rate_refuse_one(self, kind, matrix):
        with self.assertRaisesRegex(ValueError, "`noise_rate`.*0.1"):
            noise.get(
                kind, num_classes=3, noise_rate=0.1, transition_matrix=matrix
            )

    @parameterized.parameters(
        ("symmetric", "noise_rate"),
        ("uniform", "noise_rate"),
        ("pair", "noise_rate"),
        ("matrix", "transition_matrix"),
    )
    def test_missing_arguments_are_named(self, kind, name):
        with self.assertRaisesRegex(ValueError, f"`{name}` is needed"):
            noise.get(kind, num_classes=3, noise_rate=None)

    def test_matrix_must_have_the_number_of_classes(self):
        with self.assertRaisesRegex(ValueError, "num_classes=3"):
            noise.get(
                "matrix",
                num_classes=3,
                noise_rate=None,
                transition_matrix=np.eye(2),
            )


if __name__ == "__main__":
    absltest.main()
