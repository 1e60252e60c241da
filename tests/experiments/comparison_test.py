"""Rows of a table: their order, their values, and all methods in one table."""

import json
import pathlib
import tempfile

import keras
import ml_collections
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.experiments import Comparison
from limit_tf.experiments.methods import METHODS
from tests import testing


def tiny_config(rows=None, **changes):
    config = testing.tiny_config(tempfile.mkdtemp(), **changes)
    if rows is not None:
        config.rows = ml_collections.ConfigDict(rows, sort_keys=False)
    return config


def run(config, workdir, rows):
    """Trains the rows; returns the outcomes and the printed table."""
    comparison = Comparison(config, workdir, rows)
    outcomes = [experiment.run() for experiment in comparison.experiments()]
    return outcomes, comparison.summarise(outcomes)


def build(rows, config):
    """Builds the experiments of rows; returns their configurations."""
    workdir = tempfile.mkdtemp()
    return Comparison(config, workdir, rows)._configs, workdir


class MethodsTest(absltest.TestCase):
    @pytest.mark.slow
    def test_all_methods_in_one_comparison(self):
        workdir = pathlib.Path(tempfile.mkdtemp(), "run")
        config = tiny_config(
            training={"epochs": 2},
            forward_correction={"percentile_filter": False},
        )
        outcomes, text = run(config, str(workdir), list(METHODS))
        for method, outcome in zip(METHODS, outcomes, strict=True):
            with self.subTest(method):
                self.check_run(method, outcome, workdir / method)
        self.assertLen({outcome["noise_ceiling"] for outcome in outcomes}, 1)
        self.check_table(text)
        self.check_files(workdir)

        start = str(workdir / "cross_entropy")
        configs, _ = build(["dmi"], tiny_config(init_from=start))
        self.assertEqual(configs["dmi"].init_from, start)

    def check_run(self, method, outcome, path):
        self.assertEqual(outcome["method"], method)
        self.assertEqual(outcome["num_epochs"], 2)
        self.assertNotIn("nan", (path / "history.csv").read_text())
        self.assertEqual(
            json.loads((path / "results.json").read_text()), outcome
        )
        images = data.load("digits").test
        model = keras.models.load_model(path / "best_model.keras")
        logits = model.predict(images.images, verbose=0)
        accuracy = np.mean(logits.argmax(-1) == images.labels)
        self.assertAlmostEqual(outcome["test_accuracy"], accuracy, places=6)
        self.assertEqual(outcome["config"]["name"], f"digits_{method}")

    def check_table(self, text):
        lines = text.splitlines()
        self.assertEqual(
            [line.split()[0] for line in lines[2 : 2 + len(METHODS)]],
            list(METHODS),
        )
        self.assertIn("of the training labels are wrong", text)
        self.assertNotIn("reported", lines[0])

    def check_files(self, workdir):
        markdown = (workdir / "table.md").read_text().splitlines()
        self.assertLen(markdown, 2 + len(METHODS))
        self.assertEqual(
            [line.split("|")[1].strip() for line in markdown[2:]],
            list(METHODS),
        )
        self.assertLen({line.count("|") for line in markdown}, 1)
        rows = json.loads((workdir / "results.json").read_text())
        self.assertEqual([row["row"] for row in rows], list(METHODS))
        png = (workdir / "curves.png").read_bytes()
        self.assertEqual(png[1:4], b"PNG")


class RowsTest(parameterized.TestCase):
    def test_rows_keep_their_order_and_differ_in_what_they_say(self):
        config = tiny_config(
            {
                "zeta": {"method": "limit", "limit": {"warmup_steps": 3}},
                "alpha": {"method": "gce", "gce": {"q": 0.5}},
                "middle": {"method": "limit", "training": {"epochs": 9}},
            }
        )
        configs, _ = build(["all"], config)
        self.assertEqual(list(configs), ["zeta", "alpha", "middle"])
        self.assertEqual(
            [c.method for c in configs.values()], ["limit", "gce", "limit"]
        )
        self.assertEqual(
            [c.limit.warmup_steps for c in configs.values()], [3, 0, 0]
        )
        self.assertEqual(
            [c.training.epochs for c in configs.values()], [4, 4, 9]
        )
        self.assertEqual(configs["alpha"].gce.q, 0.5)
        self.assertEqual(configs["alpha"].name, "digits_alpha")
        # The configuration itself stays as it was.
        self.assertEqual((config.gce.q, config.name), (0.7, "digits"))

    def test_the_order_is_that_of_the_command(self):
        config = tiny_config({"b": {"method": "mae"}, "a": {"method": "gce"}})
        configs, _ = build(["sce", "a", "b"], config)
        self.assertEqual(list(configs), ["sce", "a", "b"])

    def test_methods_that_are_no_rows_have_the_values_of_the_config(self):
        config = tiny_config({}, gce={"q": 0.3})
        configs, _ = build(["gce"], config)
        self.assertEqual(configs["gce"].method, "gce")
        self.assertEqual(configs["gce"].gce.q, 0.3)

    def test_without_rows_all_are_the_methods(self):
        configs, _ = build(["all"], tiny_config({}))
        self.assertEqual(list(configs), list(METHODS))

    def test_all_rows_of_the_digits_fit(self):
        config = tiny_config()
        configs, _ = build(["all"], config)
        self.assertEqual(list(configs), list(config.rows))

    def test_init_from_may_name_an_earlier_row(self):
        rows = {
            "plain": {"method": "cross_entropy"},
            "limit_init": {"method": "limit", "init_from": "plain"},
        }
        configs, workdir = build(["all"], tiny_config(rows))
        self.assertIsNone(configs["plain"].init_from)
        self.assertEqual(configs["limit_init"].init_from, f"{workdir}/plain")

    def test_methods_that_need_a_start_take_the_row_cross_entropy(self):
        configs, workdir = build(
            ["cross_entropy", "dmi", "forward_correction", "limit"],
            tiny_config(),
        )
        start = f"{workdir}/cross_entropy"
        self.assertEqual(
            [c.init_from for c in configs.values()], [None, start, start, None]
        )

    def test_a_given_transition_matrix_needs_no_row_before(self):
        matrix = tuple(map(tuple, np.eye(10)))
        config = tiny_config(forward_correction={"transition_matrix": matrix})
        configs, _ = build(["forward_correction"], config)
        self.assertIsNone(configs["forward_correction"].init_from)

    def test_a_given_folder_is_looked_at_before_any_row_is_trained(self):
        with self.assertRaisesRegex(ValueError, "runs/ce.*no results.json"):
            build(["dmi"], tiny_config(init_from="runs/ce"))

    @parameterized.parameters(
        (["magic"], {}, "magic"),
        (["limit", "limit"], {}, "`rows`.*none of them twice"),
        ([], {}, "`rows` must name at least one row"),
        (["all", "limit"], {}, "'all'"),
        (["dmi"], {}, "'cross_entropy' before 'dmi'"),
        (
            ["forward_correction", "cross_entropy"],
            {},
            "'cross_entropy' before 'forward_correction'",
        ),
        (
            ["late", "plain"],
            {
                "plain": {"method": "cross_entropy"},
                "late": {"method": "limit", "init_from": "plain"},
            },
            "'plain' before 'late'",
        ),
        (
            ["a"],
            {"a": {"method": "limit", "limit": {"warm_up_steps": 3}}},
            "`config.rows.a`.*warm_up_steps",
        ),
        (["a"], {"a": {"metod": "limit"}}, "`config.rows.a`.*metod"),
        (
            ["a"],
            {"a": {"training": {"epochs": "ten"}}},
            "`config.rows.a`.*epochs",
        ),
        (
            ["limit", "a"],
            {"a": {"training": {"epochs": 0}}},
            "`config.training.epochs`",
        ),
    )
    def test_wrong_rows_are_refused_before_any_work(self, rows, known, message):
        with self.assertRaisesRegex(ValueError, message) as context:
            build(rows, tiny_config(known))
        self.assertNotIn("\n", str(context.exception))


class ReportedTest(absltest.TestCase):
    def table(self, **changes):
        config = tiny_config(
            {"b": {"method": "mae"}, "a": {"method": "cross_entropy"}},
            training={"epochs": 1},
            **changes,
        )
        config.reported = {
            "settings": {"noise": {"kind": "symmetric", "rate": 0.5}},
            "accuracy": {"a": 71.8},
        }
        workdir = pathlib.Path(tempfile.mkdtemp(), "run")
        _, text = run(config, str(workdir), ["all"])
        return text, (workdir / "table.md").read_text()

    def test_reported_accuracies_have_a_column(self):
        text, markdown = self.table()
        header, _, first, second = text.splitlines()[:4]
        at = header.index("reported")
        self.assertEqual(first[at:].split()[0], "-")
        self.assertEqual(second[at:].split()[0], "71.8%")
        cells = [
            [cell.strip() for cell in line.split("|")]
            for line in markdown.splitlines()
        ]
        column = cells[0].index("reported")
        self.assertEqual(
            [(row[1], row[column]) for row in cells[2:]],
            [("b", "-"), ("a", "71.8%")],
        )

    def test_other_settings_than_the_paper_s_have_none(self):
        text, markdown = self.table(noise={"rate": 0.4})
        self.assertNotIn("reported", text)
        self.assertNotIn("reported", markdown)


if __name__ == "__main__":
    absltest.main()
