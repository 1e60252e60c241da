"""A finished run's classifier as a version that a server can load.

A version is a SavedModel with the signatures of `ServedModel`, or a TFLite
model. There is no export to ONNX: tf2onnx 1.17 fails on models of Keras 3, and
as a function no more than a small perceptron was tried.
"""

import contextlib
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from limit_tf import atomic_files
from limit_tf.data.pixel_range import FILE_MAX
from limit_tf.experiments import FinishedRun
from limit_tf.experiments.evaluation import Predictor
from limit_tf.noise.arguments import check_integer
from limit_tf.serving import model_card
from limit_tf.serving import model_card_text
from limit_tf.serving import tflite
from limit_tf.serving import versions
from limit_tf.serving import warmup
from limit_tf.serving.examples import ServedExamples
from limit_tf.serving.interface import check_interface
from limit_tf.serving.server_configs import write_server_configs
from limit_tf.serving.signatures import CLASSIFY
from limit_tf.serving.signatures import DEFAULT
from limit_tf.serving.signatures import PRECISIONS
from limit_tf.serving.signatures import ServedModel

FORMATS = tuple(versions.MODEL_FILES)
WARMUPS = ("auto", "on", "off")
LABELS_FILE = "labels.txt"
# How far a probability may lie from that of the Keras model: where both
# compute in float32, and where one of them rounds to half precision.
TOLERANCE, HALF_TOLERANCE = 1e-4, 2e-2
_NUM_EXAMPLES = 64


class ClassifierExport:
    """Exports the classifier of a finished run.

    The constructor checks all that can be wrong with the arguments; `run`
    does the work.

    Args:
        run: The run.
        output: Folder of the model's versions, `saved_models/NAME`.
        replace_interface: Whether the version may have other classes, another
            input shape or other signatures than the newest one there.
        name: Name of the model; None for that of the folder.
        server_configs: Whether the folder above gets the configuration of a
            server.
        with_predictor: Whether the gradient predictor is exported, too, for
            the signature `label_scores`.
        keep: How many versions stay; None for all.
        file_format: `"saved_model"` or `"tflite"`.
        precision: `"float32"`, or `"float16"` for weights in half precision.
            The computation stays that of the networks.
        xla: Whether the networks are compiled by XLA.
        version: Number of the version; None for the next one.
        class_names: Names of the classes; None for those of the data.
        warmup_requests: `"on"` writes requests to warm up a server,
            `"auto"` if `tensorflow-serving-api` is installed, `"off"` never.
        command: Command line of the export, for the model card.
        training_command: That of the training, where it is known.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is wrong, and which.
    """

    def __init__(
        self,
        run: FinishedRun,
        output: str,
        *,
        replace_interface: bool = False,
        name: str | None = None,
        server_configs: bool = True,
        with_predictor: bool = False,
        keep: int | None = None,
        file_format: str = "saved_model",
        precision: str = "float32",
        xla: bool = False,
        version: int | None = None,
        class_names: Sequence[str] | None = None,
        warmup_requests: str = "auto",
        command: str | None = None,
        training_command: str | None = None,
    ):
        self._run = run
        _check_choice("format", file_format, FORMATS)
        _check_choice("precision", precision, PRECISIONS)
        _check_choice("warmup", warmup_requests, WARMUPS)
        if keep is not None:
            check_integer(keep, "keep", low=1)
        self._is_tflite = file_format == versions.TFLITE
        if self._is_tflite:
            _refuse_for_tflite(with_predictor, xla, warmup_requests)
            self._refuse_half_precision()
        self._folder = pathlib.Path(output)
        self._replace_interface = replace_interface
        self._name = name or self._folder.resolve().name
        self._writes_configs = server_configs and not self._is_tflite
        versions.check_name(self._name)
        versions.check_folder(self._folder)
        versions.check_version(self._folder, version)
        versions.check_format(self._folder, file_format)
        self._writes_warmup = not self._is_tflite and _is_wanted(
            warmup_requests
        )
        self._class_names = self._checked_names(class_names)
        self._predictor = None
        if with_predictor:
            self._predictor = getattr(
                self._run.model, "gradient_predictor", None
            )
            if self._predictor is None:
                raise ValueError(
                    "`with_predictor` must be left out for a method without "
                    "a gradient predictor. Received: with_predictor=True for "
                    f"{self._run.config.method}"
                )
        self._keep, self._format = keep, file_format
        self._precision, self._xla = precision, xla
        self._version = version
        self._commands = {
            "command": command,
            "training_command": training_command,
        }

    def run(self) -> pathlib.Path:
        """Writes the version and what belongs to it.

        Returns:
            Folder of the version.
        """
        version = versions.write_version(
            self._folder, self._version, self._write, self._finish
        )
        self._removed = []
        if self._keep is not None:
            self._removed = versions.prune(self._folder, self._keep, version)
        if self._writes_configs:
            self._write_server_configs()
        self._written = version
        return version

    def summary(self) -> str:
        """What `run` has written, checked and removed, in a few lines."""
        check = self._card["check"]
        lines = [
            f"{self._written}: {', '.join(self._card['signatures'])}",
            f"Probabilities of {check['num_examples']} test examples within "
            f"{check['largest_difference']:.2g} of the Keras model's",
        ]
        if self._removed:
            lines.append(f"Removed: {', '.join(map(str, self._removed))}")
        return "\n".join(lines)

    def _refuse_half_precision(self):
        precision = self._run.config.training.precision
        if precision != "float32":
            raise ValueError(
                "`format` must be saved_model for a network that computes in "
                "half precision. Received: format=tflite for "
                f"config.training.precision={precision}"
            )

    def _checked_names(self, class_names):
        if class_names is None:
            return None
        names = tuple(class_names)
        num_classes = self._run.model.num_classes
        if len(names) != num_classes:
            raise ValueError(
                f"`class_names` must be {num_classes}, one for each class of "
                f"the run. Received: {len(names)}, {','.join(map(str, names))}"
            )
        for name in names:
            if not name.strip() or len(name.splitlines()) > 1:
                raise ValueError(
                    "`class_names` must be words on one line each. Received: "
                    f"{name!r}"
                )
        return names

    def _check_data(self, source):
        """Refuses data that is no longer what the run has seen."""
        num_classes = self._run.model.num_classes
        if source.num_classes != num_classes:
            raise ValueError(
                f"`workdir` must be a run whose data still has {num_classes} "
                f"classes. Received: {source.num_classes} in "
                f"{self._run.config.data.name!r}"
            )

    def _write(self, folder):
        """Fills the folder with all but the card."""
        source, splits = self._run.loaded
        self._check_data(source)
        self._class_names = self._class_names or source.class_names
        pixel_max = source.pixel_max or FILE_MAX
        self._examples = ServedExamples(
            splits.test.images, splits.test.labels, _NUM_EXAMPLES, pixel_max
        )
        with tempfile.TemporaryDirectory() as scratch:
            labels = pathlib.Path(scratch, LABELS_FILE)
            text = "".join(f"{name}\n" for name in self._class_names)
            labels.write_text(text, encoding="utf-8")
            model = ServedModel(
                self._run.model.classifier,
                input_shape=source.input_shape,
                input_dtype=source.train.images.dtype.name,
                class_names=self._class_names,
                pixel_max=pixel_max,
                gradient_predictor=self._predictor,
                # TFLite has a way of its own to keep halves.
                precision="float32" if self._is_tflite else self._precision,
                jit_compile=self._xla,
                labels_file=labels,
            )
            functions = model.signatures()
            if self._is_tflite:
                functions = {DEFAULT: functions[DEFAULT]}
            self._check_interface(source, functions)
            if self._is_tflite:
                saved = pathlib.Path(scratch, "saved_model")
                _save(model, saved, functions)
                content = tflite.converted(saved, self._precision)
                name = versions.MODEL_FILES[versions.TFLITE]
                (folder / name).write_bytes(content)
                (folder / LABELS_FILE).write_text(text, encoding="utf-8")
                answers = tflite.answers(content, self._inputs())
            else:
                _save(model, folder, functions)
                answers = _answers(folder, self._inputs())
        self._functions = functions
        self._check = self._checked(np.asarray(answers["probabilities"]))
        if self._writes_warmup:
            warmup.write_warmup(
                folder,
                self._name,
                functions,
                self._examples,
                every_batch_size=self._xla,
            )

    def _check_interface(self, source, functions):
        """Refuses what the newest version's clients would not expect."""
        if self._replace_interface:
            return
        check_interface(
            self._folder,
            class_names=self._class_names,
            input_shape=source.input_shape,
            signatures={
                name: model_card.described(function)
                for name, function in functions.items()
            },
        )

    def _inputs(self):
        return self._examples.arguments(DEFAULT, len(self._examples))["images"]

    def _checked(self, probs):
        """Compares what was written with the Keras model."""
        network = self._run.model.classifier
        expected = Predictor(network).probs(self._examples.inputs)
        difference = float(np.abs(probs - expected).max())
        is_half = {self._precision, self._run.config.training.precision} != {
            "float32"
        }
        tolerance = HALF_TOLERANCE if is_half else TOLERANCE
        if not difference <= tolerance:
            raise ValueError(
                "`format`, `precision` and `xla` must leave probabilities "
                f"within {tolerance:g} of the Keras model's. Received: "
                f"format={self._format}, precision={self._precision}, "
                f"xla={self._xla}, which change one by {difference:.3g}"
            )
        return {
            "num_examples": len(probs),
            "compared": "probabilities of test examples with the Keras model",
            "largest_difference": difference,
            "tolerance": tolerance,
            "share_of_same_classes": float(
                np.mean(probs.argmax(-1) == expected.argmax(-1))
            ),
        }

    def _finish(self, folder, number):
        self._card = model_card.model_card(
            self._run,
            self._run.model.classifier,
            class_names=self._class_names,
            signatures=self._functions,
            name=self._name,
            version=number,
            format=self._format,
            precision_of_weights=self._precision,
            xla=self._xla,
            with_predictor=self._predictor is not None,
            has_warmup_requests=self._writes_warmup,
            check=self._check,
            **self._commands,
        )
        atomic_files.write_json(folder / model_card.FILE, self._card)
        atomic_files.write_text(
            folder / model_card_text.FILE,
            model_card_text.as_markdown(self._card),
        )

    def _write_server_configs(self):
        folder = self._folder.resolve().parent
        try:
            write_server_configs(folder, self._name)
        except OSError as error:
            logging.warning(
                "The server's configuration in %s is left as it is: %s",
                folder,
                error,
            )


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(choices)}. Received: "
            f"{name}={value!r}"
        )


def _refuse_for_tflite(with_predictor, xla, warmup_requests):
    given = {
        "with_predictor": with_predictor,
        "xla": xla,
        "warmup": warmup_requests == "on",
    }
    for name, value in given.items():
        if value:
            raise ValueError(
                f"`{name}` must be left out for format=tflite, which has the "
                f"signature serving_default alone. Received: {name}"
            )


def _is_wanted(warmup_requests):
    if warmup_requests == "off":
        return False
    if warmup.is_available():
        return True
    if warmup_requests == "on":
        raise ValueError(
            "`warmup` must be auto or off where tensorflow-serving-api is not "
            "installed (pip install 'limit_tf[serving]'). Received: warmup=on"
        )
    logging.info(
        "No warm-up requests: tensorflow-serving-api is not installed "
        "(pip install 'limit_tf[serving]')"
    )
    return False


def _answers(folder, images):
    loaded = tf.saved_model.load(str(folder))
    try:
        answers = loaded.signatures[DEFAULT](images=tf.constant(images))
    except tf.errors.OpError as error:  # As XLA's, of what it cannot compile.
        raise ValueError(
            "`workdir` must be a run whose network can be served. Received: "
            f"{error.message.splitlines()[0]}"
        ) from error
    return {name: value.numpy() for name, value in answers.items()}


def _save(model, folder, functions):
    with _quiet():
        tf.saved_model.save(model, str(folder), signatures=functions)
        if CLASSIFY not in functions:
            return
        # By this name, and that of its input, a server knows what its own
        # Classify is to call; Predict takes the signature as well.
        names = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(
            str(folder)
        )
        names.replace_method_name(
            CLASSIFY, tf.saved_model.CLASSIFY_METHOD_NAME, tags=["serve"]
        )
        names.save()


@contextlib.contextmanager
def _quiet():
    """Keeps TensorFlow's notes on what it saves from the user."""
    logger = tf.get_logger()
    levels = logging.get_verbosity(), logger.level
    logging.set_verbosity(logging.WARNING)
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logging.set_verbosity(levels[0])
        logger.setLevel(levels[1])
