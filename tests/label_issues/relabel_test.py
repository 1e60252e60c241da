import pathlib

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import atomic_files
from limit_tf.label_issues import relabel
from limit_tf.label_issues.relabel import Decision

ACCEPT, REJECT = Decision(True), Decision(False)


def toy_table(**changes):
    """Issues a, b and c, and d, whose label is not suspicious."""
    texts = {
        "id": "a b c d",
        "given_label": "cat cat dog owl",
        "suggested_label": "dog owl cat owl",
    }
    return {
        **{key: np.array(text.split(), object) for key, text in texts.items()},
        "score": np.array([0.9, 0.8, 0.7, 0.1]),
        "is_issue": np.array([True, True, True, False]),
        **changes,
    }


def labels(decisions=None, **kwargs):
    result = relabel.relabelled(toy_table(), decisions, **kwargs)
    return result.labels.tolist()


class RelabelledTest(parameterized.TestCase):
    def test_without_decisions_all_issues_are_accepted(self):
        self.assertEqual(labels(), ["dog", "owl", "cat", "owl"])

    def test_with_decisions_undecided_issues_are_kept(self):
        self.assertEqual(labels({}), ["cat", "cat", "dog", "owl"])
        self.assertEqual(labels({"a": ACCEPT}), ["dog", "cat", "dog", "owl"])

    def test_undecided_issues_are_treated_as_asked_for(self):
        self.assertEqual(
            labels({"a": REJECT}, undecided="accept"),
            ["cat", "owl", "cat", "owl"],
        )
        self.assertEqual(labels(undecided="keep"), ["cat", "cat", "dog", "owl"])

    def test_a_label_that_a_person_chose_replaces(self):
        decisions = {"a": Decision(True, "owl"), "b": Decision(False, "dog")}
        self.assertEqual(labels(decisions), ["owl", "cat", "dog", "owl"])

    def test_decisions_on_labels_that_are_no_issues_count(self):
        self.assertEqual(labels({"d": Decision(True, "dog")})[3], "dog")
        self.assertEqual(labels({"d": ACCEPT}, action="drop")[3], "")

    def test_dropped_labels_are_empty(self):
        self.assertEqual(
            labels({"a": REJECT}, action="drop", undecided="accept"),
            ["cat", "", "", "owl"],
        )

    def test_down_weighted_labels_stay(self):
        result = relabel.relabelled(
            toy_table(),
            {"b": Decision(True, "owl"), "c": REJECT},
            action="down_weight",
            weight=0.25,
        )
        self.assertEqual(result.labels.tolist(), ["cat", "cat", "dog", "owl"])
        self.assertEqual(result.weights.tolist(), [1, 0.25, 1, 1])

    @parameterized.parameters("replace", "drop")
    def test_other_actions_give_no_weights(self, action):
        result = relabel.relabelled(toy_table(), action=action)
        self.assertIsNone(result.weights)

    @parameterized.parameters(
        ("replace", {"kept": 2, "replaced": 2}),
        ("drop", {"kept": 1, "dropped": 3}),
        ("down_weight", {"kept": 1, "down_weighted": 3}),
    )
    def test_what_became_of_labels_is_counted(self, action, expected):
        # The label of c is accepted as wrong, but then chosen again.
        result = relabel.relabelled(
            toy_table(),
            {"c": Decision(True, "dog")},
            action=action,
            undecided="accept",
        )
        counts = {key: n for key, n in result.counts.items() if n}
        self.assertEqual(counts, expected)

    def test_the_table_is_not_changed(self):
        table = toy_table()
        relabel.relabelled(table, {"a": Decision(True, "owl")})
        for name, column in toy_table().items():
            self.assertEqual(table[name].tolist(), column.tolist())

    def test_decisions_on_other_examples_are_refused(self):
        message = "^`decisions`.*2 of 3 that are on others: 'x', 'y'$"
        with self.assertRaisesRegex(ValueError, message):
            labels({"a": ACCEPT, "x": ACCEPT, "y": REJECT})

    def test_labels_that_are_no_class_are_refused(self):
        decisions = {
            i: Decision(True, text)
            for i, text in zip("abcd", ("cta", "1", "owls", "dgo"), strict=True)
        }
        message = (
            "^`decisions`.*3 classes 'cat', 'dog', 'owl'.*4 that are none: "
            "'cta', '1', 'owls' and 1 more$"
        )
        with self.assertRaisesRegex(ValueError, message):
            labels(decisions)

    def test_a_class_without_examples_may_be_chosen_if_it_is_known(self):
        decisions = {"a": Decision(True, "emu"), "b": Decision(True, " dog ")}
        self.assertEqual(
            labels(decisions, class_names=("emu",)),
            ["emu", "dog", "dog", "owl"],
        )

    def test_classes_are_read_beside_the_table(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        issues = folder / "issues.csv"
        self.assertEqual(relabel.class_names_beside(issues), ())
        (folder / "noise.json").write_text('{"class_names": ["emu", "owl"]}')
        self.assertEqual(relabel.class_names_beside(issues), ("emu", "owl"))

    @parameterized.parameters(
        (dict(action="remove"), "`action`.*replace, drop, down_weight.*'rem"),
        (dict(undecided="drop"), "`undecided`.*keep, accept.*'drop'"),
        (dict(weight=1.0), r"`weight`.*\[0, 1\).*1.0"),
        (dict(weight=-0.1), "`weight`"),
        (dict(weight=float("nan")), "`weight`"),
    )
    def test_bad_options_are_refused(self, kwargs, message):
        with self.assertRaisesRegex(ValueError, message):
            labels(**kwargs)


class FilesTest(parameterized.TestCase):
    def path(self, text=None):
        path = pathlib.Path(self.create_tempdir().full_path, "file.csv")
        if text is not None:
            path.write_text(text)
        return path

    def test_decisions_are_read(self):
        text = (
            "label,note,decision,id\n"
            'owl,"x,\ny",Accept,a\n'
            ",, REJECT ,b\n"
            ",,accept,c\n"
        )
        self.assertEqual(
            relabel.read_decisions(self.path(text)),
            {"a": Decision(True, "owl"), "b": REJECT, "c": ACCEPT},
        )

    def test_the_column_of_labels_may_be_missing(self):
        text = "id,decision\na,accept\n"
        self.assertEqual(relabel.read_decisions(self.path(text)), {"a": ACCEPT})

    @parameterized.parameters(
        ("id,decision\na,yes\n", "`decisions`.*accept or reject.*line 2.*yes"),
        ("id,decision\na,\n", "`decisions`.*accept or reject.*line 2 with ''"),
        ("id,decision\na,accept\na,reject\n", "id once.*line 3.*'a' again"),
        ("id,label\na,cat\n", "without decision"),
        ("", "which is empty"),
        ("id,decision\na\n", "line 2 with 1"),
    )
    def test_broken_decisions_are_refused(self, text, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            relabel.read_decisions(self.path(text))
        self.assertNotIn("\n", str(caught.exception))

    def test_labels_are_written_in_the_order_of_the_table(self):
        path = self.path()
        relabel.write(path, relabel.relabelled(toy_table(), action="drop"))
        self.assertEqual(path.read_text(), "id,label\na,\nb,\nc,\nd,owl\n")

    def test_weights_are_a_column_if_there_are_any(self):
        path = self.path()
        result = relabel.relabelled(toy_table(), action="down_weight")
        relabel.write(path, result)
        self.assertEqual(
            path.read_text(),
            "id,label,weight\na,cat,0.1\nb,cat,0.1\nc,dog,0.1\nd,owl,1\n",
        )

    def test_no_file_is_overwritten(self):
        path = self.path("precious")
        with self.assertRaisesRegex(ValueError, "`output`.*overwritten"):
            relabel.write(path, relabel.relabelled(toy_table()))
        self.assertEqual(path.read_text(), "precious")

    def test_a_missing_folder_is_named(self):
        with self.assertRaisesRegex(ValueError, "`output`.*folder.*nowhere"):
            atomic_files.check_output("nowhere/labels.csv")


class SummaryTest(parameterized.TestCase):
    def test_it_counts(self):
        table = toy_table()
        self.assertEqual(
            relabel.summary(table, relabel.relabelled(table)),
            "4 labels: 1 kept, 3 replaced, 0 dropped, 0 down-weighted.\n"
            "class  before  after  change\n"
            "cat         2      1      -1\n"
            "dog         1      1      +0\n"
            "owl         1      2      +1",
        )

    def test_classes_that_lose_more_than_half_are_warned_of(self):
        table = toy_table(
            suggested_label=np.array("owl owl cat owl".split(), object)
        )
        decisions = {"a": ACCEPT, "b": ACCEPT}
        with self.assertLogs("absl", "WARNING") as logs:
            relabel.warn_of_shrinking(
                table, relabel.relabelled(table, decisions)
            )
        self.assertIn("1 classes lose more than half", logs.output[0])
        self.assertIn("cat (2 to 0)", logs.output[0])
        with self.assertNoLogs("absl", "WARNING"):
            relabel.warn_of_shrinking(table, relabel.relabelled(table, {}))

    # True are the labels of b and d. Replacing loses b and gains a; of the
    # ones that are left d alone is right; (0.5 + 1) of 0.5 + 0.5 + 0.5 + 1.
    @parameterized.parameters(
        ("replace", "Right: 50.0% before, 50.0% after."),
        ("drop", "Right: 50.0% before, 100.0% after of the ones that are left"),
        ("down_weight", "Right: 50.0% before, 60.0% after, by weight."),
    )
    def test_it_says_how_many_are_right_if_that_is_known(self, action, words):
        truth = np.array("dog cat owl owl".split(), object)
        table = toy_table(clean_label=truth)
        result = relabel.relabelled(table, action=action, weight=0.5)
        self.assertStartsWith(
            relabel.summary(table, result).splitlines()[1], words
        )


if __name__ == "__main__":
    absltest.main()
