"""The export of a run by the command that trains it."""

import pathlib

import ml_collections

from limit_tf.data import Source
from limit_tf.experiments import FinishedRun
from limit_tf.serving import model_folder
from limit_tf.serving import versions
from limit_tf.serving import warmup
from limit_tf.serving.export import ClassifierExport
from limit_tf.serving.interface import check_interface
from limit_tf.serving.signatures import signature_names


class RunExport:
    """Exports a run once it is finished, as an `Exporter` does.

    The run's own folder gets version 1 in `saved_model`, by the default
    options of `limit_tf.cli.export`. Nothing else is written unless
    `config.export_dir` is given: the next version of the folder
    `config.name` in it is published then, too.

    Args:
        config: Configuration of the run, before it is trained.
        training_command: Command line for the model card.

    Raises:
        ValueError: If a version cannot be published there.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        *,
        training_command: str | None = None,
    ):
        self._name = config.name
        versions.check_name(config.name, "config.name")
        self._published = None
        if config.export_dir is not None:
            self._published = pathlib.Path(config.export_dir) / config.name
            versions.check_folder(self._published, "config.export_dir")
            versions.check_format(
                self._published, versions.SAVED_MODEL, "config.export_dir"
            )
        self._training_command = training_command

    def check(self, source: Source) -> None:
        """Refuses to publish another interface than the newest version's.

        Args:
            source: Data that the run is to be trained on.

        Raises:
            ValueError: If classes, input shape or signatures differ.
        """
        if self._published is None:
            return
        dtype = source.train.images.dtype.name
        check_interface(
            self._published,
            class_names=source.class_names,
            input_shape=source.input_shape,
            signatures=signature_names(source.input_shape, dtype),
            argument="config.export_dir",
        )

    def __call__(self, run: FinishedRun) -> dict[str, str]:
        """Writes the run's own version, and publishes one if that is asked.

        Args:
            run: The finished run.

        Returns:
            `saved_model`, the folder of the run's own version, and
            `published` if there is such a version.
        """
        own = run.path / model_folder.OF_RUN
        # Whole if it is there: the run may have been killed after it.
        version = versions.newest(own) or self._export(
            run, own, name=self._name, server_configs=False
        )
        exported = {"saved_model": str(version)}
        if self._published is not None:
            exported["published"] = str(self._export(run, self._published))
        return exported

    def _export(self, run, folder, **options):
        # "auto" would tell those who only train of a package that they lack.
        warmup_requests = "on" if warmup.is_available() else "off"
        export = ClassifierExport(
            run,
            str(folder),
            warmup_requests=warmup_requests,
            training_command=self._training_command,
            **options,
        )
        return export.run()
