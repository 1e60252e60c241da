"""Figures for TensorBoard: one chart of all parts, rates and penalties."""

import pathlib
import tempfile

import tensorflow as tf
from absl.testing import absltest
from tensorboard.backend.event_processing import event_accumulator

import limit_tf
from limit_tf.experiments.tensorboard_log import TensorBoardLog
from tests import testing


def scalars(folder):
    """Values by tag and step that a log holds."""
    log = event_accumulator.EventAccumulator(
        str(folder), size_guidance={"tensors": 0}
    )
    log.Reload()
    return {
        tag: {
            event.step: float(tf.make_ndarray(event.tensor_proto))
            for event in log.Tensors(tag)
        }
        for tag in log.Tags()["tensors"]
    }


class TensorBoardLogTest(absltest.TestCase):
    def test_parts_share_a_tag_and_settings_are_there(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        model = limit_tf.LimitModel(
            testing.toy_network(seed=0), gradient_penalty=3.0
        )
        model.compile(optimizer="sgd")
        model.optimizer.learning_rate = 0.25
        log = TensorBoardLog(folder)
        log.write(
            {
                "train_accuracy_noisy": 0.5,
                "valid_accuracy": 0.25,
                "test_accuracy": 0.75,
                "matching_loss": 2.0,
            },
            1,
            model,
        )
        log.write({"valid_accuracy": 0.5}, 2, model)
        log.close()
        folder = folder / "tensorboard"
        self.assertEqual(
            scalars(folder / "train"),
            {
                "accuracy": {1: 0.5},
                "matching_loss": {1: 2.0},
                "learning_rate": {1: 0.25, 2: 0.25},
                "penalty_weight": {1: 3.0, 2: 3.0},
            },
        )
        self.assertEqual(
            scalars(folder / "validation"), {"accuracy": {1: 0.25, 2: 0.5}}
        )
        self.assertEqual(scalars(folder / "test"), {"accuracy": {1: 0.75}})


if __name__ == "__main__":
    absltest.main()
