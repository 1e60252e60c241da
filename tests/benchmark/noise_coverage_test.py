"""What is measured of estimates whose truth is known, by hand."""

import pathlib

import numpy as np
from absl.testing import absltest

from limit_tf import noise
from limit_tf.benchmark import noise_coverage
from limit_tf.benchmark import score_files
from tests.label_issues import builders


def known(num_examples=600, rate=0.3):
    """Scores of a predictor that knows the truth, half of them held out."""
    scores, clean = builders.noisy_scores(
        noise.symmetric_transition_matrix(3, rate), num_examples
    )
    parts = np.repeat([0, 1], num_examples // 2)
    return score_files.KnownScores(scores, clean, parts)


class IntervalFiguresTest(absltest.TestCase):
    def test_of_a_predictor_that_knows_intervals_hold_the_truth(self):
        found = noise_coverage.interval_figures(known())
        for name in ("rate", "matrix", "errors"):
            share, width = found[f"{name}, parts"]
            self.assertGreater(share, 0.8, name)
            self.assertGreaterEqual(width, found[f"{name}, sampling"][1])

    def test_of_one_that_has_memorised_they_do_not(self):
        own = known()
        wrong = own.scores.given_labels != own.clean_labels
        truth = np.where(wrong, own.scores.given_labels, own.clean_labels)
        scores = builders.scores_of(
            0.05 + 0.85 * np.eye(3)[truth], own.scores.given_labels
        )
        found = noise_coverage.interval_figures(
            score_files.KnownScores(scores, own.clean_labels, own.parts)
        )
        self.assertEqual(found["rate, sampling"][0], 0.0)
        self.assertEqual(found["matrix, sampling"][0], 0.0)


class ChoiceTest(absltest.TestCase):
    def test_by_hand(self):
        # Class 1 is rare. Of its three right labels the second is flagged and
        # would become 0; of the two wrong ones (positions 8, 9) the last is
        # found.
        clean = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
        given = clean.copy()
        given[[8, 9]] = 1
        flagged = np.zeros(16, bool)
        flagged[[6, 9]] = True
        probs = np.where(np.arange(2) == clean[:, None], 0.9, 0.1)
        probs[6] = [0.8, 0.2]
        scores = builders.scores_of(probs, given)
        self.assertEqual(
            noise_coverage.choice_of(flagged, scores, clean),
            {
                "precision": 0.5,
                "recall": 0.5,
                "rare_flagged": 1,
                "rare_right": 3,
                "rare_left": 3,
                "rare_true": 3,
            },
        )

    def test_issues_are_of_the_positions_that_they_name(self):
        figures = noise_coverage.choice_figures(known())
        self.assertGreater(figures["precision"], 0.95)
        self.assertGreater(figures["recall"], 0.95)
        self.assertEqual(figures["rare_right"], 0)


class MeansTest(absltest.TestCase):
    def test_what_some_runs_lack_is_averaged_over_the_others(self):
        found = noise_coverage.means(
            [{"a": 1.0, "b": None}, {"a": 2.0, "b": 4.0}, {"c": (0.0, 2.0)}]
        )
        self.assertEqual(found["a"], (1.5, 2))
        self.assertEqual(found["b"], (4.0, 1))
        self.assertEqual(found["c"][0].tolist(), [0.0, 2.0])


class ScoreFilesTest(absltest.TestCase):
    def test_what_is_read_is_what_was_written(self):
        path = pathlib.Path(self.create_tempdir().full_path)
        own = known(30)
        score_files.write(path / "new" / "a.npz", own)
        read = score_files.read(path / "new" / "a.npz")
        self.assertEqual(read.scores.num_classes, 3)
        self.assertEqual(read.parts.tolist(), own.parts.tolist())
        self.assertEqual(read.clean_labels.tolist(), own.clean_labels.tolist())
        for name in ("top_probs", "given_labels", "l1_distance"):
            np.testing.assert_array_equal(
                getattr(read.scores, name), getattr(own.scores, name)
            )


if __name__ == "__main__":
    absltest.main()
