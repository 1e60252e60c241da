"""Ways to find wrong labels side by side, for `limit_tf.cli.benchmark`."""

import copy
import dataclasses
import importlib.util
import json
import pathlib
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

import keras
import ml_collections
import numpy as np
from sklearn import metrics

from limit_tf.experiments import Experiment
from limit_tf.experiments import FinishedRun
from limit_tf.experiments import LabelIssueSearch
from limit_tf.experiments import build
from limit_tf.experiments.label_issue_search import detection_figures
from limit_tf.label_issues import find_label_issues
from limit_tf.label_issues import label_scores
from limit_tf.label_issues import pred_probs
from limit_tf.label_issues import relabel
from limit_tf.label_issues import table
from limit_tf.noise.arguments import check_integer
from limit_tf.wrappers import CrossEntropyClassifier

_NUM_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class NoiseLevel:
    """Noise of one case.

    Args:
        kind: `"symmetric"` or `"pair"`, as in `config.noise.kind`.
        rate: Its rate.
    """

    kind: str
    rate: float


NOISE_LEVELS = (
    NoiseLevel("symmetric", 0.2),
    NoiseLevel("symmetric", 0.5),
    NoiseLevel("symmetric", 0.8),
    NoiseLevel("pair", 0.2),
    NoiseLevel("pair", 0.4),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """What one way of finding wrong labels gave, on the training labels.

    Args:
        data: Name of the configuration.
        noise: Kind of the noise.
        rate: Its rate.
        seed: Value of `config.seed`.
        subject: What was measured.
        roc_auc: Area under the ROC curve of its scores.
        average_precision: Of its scores.
        precision_at_true_number: Share of wrong labels among as many of the
            first ones as labels are wrong.
        precision: Share of wrong labels among those that it takes for wrong.
        recall: Share of the wrong labels that it takes for wrong.
        test_accuracy: Of the network that it trains.
        seconds: From the loaded data to the answer, all trainings included.
    """

    data: str
    noise: str
    rate: float
    seed: int
    subject: str
    roc_auc: float | None = None
    average_precision: float | None = None
    precision_at_true_number: float | None = None
    precision: float | None = None
    recall: float | None = None
    test_accuracy: float | None = None
    seconds: float | None = None


class Detection:
    """Finds the labels of one configuration that noise made wrong.

    The same noisy training labels go to LIMIT; to cleanlab's confident
    learning on the gradient predictor's probabilities; to the cross-entropy,
    the epoch kept by the noisy validation labels, whose loss is the score; and
    to cleanlab's `CleanLearning` with the same network. Then a network is
    trained by cross-entropy on the labels that LIMIT's issues leave or
    suggest.

    Args:
        config: Configuration, see `configs/digits.py`.
        cleanlab_epochs: Numbers of epochs for `CleanLearning`, each of them a
            subject: it has no rule to stop by.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        cleanlab_epochs: Sequence[int] = (10, 30),
    ):
        if importlib.util.find_spec("cleanlab") is None:
            raise RuntimeError(
                "The benchmark of label issues needs cleanlab: "
                "pip install 'limit_tf[cleanlab]'"
            )
        for epochs in cleanlab_epochs:
            check_integer(epochs, "cleanlab_epochs", low=1)
        self._config = config
        self.name = config.name
        self._cleanlab_epochs = tuple(cleanlab_epochs)

    def rows(self, noise: NoiseLevel, seed: int) -> Iterator[Row]:
        """Measures all subjects under one noise and seed.

        Args:
            noise: The noise.
            seed: Value of `config.seed`, which the noise has too.

        Yields:
            The rows, in turns with the training that they need.
        """
        config = copy.deepcopy(self._config)
        config.seed = seed
        config.noise.update({"kind": noise.kind, "rate": noise.rate})
        where = (config.name, noise.kind, noise.rate, seed)
        with tempfile.TemporaryDirectory() as folder:
            for subject, figures in self._figures(config, pathlib.Path(folder)):
                yield Row(*where, subject, **figures)
                keras.backend.clear_session()

    def _figures(self, config, folder):
        loaded = build.load_data(config)
        train = loaded[1].train
        is_wrong = train.labels != train.clean_labels

        def limit():
            results = _train(config, folder / "limit", loaded)
            LabelIssueSearch(
                str(folder / "limit"), str(folder / "issues"), num_report_rows=1
            ).run()
            return results

        results, seconds = _timed(limit)
        found = json.loads((folder / "issues" / "noise.json").read_text())
        figures = found["by_split"]["train"]
        del figures["true_noise_rate"]
        shared = {"test_accuracy": results["test_accuracy"]}
        yield "limit", {**figures, **shared, "seconds": seconds}

        model = FinishedRun(str(folder / "limit")).model
        by_distance = find_label_issues(
            label_scores(model, train),
            rank_by="l1_distance",
            clean_labels=train.clean_labels,
        )
        figures = detection_figures(by_distance)
        for key in ("true_noise_rate", "precision", "recall"):
            del figures[key]
        yield "limit, L1 distance", {**figures, **shared}
        answer, more = _timed(
            lambda: _confident_learning(train.labels, pred_probs(model, train))
        )
        yield (
            "cleanlab on limit's probabilities",
            {
                **_ranking(is_wrong, 1.0 - answer[0]),
                **_choice(is_wrong, answer[1]),
                **shared,
                "seconds": seconds + more,
            },
        )
        for epochs in self._cleanlab_epochs:
            answer, seconds = _timed(
                lambda epochs=epochs: _clean_learning(config, loaded, epochs)
            )
            yield (
                f"CleanLearning, {epochs} epochs",
                {
                    **_ranking(is_wrong, 1.0 - answer["quality"]),
                    **_choice(is_wrong, answer["is_issue"]),
                    "test_accuracy": answer["test_accuracy"],
                    "seconds": seconds,
                },
            )

        plain = copy.deepcopy(config)
        plain.method = "cross_entropy"

        def loss():
            results = _train(plain, folder / "plain", loaded)
            own = label_scores(
                FinishedRun(str(folder / "plain")).model, train
            ).classifier_prob
            return results, -np.log(np.maximum(own, 1e-30))

        (results, losses), seconds = _timed(loss)
        yield (
            "cross-entropy's loss",
            {
                **_ranking(is_wrong, losses),
                "test_accuracy": results["test_accuracy"],
                "seconds": seconds,
            },
        )
        issues = table.read(folder / "issues" / "issues.csv")
        for action, outcome in (("replace", "replaced"), ("drop", "dropped")):
            labels = folder / f"{action}.csv"
            relabel.write(labels, relabel.relabelled(issues, action=action))
            again = copy.deepcopy(plain)
            again.noise.update({"kind": "none", "rate": 0.0})
            again.data.labels_file = str(labels)
            results, seconds = _timed(
                lambda again=again, action=action: _train(
                    again, folder / action
                )
            )
            yield (
                f"cross-entropy, issues {outcome}",
                {"test_accuracy": results["test_accuracy"], "seconds": seconds},
            )


def _timed(function: Callable):
    start = time.perf_counter()
    answer = function()
    return answer, time.perf_counter() - start


def _train(config, workdir, loaded=None):
    return Experiment(config, str(workdir), loaded=loaded).run()


def _ranking(is_wrong, scores):
    """Figures of scores, the higher the more suspicious."""
    number = int(is_wrong.sum())
    first = np.argsort(-scores, kind="stable")[:number]
    return {
        "roc_auc": float(metrics.roc_auc_score(is_wrong, scores)),
        "average_precision": float(
            metrics.average_precision_score(is_wrong, scores)
        ),
        "precision_at_true_number": float(is_wrong[first].mean()),
    }


def _choice(is_wrong, is_issue):
    hits = int((is_wrong & is_issue).sum())
    return {
        "precision": hits / max(int(is_issue.sum()), 1),
        "recall": hits / max(int(is_wrong.sum()), 1),
    }


def _confident_learning(labels, probs):
    """Qualities of labels, and which of them are issues, by cleanlab."""
    from cleanlab import filter as cleanlab_filter
    from cleanlab import rank

    return (
        rank.get_label_quality_scores(labels, probs),
        cleanlab_filter.find_label_issues(labels, probs, n_jobs=1),
    )


def _clean_learning(config, loaded, epochs):
    """Trains by cleanlab's CleanLearning, the network in five folds first."""
    from cleanlab.classification import CleanLearning

    source, splits = loaded
    training = config.training
    learning = CleanLearning(
        CrossEntropyClassifier(
            lambda **_: build.build_classifier(config, source),
            optimizer=training.optimizer,
            learning_rate=training.learning_rate,
            epochs=epochs,
            batch_size=training.batch_size,
            random_state=config.seed,
        ),
        cv_n_folds=_NUM_FOLDS,
        seed=config.seed,
    )
    learning.fit(splits.train.images, splits.train.labels)
    issues = learning.get_label_issues()
    return {
        "quality": issues["label_quality"].to_numpy(),
        "is_issue": issues["is_label_issue"].to_numpy(),
        "test_accuracy": float(
            learning.score(splits.test.images, splits.test.labels)
        ),
    }
