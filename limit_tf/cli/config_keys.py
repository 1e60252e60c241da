"""The keys of a configuration, with one line of meaning for each."""

import textwrap

import ml_collections

from limit_tf.cli import config_files

# Keys that only a comparison reads, and that hold what differs.
_OF_COMPARISONS = ("rows", "reported")
_WIDTH = 79
_COLUMN = 40
MEANINGS = {
    "name": "name of the experiment",
    "method": "limit, cross_entropy, elr, ...: settings in its section",
    "seed": "of networks, order and splits",
    "init_from": "folder of a finished run of cross_entropy to start from",
    "init_batch_norm_statistics": "start from its BatchNorm statistics, too",
    "export_dir": "folder to publish in, too; left out: the run's alone",
    "data.name": "digits, folder, csv, arrays, tfrecord, clothing1m, or TFDS's",
    "data.data_dir": "folder or file of the data",
    "data.download": "TFDS may download what is not there",
    "data.image_size": "pixels a side to resize images to",
    "data.train_size": "pixels a side before training images are cropped",
    "data.label_key": "feature of TFDS that is the label",
    "data.labels_file": "CSV file of labels by example id",
    "data.train_fraction": "share of training images that is trained on",
    "data.num_train_examples": "train on so many examples; left out: all",
    "data.stratify": "split class by class; left out: data of one's own alone",
    "data.clean_validation": "validation labels stay free of noise",
    "data.augmentation": "none or crop_flip",
    "data.crop_padding": "pixels around an image before a crop",
    "data.deterministic_order": "the order is a function of the seed",
    "data.service": "grpc://HOST:PORT of a tf.data service",
    "data.options.num_channels": "1 for grey, 3 for RGB images",
    "data.options.test_fraction": "share held out where no test part is",
    "data.options.max_unreadable": "largest share of images left out",
    "data.options.check_images": "decode every image before training",
    "data.options.tfrecord": "names of the features in TFRecord files",
    "data.options.num_classes": "labels are positions below it, not names",
    "data.options.test_labels_are_checked": "somebody vouches for them",
    "data.options.stream": "read examples as they are needed",
    "noise.kind": "none, symmetric, uniform, pair or matrix",
    "noise.rate": "probability that a label is made wrong",
    "noise.class_map": "of a pair noise: source class to target class",
    "noise.transition_matrix": "matrix noise: P(noisy = j given clean = i)",
    "noise.seed": "of the noise; left out: from seed",
    "net.name": "mlp, mnist_cnn, ..., or module:function",
    "net.initializer": "uniform_fan_in or keras: how weights are drawn",
    "net.batch_norm_momentum": "of running means in BatchNorm",
    "net.batch_norm_epsilon": "added to variances in BatchNorm",
    "net.mlp.hidden_units": "units of each hidden layer",
    "net.mlp.num_hidden_layers": "hidden layers",
    "net.mlp.dropout_rate": "share of hidden units dropped in training",
    "net.resnet50.weights": "file of pretrained weights",
    "net.resnet50.preprocessing": "scaling, or caffe for ImageNet weights",
    "limit.q_dist": "family of the predicted gradient",
    "limit.gradient_penalty": 'weight of its squared norm, or "auto"',
    "limit.sample_gradients": "train on samples instead of the mean",
    "limit.q_scale": "spread of the samples",
    "limit.warmup_steps": "steps that train the predictor alone",
    "noisy_gradients.noise": "gaussian or laplace",
    "noisy_gradients.noise_std": "standard deviation of the noise",
    "gce.q": "0: cross-entropy, 1: absolute error",
    "gce.truncation": "examples of a larger loss are left out",
    "sce.alpha": "weight of the cross-entropy",
    "sce.beta": "weight of the reverse cross-entropy",
    "forward_correction.transition_matrix": "left out: estimated",
    "forward_correction.percentile_filter": "estimate without outliers",
    "dmi.learning_rate": "of its training",
    "soft_regularization.information_penalty": "weight of equation 11's term",
    "soft_regularization.gradient_penalty": "weight of the squared norm",
    "elr.regularization": "weight of the term towards targets",
    "elr.target_momentum": "of the running targets",
    "elr_plus.mixup_alpha": "of the mixup of two examples",
    "elr_plus.average_decay": "of the averages of weights",
    "elr_plus.average_ramp_steps": "steps until the decay is reached",
    "elr_plus.regularization_ramp_steps": "steps until its weight is reached",
    "elr_plus.refine_labels": "labels are multiplied by the targets",
    "training.epochs": "passes over the training data",
    "training.patience": "epochs without a better one before the end",
    "training.batch_size": "examples a step",
    "training.optimizer": "adam or sgd",
    "training.learning_rate": "at the start",
    "training.momentum": "of sgd",
    "training.schedule.kind": "constant, step or cosine_restarts",
    "training.schedule.drop_epochs": "epochs after which the rate drops",
    "training.schedule.drop_factor": "what it is multiplied by then",
    "training.schedule.restart_epochs": "epochs between two restarts",
    "training.schedule.final_learning_rate": "at the end of a period",
    "training.weight_decay": "strength of the decay",
    "training.weight_decay_kind": "coupled or decoupled",
    "training.precision": "float32, mixed_float16 or mixed_bfloat16",
    "training.xla": "auto, on or off",
    "training.device_resident": "training images on the device: auto, on, off",
    "training.steps_per_execution": "steps a call; left out: chosen",
    "training.deterministic": "the same run gives the same weights",
    "training.test_every": "epochs between two looks at the test images",
}


def values(config: ml_collections.ConfigDict) -> dict[str, object]:
    """Returns a configuration's values by their full keys.

    Args:
        config: Configuration.
    """
    return {
        key: value
        for key, value in _flat(config).items()
        if key.split(".")[0] not in _OF_COMPARISONS
    }


def table(argument: str) -> str:
    """Lists keys, values and meanings.

    Args:
        argument: What `--config` takes.

    Returns:
        Lines of text; they say so if there is no such configuration.
    """
    try:
        config = config_files.load(argument)
    except (OSError, config_files.ConfigFileError) as error:
        return f"Keys of the configuration: {error}"
    lines = [f"Values of --config={argument}, set by --config.KEY=VALUE:"]
    for key, value in values(config).items():
        shown = "" if value is None else f"={value}"
        lines += _in_columns(f"config.{key}{shown}", MEANINGS.get(key, ""))
    rows = list(config.get("rows", {}))
    if rows:
        text = (
            f"Rows, changed by --config.rows.NAME.KEY=VALUE: {', '.join(rows)}"
        )
        lines += ["", *textwrap.wrap(text, _WIDTH)]
    return "\n".join(lines)


def _in_columns(value, meaning):
    if len(value) < _COLUMN and len(meaning) < _WIDTH - _COLUMN:
        return [f"  {value:{_COLUMN}}{meaning}".rstrip()]
    return [f"  {value}", f"  {'':{_COLUMN}}{meaning}".rstrip()]


def _flat(section, prefix=""):
    flat = {}
    for key, value in section.items():
        if isinstance(value, ml_collections.ConfigDict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
