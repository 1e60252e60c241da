"""The export of a run by the command that trains it."""

import pathlib

import ml_collections

from limit_tf.experiments import FinishedRun
from limit_tf.serving import versions
from limit_tf.serving import warmup
from limit_tf.serving.export import ClassifierExport


class RunExport:
    """Exports a run once it is finished, as an `Exporter` does.

    The version is that of `limit_tf.cli.export` with its default options, in
    the folder `config.name` of `config.export_dir`.

    Args:
        config: Configuration of the run, before it is trained.
        training_command: Command line for the model card.

    Raises:
        ValueError: If a version cannot be written there.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        *,
        training_command: str | None = None,
    ):
        self._folder = pathlib.Path(config.export_dir) / config.name
        versions.check_name(config.name, "config.name")
        versions.check_folder(self._folder, "config.export_dir")
        versions.check_format(
            self._folder, versions.SAVED_MODEL, "config.export_dir"
        )
        self._training_command = training_command

    def __call__(self, run: FinishedRun) -> pathlib.Path:
        """Writes the next version.

        Args:
            run: The finished run.

        Returns:
            Folder of the version.
        """
        # "auto" would tell those who only train of a package that they lack.
        warmup_requests = "on" if warmup.is_available() else "off"
        export = ClassifierExport(
            run,
            str(self._folder),
            warmup_requests=warmup_requests,
            training_command=self._training_command,
        )
        return export.run()
