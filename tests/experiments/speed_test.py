"""Steps a call: never into the next epoch, never more than asked for."""

from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.experiments import speed


class StepsPerExecutionTest(parameterized.TestCase):
    @parameterized.parameters(
        (None, 9, 9),
        (None, 64, 32),
        (None, 68, 17),
        (None, 67, 1),
        (None, 1, 1),
        (4, 9, 3),
        (1, 9, 1),
        (100, 9, 9),
        (100, 200, 100),
    )
    def test_largest_divisor_of_an_epoch(self, requested, steps, expected):
        self.assertEqual(speed.steps_per_execution(requested, steps), expected)


class DescriptionTest(parameterized.TestCase):
    @parameterized.parameters(
        (False, "graph mode .*float32, 9 steps a call"),
        (True, "^XLA, float32, 9 steps a call"),
    )
    def test_says_what_was_chosen(self, jit_compile, expected):
        self.assertRegex(speed.description(jit_compile, 9, "float32"), expected)


if __name__ == "__main__":
    absltest.main()
