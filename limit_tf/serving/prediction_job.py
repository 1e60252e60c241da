"""Predictions from beginning to end: checks, model, images, file."""

import os
from collections.abc import Sequence

from absl import logging

from limit_tf import atomic_files
from limit_tf.serving import model_folder
from limit_tf.serving import prediction_file
from limit_tf.serving.inputs import Failure
from limit_tf.serving.inputs import Inputs
from limit_tf.serving.prediction import Predictor
from limit_tf.serving.prediction import predictions
from limit_tf.serving.remote import Server

PROTOCOLS = ("grpc", "rest")


class PredictionJob:
    """Predicts images by an exported model and writes what comes out.

    Args:
        images: Files, folders, patterns and arrays; see `Inputs`.
        model: Folder of an exported model. With `server`, it is not loaded,
            and gives the names of the classes alone.
        version: Number of the version; by default the highest one, or the one
            that the server calls the latest.
        output: New file; None for standard output.
        file_format: `"csv"` or `"json"`; by default what `output` ends in, or
            else `"csv"`.
        batch_size: Most images in a batch.
        num_top: Number of classes to name for each image.
        server: `host:port` of a server to ask instead of loading the model.
        protocol: `"grpc"` or `"rest"`.
        model_name: Name of the model on the server.
        timeout: Most seconds that a request takes.
        num_retries: How often a request is tried again.
        fail_fast: Whether the first image that cannot be predicted is an
            error, and nothing is written. Else it is one of the `failures`.

    Raises:
        OSError: If a file of arrays cannot be read.
        ValueError: If an argument is out of range, or does not go with
            another one.
    """

    def __init__(
        self,
        images: Sequence[str],
        *,
        model: str | os.PathLike | None = None,
        version: int | None = None,
        output: str | os.PathLike | None = None,
        file_format: str | None = None,
        batch_size: int = 64,
        num_top: int = 1,
        server: str | None = None,
        protocol: str = "grpc",
        model_name: str | None = None,
        timeout: float = 10.0,
        num_retries: int = 3,
        fail_fast: bool = False,
    ):
        for name, number in (("batch_size", batch_size), ("top", num_top)):
            if number < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={number}"
                )
        self._batch_size, self._num_top = batch_size, num_top
        self._output = output
        self._write = _writer(file_format, output)
        if output is not None:
            atomic_files.check_output(output)
        if protocol not in PROTOCOLS:
            raise ValueError(
                f"`protocol` must be one of {', '.join(PROTOCOLS)}. "
                f"Received: protocol={protocol!r}"
            )
        self._protocol = protocol
        self._model = model
        self._server = self._version_folder = None
        if server is not None:
            if model_name is None:
                raise ValueError(
                    "`server` needs `model_name`, the name of the model on "
                    f"the server. Received: server={server}"
                )
            self._server = Server(
                server, model_name, version, timeout, num_retries
            )
        elif model_name is not None:
            raise ValueError(
                "`model_name` is for `server`. "
                f"Received: model_name={model_name!r} without it"
            )
        if model is not None:
            self._version_folder = model_folder.find_version(model, version)
        elif server is None:
            raise ValueError(
                "`model`, the folder of an exported model, or `server`, the "
                "address of a running one, must be given. Received: neither"
            )
        self._fail_fast = fail_fast
        self._inputs = Inputs(images)

    @property
    def failures(self) -> list[Failure]:
        """The images that could not be predicted, and why."""
        return self._inputs.failures

    def run(self) -> str | None:
        """Predicts all images.

        Returns:
            What was done, in a line; None if predictions went to standard
            output.

        Raises:
            RuntimeError: If there is no answer.
            ValueError: If the model does not take the images, or no image can
                be predicted.
        """
        predictor = self._predictor()
        self._inputs.check(predictor.spec)
        self._check_num_top(predictor)
        with prediction_file.opened(self._output) as file:
            count = self._write(
                file,
                self._predictions(predictor),
                self._num_top,
            )
            if not count:
                raise _error(self.failures[0], len(self.failures))
        if self._output is None:
            return None
        return (
            f"{count:,} prediction{'s' * (count != 1)} by {predictor.where}: "
            f"{self._output}"
        )

    def _predictions(self, predictor):
        """Yields the predictions, checked for failures between any two."""
        for prediction in predictions(
            predictor,
            self._inputs,
            batch_size=self._batch_size,
            num_top=self._num_top,
        ):
            self._check_failures()
            yield prediction
        self._check_failures()

    def _check_failures(self):
        if self._fail_fast and self.failures:
            raise _error(self.failures[0], 1)

    def _predictor(self) -> Predictor:
        # Imported where they are used: REST needs no TensorFlow.
        if self._server is None:
            from limit_tf.serving.saved_model import SavedModelPredictor

            return SavedModelPredictor(self._version_folder)
        if self._protocol == "rest":
            from limit_tf.serving.rest import RestPredictor

            predictor = RestPredictor(self._server)
        else:
            from limit_tf.serving.grpc_client import GrpcPredictor

            predictor = GrpcPredictor(self._server)
        if self._model is not None:
            version = predictor.server.version
            if model_folder.is_version(self._model):
                version = None
            predictor.class_names = model_folder.read_class_names(
                model_folder.find_version(self._model, version)
            )
        return predictor

    def _check_num_top(self, predictor):
        num_classes = predictor.spec.num_classes
        if num_classes is not None and self._num_top > num_classes:
            raise ValueError(
                f"`top` must be at most {num_classes}, the number of classes. "
                f"Received: top={self._num_top}"
            )
        names = predictor.class_names
        if names and num_classes and len(names) != num_classes:
            raise ValueError(
                "`model` must have as many names in labels.txt as classes. "
                f"Received: {len(names)} names for {num_classes} classes in "
                f"{self._model}"
            )
        if self._num_top > 1 and not names:
            logging.warning(
                "The model gives the name of the first class alone%s.",
                "" if self._server is None else ": --model=FOLDER has the rest",
            )


def _error(failure, count):
    """Returns what is raised for an image that cannot be predicted."""
    others = f" and {count - 1:,} more" if count > 1 else ""
    return ValueError(
        "`images` must be files that the model can decode. "
        f"Received: {failure.name} ({failure.reason}){others}"
    )


def _writer(file_format, output):
    """Returns the function that writes predictions."""
    if file_format is None:
        suffix = os.path.splitext(output or "")[1].lower()
        file_format = "json" if suffix == ".json" else "csv"
    if file_format not in prediction_file.FORMATS:
        raise ValueError(
            f"`format` must be one of {', '.join(prediction_file.FORMATS)}. "
            f"Received: format={file_format!r}"
        )
    return {
        "csv": prediction_file.write_csv,
        "json": prediction_file.write_json,
    }[file_format]
