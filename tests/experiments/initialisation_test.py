"""Runs that start from the classifier of a finished one."""

import json
import os
import pathlib
import shutil
import tempfile

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import noise
from limit_tf.experiments import Experiment
from limit_tf.experiments import build
from limit_tf.experiments.evaluation import Predictor
from tests import testing

_STATISTICS = ("moving_mean", "moving_variance")


def tiny_config(**changes):
    return testing.tiny_config(tempfile.mkdtemp(), **changes)


def plan(**changes):
    config = tiny_config(**changes)
    return build.build_model(config, *build.load_data(config))


def named_weights(network):
    return [(v.name, v.numpy()) for v in network.weights]


class InitialisationTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start = os.path.join(tempfile.mkdtemp(), "run")
        config = tiny_config(method="cross_entropy", training={"epochs": 2})
        Experiment(config, cls.start).run()
        model = keras.models.load_model(f"{cls.start}/best_model.keras")
        cls.network = model.classifier

    def assert_starts(self, network, statistics=True):
        """Checks that a network has the weights of the finished run."""
        ours, theirs = named_weights(network), named_weights(self.network)
        self.assertLen(ours, len(theirs))
        for (name, value), (_, expected) in zip(ours, theirs, strict=True):
            if name in _STATISTICS and not statistics:
                # As every network starts; the finished run moved them.
                initial = np.full_like(value, name == "moving_variance")
                self.assertFalse(np.array_equal(expected, initial))
                expected = initial
            np.testing.assert_array_equal(value, expected, err_msg=name)

    def assert_from_scratch(self, network, **changes):
        np.testing.assert_array_equal(
            testing.flat(network),
            testing.flat(plan(method="limit", **changes).model.classifier),
        )

    def assert_refused(self, message, **changes):
        changes = {"init_from": self.start, "method": "limit", **changes}
        folder = tempfile.mkdtemp()
        config = tiny_config(**changes)
        with self.assertRaisesRegex(ValueError, message) as context:
            Experiment(config, folder)
        self.assertNotIn("\n", str(context.exception))

    @parameterized.parameters(True, False)
    def test_predictor_of_limit_starts_there_and_its_classifier_does_not(
        self, statistics
    ):
        model = plan(
            method="limit",
            init_from=self.start,
            init_batch_norm_statistics=statistics,
        ).model
        self.assert_starts(model.gradient_predictor, statistics)
        self.assert_from_scratch(model.classifier)

    @parameterized.parameters("cross_entropy", "gce", "elr", "noisy_gradients")
    def test_classifier_of_other_methods_starts_there(self, method):
        model = plan(method=method, init_from=self.start).model
        self.assert_starts(model.classifier)

    def test_both_networks_of_elr_plus_start_there(self):
        model = plan(method="elr_plus", init_from=self.start).model
        self.assert_starts(model.first_classifier)
        self.assert_starts(model.second_classifier)
        for average in model.averages:
            self.assert_starts(average)

    def test_the_folder_may_end_in_a_slash_and_the_data_lie_elsewhere(self):
        model = plan(
            method="gce", init_from=self.start + "/", data={"download": False}
        ).model
        self.assert_starts(model.classifier)

    def test_run_says_from_where_it_starts(self):
        config = tiny_config(init_from=self.start, training={"epochs": 1})
        with self.assertLogs("absl", "INFO") as logs:
            Experiment(config, tempfile.mkdtemp()).run()
        line = next(x for x in logs.output if "starts from" in x)
        self.assertIn(f"gradient predictor starts from {self.start}", line)
        self.assertIn("BatchNorm statistics included", line)

    def test_transition_matrix_is_estimated_by_the_classifier(self):
        folder = tempfile.mkdtemp()
        config = tiny_config(
            method="forward_correction",
            init_from=self.start,
            training={"epochs": 1},
            forward_correction={"percentile_filter": False},
        )
        outcome = Experiment(config, folder).run()
        images = build.load_data(config)[1].train.images
        expected = noise.estimate_transition_matrix(
            Predictor(self.network).probs(images), filter_percentile=None
        )
        np.testing.assert_allclose(outcome["transition_matrix"], expected)
        saved = json.loads(pathlib.Path(folder, "results.json").read_text())
        self.assertEqual(
            saved["transition_matrix"], outcome["transition_matrix"]
        )

    def test_given_transition_matrix_needs_no_start(self):
        matrix = noise.symmetric_transition_matrix(10, 0.5)
        rows = tuple(tuple(row) for row in matrix.tolist())
        made = plan(
            method="forward_correction",
            forward_correction={"transition_matrix": rows},
        )
        np.testing.assert_allclose(made.facts["transition_matrix"], matrix)
        self.assert_from_scratch(made.model.classifier)

    @parameterized.parameters("dmi", "forward_correction")
    def test_methods_that_need_a_start_are_refused_without(self, method):
        self.assert_refused(
            "`config.init_from` must be the folder.*=None",
            method=method,
            init_from=None,
        )

    def test_dmi_starts_there_with_its_own_learning_rate(self):
        model = plan(method="dmi", init_from=self.start).model
        self.assert_starts(model.classifier)
        self.assertAlmostEqual(float(model.optimizer.learning_rate), 1e-5)

    def test_soft_regularization_is_refused(self):
        self.assert_refused(
            "`config.init_from` must be left out for soft_regularization",
            method="soft_regularization",
        )

    def test_a_folder_without_results_is_refused(self):
        folder = tempfile.mkdtemp()
        self.assert_refused(
            f"`config.init_from`.*{folder}, which holds no results.json",
            init_from=folder,
        )

    def test_the_folder_of_a_comparison_is_refused(self):
        folder = tempfile.mkdtemp()
        pathlib.Path(folder, "results.json").write_text("[]")
        self.assert_refused("several runs", init_from=folder)

    def test_a_run_of_another_method_is_refused(self):
        folder = os.path.join(tempfile.mkdtemp(), "run")
        shutil.copytree(self.start, folder)
        file = pathlib.Path(folder, "results.json")
        outcome = json.loads(file.read_text())
        outcome["config"]["method"] = "mae"
        file.write_text(json.dumps(outcome))
        self.assert_refused(f"{folder}, a run of mae", init_from=folder)

    @parameterized.parameters(
        ({"seed": 1}, "config.seed: 0 there, 1 here"),
        ({"noise": {"rate": 0.4}}, "config.noise.rate: 0.5 there, 0.4 here"),
        (
            {"data": {"num_train_examples": 65}},
            "config.data.num_train_examples: 64 there, 65 here",
        ),
        (
            {"net": {"name": "digits_cnn"}},
            "does not fit 'digits_cnn_gradient_predictor'",
        ),
        (
            {"net": {"mlp": {"hidden_units": 8}}},
            "does not fit 'mlp_gradient_predictor'",
        ),
    )
    def test_a_run_of_another_kind_is_refused(self, changes, message):
        self.assert_refused(
            f"`config.init_from`.*{self.start}.*{message}", **changes
        )

    def test_a_predictor_with_one_more_batch_normalisation_is_refused(self):
        folder = os.path.join(tempfile.mkdtemp(), "run")
        net = {"name": "digits_cnn"}
        config = tiny_config(
            method="cross_entropy", net=net, training={"epochs": 1}
        )
        Experiment(config, folder).run()
        self.assert_refused(
            "`config.init_from`.*does not fit 'digits_cnn_gradient_predictor'",
            init_from=folder,
            net=net,
        )
        # The classifiers are of one architecture.
        plan(method="gce", init_from=folder, net=net)


if __name__ == "__main__":
    absltest.main()
