"""A configuration as a file."""

import tempfile

from absl.testing import absltest

from limit_tf.tuning import best_config
from tests import testing


class BestConfigTest(absltest.TestCase):
    def test_round_trip(self):
        config = testing.tiny_config(tempfile.mkdtemp())
        del config["rows"]
        config.training.schedule.drop_epochs = (3, 5)
        config.noise.class_map = {"9": 1}
        text = best_config.source(config, title="Title.", path="a/b.py")
        names = {}
        exec(compile(text, "best_config.py", "exec"), names)
        again = names["get_config"]()
        self.assertEqual(again.to_dict(), config.to_dict())
        self.assertNotIn("limit_tf", text.replace("limit_tf.cli.train", ""))
        # What is left out can still be given, by a value of its type.
        again.lock()
        again.training.patience = 3
        with self.assertRaises(TypeError):
            again.limit.q_scale = "wide"
        again.limit.q_scale = 0.1
        for line in text.splitlines():
            self.assertLessEqual(len(line), 120)


if __name__ == "__main__":
    absltest.main()
