"""Photos of your own, in a folder for each class, with labels partly wrong.

    python -m limit_tf.cli.train --config=configs/own_data.py \
        --workdir=runs/mine --config.data.data_dir=photos

`photos` holds `CLASS/*.jpg`, or `train/CLASS/*.jpg` and `test/CLASS/*.jpg`. No
noise is added: what is wrong with the labels is in them. The penalty adapts
itself to it. Photos are resized to 64 x 64 pixels with three channels, for a
convolutional network: 1,000 photos of 400 x 300 pixels, 640 of them to train
on, took four minutes of processor time on a busy machine with two cores;
`--config.net.name=resnet34_cifar` is stronger and takes a GPU's time.

Give each data set a `--config.name` of its own before it is published.
"""

import ml_collections
from ml_collections import FieldReference
from ml_collections.config_dict import placeholder


def get_config() -> ml_collections.ConfigDict:
    """Returns the values of the experiment."""
    config = ml_collections.ConfigDict()
    config.name = "mine"
    config.method = "limit"
    config.seed = 0
    # Folder of a finished run of cross_entropy to start from: the classifier,
    # or LIMIT's gradient predictor.
    config.init_from = placeholder(str)
    config.init_batch_norm_statistics = True
    config.data = dict(
        name="folder",
        data_dir=placeholder(str),
        download=True,
        image_size=64,
        train_size=placeholder(int),
        label_key=placeholder(str),
        labels_file=placeholder(str),
        train_fraction=0.8,
        # Left out: split class by class.
        stratify=placeholder(bool),
        num_train_examples=placeholder(int),
        clean_validation=False,
        augmentation="none",
        crop_padding=4,
        deterministic_order=True,
        service=placeholder(str),
        # For data of one's own, see limit_tf.data.load.
        options=dict(
            num_channels=3,
            test_fraction=placeholder(float),
            test_labels_are_checked=placeholder(bool),
            num_classes=placeholder(int),
            max_unreadable=placeholder(float),
            check_images=placeholder(bool),
            tfrecord=placeholder(dict),
            stream=placeholder(bool),
        ),
    )
    config.noise = dict(
        kind="none",
        rate=0.0,
        class_map=placeholder(dict),
        transition_matrix=placeholder(tuple),
        seed=placeholder(int),
    )
    config.net = dict(
        name="mnist_cnn",
        initializer="uniform_fan_in",
        batch_norm_momentum=0.9,
        batch_norm_epsilon=1e-5,
        mlp=dict(hidden_units=512, num_hidden_layers=4, dropout_rate=0.0),
    )
    config.limit = dict(
        q_dist="laplace",
        # A number, or "auto".
        gradient_penalty=FieldReference("auto", field_type=object),
        sample_gradients=False,
        q_scale=placeholder(float),
        warmup_steps=0,
    )
    config.noisy_gradients = dict(noise="gaussian", noise_std=0.01)
    config.gce = dict(q=0.7, truncation=placeholder(float))
    config.sce = dict(alpha=0.1, beta=1.0)
    config.forward_correction = dict(
        transition_matrix=placeholder(tuple), percentile_filter=True
    )
    config.dmi = dict(learning_rate=1e-5)
    config.soft_regularization = dict(
        information_penalty=0.01, gradient_penalty=0.1
    )
    config.elr = dict(regularization=3.0, target_momentum=0.7)
    config.elr_plus = dict(
        mixup_alpha=1.0,
        average_decay=0.997,
        average_ramp_steps=0,
        regularization_ramp_steps=0,
        refine_labels=False,
    )
    config.training = dict(
        epochs=60,
        patience=placeholder(int),
        batch_size=64,
        optimizer="adam",
        learning_rate=1e-3,
        momentum=0.9,
        schedule=dict(
            kind="constant",
            drop_epochs=(),
            drop_factor=0.1,
            restart_epochs=10,
            final_learning_rate=0.0,
        ),
        weight_decay=0.0,
        weight_decay_kind="coupled",
        precision="float32",
        xla="auto",
        device_resident="auto",
        steps_per_execution=placeholder(int),
        deterministic=True,
        test_every=5,
    )
    # Folder to publish in; the run's own folder has the model in any case.
    config.export_dir = placeholder(str)
    rows = dict(
        cross_entropy=dict(method="cross_entropy"),
        elr=dict(method="elr"),
        limit_laplace=dict(method="limit"),
    )
    config.rows = ml_collections.ConfigDict(rows, sort_keys=False)
    return config
