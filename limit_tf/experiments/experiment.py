"""One run of a configuration: train, keep the best epoch, write results."""

import functools
import json
from collections.abc import Callable
from typing import Protocol

import keras
import ml_collections
import numpy as np
import tensorflow as tf
from absl import logging

from limit_tf import atomic_files
from limit_tf import data
from limit_tf.experiments import build
from limit_tf.experiments import fingerprint
from limit_tf.experiments import held_out
from limit_tf.experiments import results
from limit_tf.experiments import settings
from limit_tf.experiments import speed
from limit_tf.experiments import startup
from limit_tf.experiments.divergence import LossWatch
from limit_tf.experiments.epoch_end import EpochEnd
from limit_tf.experiments.evaluation import Predictor
from limit_tf.experiments.finished_run import FinishedRun
from limit_tf.experiments.state import Checkpoint
from limit_tf.experiments.state import RunState
from limit_tf.experiments.workdir import Workdir

PREDICTIONS_FILE = "validation_predictions.npz"


class RunExporter(Protocol):
    """What exports a run."""

    def check(self, source: data.Source) -> None:
        """Refuses data, before any training, whose model has no place."""

    def __call__(self, run: FinishedRun) -> dict[str, str]:
        """Exports the finished run; returns folders for its results."""


# Called with the configuration before any work, it refuses what it could not
# export.
Exporter = Callable[[ml_collections.ConfigDict], RunExporter]


class Experiment:
    """A run that can be killed at any moment and started again.

    The constructor checks all that can be wrong with the arguments; `run`
    does the work.

    Args:
        config: Configuration, see `configs/digits.py`.
        workdir: Folder of the run: new, empty, or of the same configuration.
        stop_early: Called with the history after each epoch; training ends if
            it returns words, which the results then hold as the reason. What
            it raises leaves the run unfinished, with this epoch saved: started
            again, the run goes on with the next one.
        exporter: Exports the run once it is finished, see `Exporter`; the
            results then hold the folder as `saved_model`, and where else it is
            published. A finished run that was not exported yet is exported by
            `run`. None exports nothing.
        keep_predictions: Whether predictions of the `n` validation images are
            kept beside the results, in `PREDICTIONS_FILE`: the arrays `labels`
            `(n,)`, `classes` `(num_epochs, n)`, the predicted ones, and
            `logits` `(n, num_classes)`, float32, of the best epoch.
        loaded: Source and noisy splits, as `build.load_data` returns them for
            this configuration, where several runs share them; None loads them.

    Raises:
        ValueError: If a value is outside its range, or the folder belongs to
            another configuration or process.
        FileNotFoundError: If the data is neither there nor to be had.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: str,
        *,
        stop_early: Callable[[list[dict]], str | None] | None = None,
        exporter: Exporter | None = None,
        keep_predictions: bool = False,
        loaded: tuple[data.Source, data.NoisySplits] | None = None,
    ):
        self._startup = startup.Startup()
        self._stop_early = stop_early
        self._stop_reason = None
        self._interruption = None
        self._keep_predictions = keep_predictions
        config = settings.without_rows(config)
        settings.check(config)
        self._config = config
        self._workdir = Workdir(workdir, config.to_dict())
        self._results = self._workdir.results()
        self._keep_old_split()
        self._loaded = loaded
        self._export = None
        try:
            if exporter and "saved_model" not in (self._results or {}):
                self._export = exporter(config)
            if self._results is not None:
                return
            self._build()
        except BaseException:
            self._workdir.discard()
            raise
        self._workdir.claim()
        fingerprint.write(self._workdir.path, self._data)

    def _keep_old_split(self) -> None:
        """Leaves the parts of an old run's data as they were."""
        begun_with = self._workdir.begun_with
        if begun_with is None or "stratify" in begun_with["data"]:
            return
        with self._config.unlocked():
            self._config.data.stratify = False
        if self._results is None and build.is_own_data(self._config):
            logging.info(
                "%s was begun before data was split by class: it keeps its "
                "split",
                self._workdir.path,
            )

    def _build(self) -> None:
        config = self._config
        keras.utils.set_random_seed(config.seed)
        if config.training.deterministic:
            _make_deterministic()
        self._loaded = self._loaded or build.load_data(config)
        self._source, self._data = self._loaded
        fingerprint.check(self._workdir.path, self._data)
        if self._export is not None:
            self._export.check(self._source)
        self._startup.done(startup.DATA)
        images = self._data.train.images
        self._images_are_held = speed.holds_images(
            config.training.device_resident, images
        )
        self._plan = build.build_model(config, self._source, self._data)
        self._model = self._plan.model
        if self._images_are_held:
            self._model.hold_inputs(images)
        self._startup.done(startup.NETWORKS)
        self._checkpoint = Checkpoint(self._workdir.path, self._model)

    def run(self) -> dict:
        """Trains to the end, or goes on with a run that was killed.

        Returns:
            The contents of `results.json`.
        """
        path = self._workdir.path
        try:
            if self._results is not None:
                logging.info("%s is finished: nothing is trained again", path)
                return self._exported(self._results)
            self._startup.resume()
            self._announce()
            state = self._checkpoint.restore()
            if state.num_epochs:
                logging.info(
                    "%s goes on after epoch %d", path, state.num_epochs
                )
            self._train(state)
            if self._interruption is not None:
                raise self._interruption
            return self._exported(self._finish(state))
        finally:
            self._workdir.close()

    def _announce(self) -> None:
        """Says in one line what is about to be trained, and how."""
        train = self._data.train
        wrong = "an unknown share"
        if train.is_corrupted is not None:
            wrong = f"{train.is_corrupted.mean():.1%}"
        logging.info(
            "%s on %s: %d training images, %s of their labels wrong; %s, %s",
            self._config.method,
            self._config.data.name,
            len(train),
            wrong,
            results.devices(),
            speed.description(
                self._model.jit_compile,
                self._model.steps_per_execution,
                self._config.training.precision,
                self._images_are_held,
            ),
        )
        if self._config.init_from is not None:
            logging.info(
                "The %s starts from %s, its BatchNorm statistics %s",
                "gradient predictor"
                if self._config.method == "limit"
                else "classifier",
                self._config.init_from,
                "included"
                if self._config.init_batch_norm_statistics
                else "left out",
            )
        if self._source.unreadable:
            results.write_unreadable(
                self._workdir.path, self._source.unreadable
            )
            logging.warning(
                "%d images are missing or unreadable and left out: see "
                "unreadable_images.csv",
                len(self._source.unreadable),
            )

    def _train(self, state: RunState) -> None:
        training = self._config.training
        if state.is_finished(training.epochs, training.patience):
            return
        self._startup.done(startup.NETWORKS)
        self._model.fit(
            data.training_dataset(
                self._data.train.images,
                self._data.train.labels,
                batch_size=training.batch_size,
                seed=self._config.seed,
                epoch=state.num_epochs,
                num_epochs=training.epochs - state.num_epochs,
                with_example_ids=self._plan.needs_example_ids,
                deterministic=self._config.data.deterministic_order,
                service=self._config.data.service,
                with_inputs=not self._images_are_held,
                sample_weight=self._data.train.sample_weight,
            ),
            initial_epoch=state.num_epochs,
            epochs=training.epochs,
            steps_per_epoch=data.num_batches(
                len(self._data.train), training.batch_size
            ),
            shuffle=False,
            verbose=0,
            callbacks=[
                LossWatch(),
                EpochEnd(
                    state=state,
                    checkpoint=self._checkpoint,
                    data=self._data,
                    predict=self._predictor,
                    epochs=training.epochs,
                    patience=training.patience,
                    test_every=training.test_every,
                    test_figure=held_out.key(self._source),
                    workdir=self._workdir.path,
                    keep_predictions=self._keep_predictions,
                    stops_early=self._stops_early,
                    description=self._config.method,
                ),
                startup.FirstSteps(self._startup),
            ],
        )

    def _stops_early(self, history):
        if self._stop_early is None:
            return False
        try:
            self._stop_reason = self._stop_early(history)
        except Exception as error:
            self._interruption = error  # raised once the epoch is saved
            return True
        return self._stop_reason is not None

    def _finish(self, state: RunState) -> dict:
        path = self._workdir.path
        self._checkpoint.restore_best(state)
        with atomic_files.replacing(path / "best_model.keras") as temporary:
            self._model.save(temporary)
        outcome = self._outcome(state)
        results.write_curves(
            path / "curves.png",
            {self._config.method: {"history": state.history, **outcome}},
        )
        atomic_files.write_json(path / "results.json", outcome)
        self._checkpoint.remove()
        fingerprint.remove(path)
        return outcome

    def _exported(self, outcome: dict) -> dict:
        """Exports the finished run, if that is asked for and not yet done."""
        if self._export is None:
            return outcome
        path = self._workdir.path
        exported = self._export(FinishedRun(str(path), loaded=self._loaded))
        outcome = {**outcome, **exported}
        atomic_files.write_json(path / "results.json", outcome)
        return outcome

    @functools.cached_property
    def _predictor(self):
        """Traced once, for the evaluations after epochs and at the end."""
        return Predictor(
            self._model.classifier,
            jit_compile=self._model.jit_compile,
        )

    def _outcome(self, state):
        predict = self._predictor
        train, valid, test = (
            self._data.train,
            self._data.validation,
            self._data.test,
        )
        trained = predict.classes(train.images)
        test_logits = predict.logits(test.images)
        tested = test_logits.argmax(axis=-1)
        validated = predict.logits(valid.images)
        if self._keep_predictions:
            path = self._workdir.path / PREDICTIONS_FILE
            with atomic_files.replacing(path) as temporary:
                np.savez(
                    temporary,
                    labels=valid.labels,
                    classes=np.stack(state.valid_classes),
                    logits=validated,
                )
        outcome = {
            "method": self._config.method,
            "best_epoch": state.best_epoch,
            "num_epochs": state.num_epochs,
            "stopped_early": self._stop_reason,
            "valid_accuracy": state.best_valid_accuracy,
            "valid_cross_entropy": _cross_entropy(validated, valid.labels),
            "test_accuracy": _accuracy(tested, test.labels),
            "train_accuracy_noisy": _accuracy(trained, train.labels),
            "train_accuracy_clean": _accuracy(trained, train.clean_labels),
            "last_test_accuracy": state.history[-1].get(
                held_out.key(self._source)
            ),
            "noise_ceiling": _accuracy(train.labels, train.clean_labels),
            "test_accuracy_by_class": {
                name: _accuracy(
                    tested[test.labels == label],
                    test.labels[test.labels == label],
                )
                for label, name in enumerate(self._source.class_names)
            },
            "num_train_examples": len(train.labels),
            "num_valid_examples": len(valid.labels),
            "num_test_examples": len(test.labels),
            "num_unreadable_images": len(self._source.unreadable),
            "skipped": self._source.skipped.to_dict(),
            "wall_seconds": round(state.wall_seconds, 1),
            "examples_per_second": round(
                state.timed_examples / max(state.timed_seconds, 1e-9), 1
            ),
            "startup_seconds": self._startup.results(),
            **self._plan.facts,
            "versions": results.versions(),
            "config": json.loads(json.dumps(self._config.to_dict())),
        }
        if not self._source.test_labels_are_checked:
            outcome[held_out.ESTIMATE] = held_out.true_accuracy(
                test_logits, test.labels
            )
        return held_out.named(outcome, self._source)


def _make_deterministic():
    tf.config.experimental.enable_op_determinism()
    # Under load, TensorFlow 2.21's dependency optimizer has been seen to lose
    # the order of a forward pass and a later assignment of the same variable.
    tf.config.optimizer.set_experimental_options(
        {"dependency_optimization": False}
    )


def _accuracy(classes, labels):
    """Share of equal entries; None where nothing is known to compare with."""
    if labels is None or not len(labels):
        return None
    return float((classes == labels).mean())


def _cross_entropy(logits, labels):
    """Mean cross-entropy of classes in nats."""
    own = np.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]
    return float(np.mean(np.logaddexp.reduce(logits, axis=-1) - own))
