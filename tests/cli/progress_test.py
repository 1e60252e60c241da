"""Progress on a terminal and elsewhere."""

import io
from unittest import mock

import tqdm
from absl import logging
from absl.testing import absltest

from limit_tf import progress


class ProgressTest(absltest.TestCase):
    def lines(self, work):
        with self.assertLogs(logging.get_absl_logger(), "INFO") as logs:
            work()
        return [record.getMessage() for record in logs.records]

    def test_every_epoch_has_its_line_without_a_terminal(self):
        def train():
            with progress.bar(
                3, "limit", unit="epoch", initial=1, every_one=True
            ) as bar:
                for accuracy in (0.5, 0.75):
                    bar.set_postfix_str(f"{accuracy:.0%} right", refresh=False)
                    bar.update()

        with mock.patch("sys.stderr", io.StringIO()):
            self.assertEqual(
                self.lines(train),
                [
                    "limit: epoch 2 of 3, 50% right",
                    "limit: epoch 3 of 3, 75% right",
                ],
            )

    def test_files_have_a_line_now_and_then(self):
        clock = [0.0, 1.0, 29.0, 30.0, 31.0, 70.0]
        with (
            mock.patch("sys.stderr", io.StringIO()),
            mock.patch.object(progress, "time") as time,
        ):
            time.monotonic.side_effect = clock
            self.assertEqual(
                self.lines(
                    lambda: list(
                        progress.over(range(5), 5, "checking", unit="file")
                    )
                ),
                ["checking: file 3 of 5", "checking: file 5 of 5"],
            )

    def test_terminal_has_a_bar(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        with mock.patch("sys.stderr", Terminal()) as terminal:
            with progress.bar(2, "limit", unit="epoch") as bar:
                self.assertIsInstance(bar, tqdm.tqdm)
                bar.update(2)
            self.assertIn("\rlimit: 100%", terminal.getvalue())


if __name__ == "__main__":
    absltest.main()
