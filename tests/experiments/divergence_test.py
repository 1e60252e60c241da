"""A training that diverges ends at once, and keeps what was good."""

import json
import pathlib
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest

from limit_tf.divergence import DivergedError
from limit_tf.experiments import Experiment
from limit_tf.experiments import divergence
from limit_tf.experiments.epoch_end import EpochEnd
from tests import testing


class LossWatchTest(absltest.TestCase):
    def watch(self):
        watch = divergence.LossWatch()
        watch.set_model(mock.Mock(stop_training=False))
        return watch

    def test_first_loss_that_is_not_finite_stops_the_epoch(self):
        for loss in (float("nan"), float("inf")):
            watch = self.watch()
            watch.on_train_batch_end(3, {"loss": 0.5})
            self.assertFalse(watch.model.stop_training)
            watch.on_train_batch_end(7, {"loss": loss})
            self.assertTrue(watch.model.stop_training)
            watch.on_train_batch_end(11, {"loss": loss})
            with self.assertRaisesRegex(
                DivergedError, f"epoch 2, by step 8: its loss is {loss}.*rate"
            ):
                watch.on_epoch_end(1, {"loss": loss})

    def test_finite_losses_pass(self):
        watch = self.watch()
        watch.on_train_batch_end(3, {"loss": 1e30})
        watch.on_epoch_end(0, {"loss": 1e30})
        self.assertFalse(watch.model.stop_training)


class ExperimentTest(absltest.TestCase):
    def test_epochs_before_are_kept_and_nothing_is_exported(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        exporter = mock.Mock()
        config = testing.tiny_config(folder)

        def spoil(self, epoch, logs=None):
            after(self, epoch, logs)
            if epoch == 1:
                network = self.model.classifier
                network.set_weights(
                    [np.full_like(w, np.nan) for w in network.get_weights()]
                )

        after = EpochEnd.on_epoch_end
        with mock.patch.object(EpochEnd, "on_epoch_end", spoil):
            run = Experiment(config, str(folder / "run"), exporter=exporter)
            with self.assertRaisesRegex(DivergedError, "in epoch 3, by step"):
                run.run()
        exporter.return_value.assert_not_called()
        files = {path.name for path in (folder / "run").iterdir()}
        self.assertNotIn("results.json", files)
        self.assertNotIn("best_model.keras", files)

        # What was saved before is whole, and a run goes on from it.
        outcome = Experiment(config, str(folder / "run")).run()
        self.assertEqual(outcome["num_epochs"], 4)
        text = (folder / "run" / "results.json").read_text()
        self.assertNotIn("NaN", text)
        self.assertEqual(json.loads(text)["num_epochs"], 4)


if __name__ == "__main__":
    absltest.main()
