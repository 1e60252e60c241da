"""What is known of a served model, and what is not."""

import datetime
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from limit_tf import data
from limit_tf import version
from limit_tf.data.pixel_range import FILE_MAX
from limit_tf.experiments import FinishedRun
from limit_tf.experiments import held_out
from limit_tf.experiments import results

FILE = "model_card.json"
_ACCURACIES = (
    "test_accuracy",
    "test_accuracy_by_class",
    "last_test_accuracy",
    "valid_accuracy",
    "valid_cross_entropy",
    "train_accuracy_noisy",
    "train_accuracy_clean",
)


def model_card(
    run: FinishedRun,
    network: keras.Model,
    *,
    class_names: tuple[str, ...],
    signatures: Mapping[str, Any],
    training_command: str | None,
    **facts: Any,
) -> dict[str, Any]:
    """Describes a served model.

    Args:
        run: The run that it comes from, its data loaded.
        network: The classifier.
        class_names: The names that it is served with.
        signatures: Concrete functions by the names of the signatures.
        training_command: Command line of the training, where it is known.
        **facts: What is known of the export: its name, version and so on. They
            come first.

    Returns:
        Values that JSON can hold.
    """
    source, splits = run.loaded
    outcome, config = run.results, run.config
    return {
        **facts,
        "created": datetime.datetime.now(datetime.UTC).isoformat(
            timespec="seconds"
        ),
        "method": config.method,
        "num_params": network.count_params(),
        "input": {
            "shape": list(source.input_shape),
            "dtype_in_training": str(source.train.images.dtype),
            "pixel_scaling": source.pixel_scaling,
            "pixel_scaling_is_inside_the_network": source.pixel_scaling
            is not None,
        },
        "class_names": list(class_names),
        "signatures": {
            name: described(function) for name, function in signatures.items()
        },
        "accuracies": _accuracies(source, outcome),
        "data": _data(config, source, outcome),
        "noise": _noise(config, outcome),
        "training": {
            "run": config.name,
            "command": training_command,
            "workdir": str(run.path),
            "seed": config.seed,
            "epoch": outcome.get("best_epoch"),
            "num_epochs": outcome.get("num_epochs"),
            "epoch_was_chosen_by": "the best accuracy on the validation "
            "labels, which are clean"
            if config.data.clean_validation
            else "the best accuracy on the validation labels as given",
            "stopped_early": outcome.get("stopped_early"),
            "seconds": outcome.get("wall_seconds"),
            "init_from": config.get("init_from"),
        },
        "versions": {
            "trained_with": outcome.get("versions"),
            "exported_with": {
                "limit_tf": version.__version__,
                **results.versions(),
            },
        },
        "configuration": outcome.get("config"),
        "not_known": _not_known(source, splits, outcome, training_command),
    }


def _accuracies(source, outcome):
    """Accuracies; those on held-out labels by names of their own."""
    names = _ACCURACIES
    if not source.test_labels_are_checked:
        names = (*names, *held_out.KEYS.values(), held_out.ESTIMATE)
    figures = held_out.named(outcome, source)
    return {key: figures.get(key) for key in names}


def described(
    function: tf.types.experimental.ConcreteFunction,
) -> dict[str, dict[str, Any]]:
    """Describes a signature.

    Args:
        function: Its concrete function.

    Returns:
        Dtypes and shapes of the `inputs` and `outputs`, by name.
    """

    def tensors(specs):
        return {
            name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
            for name, spec in sorted(specs.items())
        }

    return {
        "inputs": tensors(function.structured_input_signature[1]),
        "outputs": tensors(function.structured_outputs),
    }


def _data(config, source, outcome):
    notes = []
    if data.is_stored(source.train.images) or config.data.image_size:
        height, width = source.input_shape[:2]
        notes.append(
            f"Images of another size are resized to {height} x {width}: "
            "bilinear, antialiased, rounded to whole pixels."
        )
    if source.pixel_max not in (None, FILE_MAX):
        notes.append(
            f"Pixels go to {source.pixel_max:g}, not to 255: those of arrays "
            "must; those of encoded images are scaled to that and rounded."
        )
    if source.unreadable:
        notes.append(f"{len(source.unreadable)} unreadable images left out.")
    return {
        "name": config.data.name,
        "data_dir": config.data.data_dir,
        "labels_file": config.data.labels_file,
        "num_train_examples": outcome.get("num_train_examples"),
        "num_valid_examples": outcome.get("num_valid_examples"),
        "num_test_examples": outcome.get("num_test_examples"),
        "augmentation": config.data.augmentation,
        "notes": notes,
    }


def _noise(config, outcome):
    right = outcome.get("noise_ceiling")
    return {
        "added_kind": config.noise.kind,
        "added_rate": config.noise.rate,
        "seed": config.seed if config.noise.seed is None else config.noise.seed,
        "share_of_wrong_training_labels": None
        if right is None
        else 1.0 - right,
    }


def _not_known(source, splits, outcome, training_command):
    unknown = [
        "what the model is to be used for, and on whom it fails",
        "licence and consent behind the data",
        "how the images were compressed and edited before they came into the "
        "data set",
        "how the model does on data of another origin than its test set",
    ]
    if training_command is None:
        unknown.append(
            "the command line that trained the model; its configuration is "
            "above"
        )
    if splits.train.clean_labels is None:
        unknown.append("which training labels are wrong, and how many")
    if not source.test_labels_are_checked:
        unknown.append(
            "how accurate it is: the held-out labels are the data's own, and "
            "nobody has checked them"
        )
    elif not source.labels_are_clean:
        unknown.append("whether the test labels are right")
    figures = held_out.named(outcome, source)
    unknown += [
        f"{key}: it is not in results.json"
        for key in (held_out.key(source), "valid_accuracy", "versions")
        if figures.get(key) is None
    ]
    return unknown
