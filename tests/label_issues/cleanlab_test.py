"""What cleanlab finds, as label issues."""

import functools
import os

import keras
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import label_issues
from limit_tf import models
from limit_tf.label_issues.cleanlab_tables import from_cleanlab

# In these tests the label of every fifth example is wrong.
_NAMES = tuple(f"digit {digit}" for digit in range(10))
_PROBS = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
_GIVEN = np.array([1, 0, 0])


@functools.cache
def digits():
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    x, clean = load_digits(return_X_y=True)
    x, clean = x[:400] / 16.0, clean[:400]
    noisy = np.where(np.arange(400) % 5, clean, (clean + 3) % 10)
    model = LogisticRegression(C=0.1, max_iter=50)
    probs = cross_val_predict(model, x, noisy, cv=3, method="predict_proba")
    return x, clean, noisy, probs


def optional(module):
    return pytest.importorskip(module, reason=f"{module} is not installed")


class RealLibraryTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        optional("cleanlab")

    def check(self, issues, is_issue):
        _, clean, noisy, probs = digits()
        self.assertLen(issues, 400)
        self.assertCountEqual(issues.positions, np.arange(400))
        self.assertTrue(np.all(np.diff(issues.scores) <= 0))
        places = issues.positions
        np.testing.assert_allclose(
            issues.scores, 1.0 - probs[places, noisy[places]], atol=1e-6
        )
        np.testing.assert_array_equal(issues.given_labels, noisy[places])
        np.testing.assert_array_equal(issues.clean_labels, clean[places])
        np.testing.assert_array_equal(issues.is_issue, is_issue[places])
        found, wrong = issues.is_issue, noisy[places] != clean[places]
        self.assertGreater(np.mean(wrong[found]), 0.6)
        self.assertGreater(np.mean(found[wrong]), 0.8)
        right = issues.suggested_labels == clean[places]
        self.assertGreater(np.mean(right[wrong]), 0.7)

    def test_probabilities_of_a_limit_model_go_into_it(self):
        optional("datasets")
        from cleanlab import Datalab
        from cleanlab import filter as cleanlab_filter

        rng = np.random.default_rng(0)
        clean = np.arange(300) % 3
        x = (rng.normal(size=(300, 4)) + 4.0 * np.eye(3, 4)[clean]).astype(
            "float32"
        )
        noisy = np.where(np.arange(300) % 5, clean, (clean + 1) % 3)
        network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model = models.LimitModel(network, seed=0)
        model.compile(optimizer=keras.optimizers.Adam(0.05))
        model.fit(x, noisy, epochs=20, batch_size=50, verbose=0)
        probs = label_issues.pred_probs(model, x)

        mask = cleanlab_filter.find_label_issues(noisy, probs)
        lab = Datalab({"label": noisy}, label_name="label", verbosity=0)
        lab.find_issues(pred_probs=probs, issue_types={"label": {}})
        for found in (mask, lab.get_issues("label")):
            issues = from_cleanlab(
                found, noisy, ("a", "b", "c"), pred_probs=probs
            )
            wrong = noisy[issues.positions] != clean[issues.positions]
            self.assertGreater(np.mean(issues.is_issue[wrong]), 0.8)
            self.assertGreater(np.mean(wrong[issues.is_issue]), 0.8)

    @parameterized.parameters(None, "self_confidence")
    def test_find_label_issues_of_filter(self, ranked_by):
        from cleanlab.filter import find_label_issues

        _, clean, noisy, probs = digits()
        issues = from_cleanlab(
            find_label_issues(noisy, probs, return_indices_ranked_by=ranked_by),
            noisy,
            _NAMES,
            pred_probs=probs,
            clean_labels=clean,
        )
        self.check(issues, find_label_issues(noisy, probs))

    def test_clean_learning(self):
        from cleanlab.classification import CleanLearning

        _, clean, noisy, probs = digits()
        table = CleanLearning().find_label_issues(
            labels=noisy, pred_probs=probs
        )
        is_issue = table["is_label_issue"].to_numpy()
        path = os.path.join(self.create_tempdir(), "issues.csv")
        table.to_csv(path)
        shuffled = table.sample(frac=1.0, random_state=0)
        for given in (table, shuffled, path):
            issues = from_cleanlab(given, noisy, _NAMES, clean_labels=clean)
            self.check(issues, is_issue)
            self.assertEqual(issues.rule, "cleanlab's choice")

        found = from_cleanlab(table[is_issue], noisy, _NAMES)
        self.assertEqual(found.num_issues, len(found))
        np.testing.assert_array_equal(
            np.sort(found.positions), np.flatnonzero(is_issue)
        )
        path = os.path.join(self.create_tempdir(), "some.csv")
        table[is_issue].to_csv(path)
        again = from_cleanlab(path, noisy, _NAMES)
        np.testing.assert_array_equal(again.positions, found.positions)

    @parameterized.parameters(False, True)
    def test_datalab(self, with_names):
        optional("datasets")
        from cleanlab import Datalab

        _, clean, noisy, probs = digits()
        labels = np.array(_NAMES)[noisy] if with_names else noisy
        lab = Datalab({"label": labels}, label_name="label", verbosity=0)
        lab.find_issues(pred_probs=probs, issue_types={"label": {}})
        table = lab.get_issues("label")
        issues = from_cleanlab(table, labels, _NAMES, clean_labels=clean)
        self.check(issues, table["is_label_issue"].to_numpy())
        # The table of all kinds of issues has no labels.
        issues = from_cleanlab(
            lab.get_issues(),
            noisy,
            _NAMES,
            pred_probs=probs,
            clean_labels=clean,
        )
        self.check(issues, table["is_label_issue"].to_numpy())


class CleanlabTablesTest(parameterized.TestCase):
    def csv(self, *lines):
        path = os.path.join(self.create_tempdir(), "issues.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        return path

    def test_issues_come_first_of_equals_and_ids_follow(self):
        issues = from_cleanlab(
            self.csv(
                "is_label_issue,label_quality,given_label,predicted_label",
                "False,0.25,b,b",
                "True,0.25,a,b",
                "False,1.0,a,a",
            ),
            ["b", "a", "a"],
            ["a", "b"],
            example_ids=["x", "y", "z"],
        )
        self.assertEqual(issues.example_ids.tolist(), ["y", "x", "z"])
        self.assertEqual(issues.scores.tolist(), [0.75, 0.75, 0.0])
        self.assertEqual(issues.is_issue.tolist(), [True, False, False])
        self.assertEqual(issues.suggested_labels.tolist(), [1, 1, 0])
        self.assertIsNone(issues.clean_labels)
        self.assertIsNone(issues.threshold)

    def test_names_that_look_like_indices(self):
        path = self.csv(
            "is_label_issue,label_score,given_label,predicted_label",
            "True,0.1,1,2",
            "False,0.9,2,2",
        )
        for names, given, suggested in (
            (["1", "2"], [0, 1], [1, 1]),
            (["2", "1", "0"], [1, 0], [0, 0]),
            (["x", "y", "z"], [1, 2], [2, 2]),
        ):
            issues = from_cleanlab(path, given, names)
            self.assertEqual(issues.given_labels.tolist(), given)
            self.assertEqual(issues.suggested_labels.tolist(), suggested)

    def test_no_issues(self):
        issues = from_cleanlab([], _GIVEN, "ab", pred_probs=_PROBS)
        self.assertEqual(issues.num_issues, 0)
        self.assertEqual(issues.positions.tolist(), [0, 2, 1])

    @parameterized.parameters(
        (np.zeros((3, 2)), {}, "`issues` must be a table"),
        ([True, False], {}, r"`issues` must have shape \(3,\)"),
        ([0, 0, 1], {}, "`issues` must hold distinct positions .*1 repeated"),
        ([3], {}, "`issues` must hold distinct positions .*1 outside"),
        ([1], {"pred_probs": None}, "`pred_probs` must be given"),
        ([1], {"pred_probs": _PROBS[:2]}, "`pred_probs` must be prob"),
        ([1], {"pred_probs": _PROBS * 3}, "`pred_probs` must be prob.*max=2.7"),
        ([1], {"clean_labels": [0, 1]}, "`clean_labels` must have shape"),
        ([1], {"example_ids": [0, 1]}, "`example_ids` must have shape"),
        ([1], {"given_labels": [0, 1, 2]}, "`given_labels` must lie"),
        ([1], {"given_labels": list("abc")}, "`given_labels` must hold class"),
    )
    def test_refuses(self, issues, arguments, message):
        options = {"given_labels": _GIVEN, "pred_probs": _PROBS} | arguments
        with self.assertRaisesRegex((TypeError, ValueError), message):
            from_cleanlab(issues, class_names="ab", **options)

    @parameterized.parameters(
        (["label_quality"], "must have a column 'is_label_issue'"),
        (["is_label_issue,label_score", "True,1"], "must have a row for each"),
        (["is_label_issue,label_score", "True"], "rows are as long"),
        (["is_label_issue,label_score", "yes,1"], "'is_label_issue'.*'yes'"),
        (["is_label_issue,label_score", "True,x"], "'label_score'.*'x'"),
        (
            ["is_label_issue,label_score", *["True,nan"] * 3],
            "must have qualities of labels in .* nan in row 0",
        ),
        (
            ["is_label_issue,label_score,given_label", *["True,1,0"] * 3],
            "must be about `given_labels`.*1 of 3 rows.* 'a' in .* of 'b'",
        ),
        (
            ["is_label_issue,label_score,given_label", *["True,1,c"] * 3],
            "`issues` must hold class indices, or names .* 'c'",
        ),
    )
    def test_refuses_tables(self, lines, message):
        with self.assertRaisesRegex(ValueError, message):
            from_cleanlab(self.csv(*lines), _GIVEN, "ab", pred_probs=_PROBS)

    def test_refuses_a_missing_file(self):
        with self.assertRaisesRegex(FileNotFoundError, "`issues`.*none.csv"):
            from_cleanlab("none.csv", _GIVEN, "ab")


if __name__ == "__main__":
    absltest.main()
