"""Errors that name what the user typed."""

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.argument_names import given_as
from limit_tf.argument_names import translated

NAMES = {"kind": "config.noise.kind", "path": "--issues"}


class ArgumentNamesTest(parameterized.TestCase):
    @parameterized.parameters(
        (
            "`kind` must be one of a, b. Received: kind='c'",
            "`config.noise.kind` must be one of a, b. Received: "
            "config.noise.kind='c'",
        ),
        # Neither longer names, nor values, nor words.
        (
            "`other` of some kind. Received: config.x.kind=1, my_kind=2, "
            "/a/path=3, kind",
            None,
        ),
        ("`kind`, `path`", "`config.noise.kind`, `--issues`"),
    )
    def test_translation(self, text, expected):
        self.assertEqual(translated(text, NAMES), expected or text)

    def test_an_error_keeps_its_type_and_is_renamed_once(self):
        with self.assertRaises(FileNotFoundError) as caught:
            with given_as({"issues": "--decisions"}), given_as(NAMES):
                raise FileNotFoundError("`path` must exist. Received: path=x")
        self.assertEqual(
            str(caught.exception), "`--issues` must exist. Received: --issues=x"
        )

    def test_errors_of_the_system_stay_as_they_are(self):
        with self.assertRaisesRegex(OSError, "No space left: 'path=1'"):
            with given_as(NAMES):
                raise OSError(28, "No space left", "path=1")


if __name__ == "__main__":
    absltest.main()
