"""MNIST, 1,000 training images, half of the labels wrong.

    python -m limit_tf.cli.train --config=configs/mnist.py \
        --workdir=runs/mnist --config.data.data_dir=FOLDER_OF_TFDS

`--config.method=NAME` selects the method, with the settings in the section of
its name. All rows of the LIMIT paper's table 1 and more, beside what the paper
reports for this cell (an hour on two cores):

    python -m limit_tf.cli.compare --config=configs/mnist.py --methods=all \
        --workdir=runs/mnist_methods --config.data.data_dir=FOLDER_OF_TFDS

One cell of that table (n = 10^3, p = 0.5): its networks, Adam at 0.001,
batches of 256, 400 epochs, patience 100, the epoch kept by the accuracy on
12,000 noisy validation labels. `--config.data.num_train_examples=48000` takes
all, `--config.noise.rate` sets p. The paper chooses from the grids

    limit           gradient_penalty 0, 0.1, 0.3, 1, 3, 10, 30, 100
                    q_scale 0.316, 0.1, 0.0316, 0.01 (Gaussian),
                    0.283, 0.141, 0.0471, 0.0141 (Laplace)
    noisy_gradients noise_std 0.01, 0.03, 0.1, 0.3
    dmi             learning_rate 1e-3, 1e-4, 1e-5, 1e-6
    soft_reg.       information_penalty 0.001, 0.01, 0.03, 0.1;
                    gradient_penalty 0, 0.01, 0.1, 1, 10

and does not say what it chose; the values below were chosen on the noisy
validation labels of one seed or not at all, see results/mnist.md.

Expected, seeds 42 to 46: test accuracy 88.1 +- 1.1 % with LIMIT (paper: 88.2),
two to five minutes a run on two cores.
"""

import ml_collections
from ml_collections import FieldReference
from ml_collections.config_dict import placeholder


def get_config() -> ml_collections.ConfigDict:
    """Returns the values of the experiment."""
    config = ml_collections.ConfigDict()
    config.name = "mnist"
    config.method = "limit"
    config.seed = 42
    config.init_from = placeholder(str)
    config.init_batch_norm_statistics = True
    config.data = dict(
        name="mnist",
        data_dir=placeholder(str),
        download=True,
        image_size=placeholder(int),
        train_size=placeholder(int),
        label_key=placeholder(str),
        labels_file=placeholder(str),
        train_fraction=0.8,
        stratify=placeholder(bool),
        num_train_examples=1000,
        clean_validation=False,
        augmentation="none",
        crop_padding=4,
        deterministic_order=True,
        service=placeholder(str),
    )
    config.noise = dict(
        kind="symmetric",
        rate=0.5,
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
        gradient_penalty=FieldReference(30.0, field_type=object),
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
        epochs=400,
        patience=100,
        batch_size=256,
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
        test_every=10,
    )
    # Folder to publish in; the run's own folder has the model in any case.
    config.export_dir = placeholder(str)
    rows = dict(
        cross_entropy=dict(method="cross_entropy"),
        ce_gaussian_noise=dict(method="noisy_gradients"),
        ce_laplace_noise=dict(
            method="noisy_gradients", noisy_gradients=dict(noise="laplace")
        ),
        mae=dict(method="mae"),
        gce=dict(method="gce"),
        sce=dict(method="sce"),
        forward_correction=dict(method="forward_correction"),
        dmi=dict(method="dmi"),
        soft_regularization=dict(method="soft_regularization"),
        elr=dict(method="elr"),
        elr_plus=dict(method="elr_plus"),
        limit_gaussian_sampled=dict(
            method="limit",
            limit=dict(
                q_dist="gaussian",
                gradient_penalty=100.0,
                sample_gradients=True,
                q_scale=0.1,
            ),
        ),
        limit_laplace_sampled=dict(
            method="limit", limit=dict(sample_gradients=True, q_scale=0.1414)
        ),
        limit_gaussian=dict(
            method="limit",
            limit=dict(q_dist="gaussian", gradient_penalty=100.0),
        ),
        limit_laplace=dict(method="limit"),
    )
    config.rows = ml_collections.ConfigDict(rows, sort_keys=False)
    # Table 1 of the LIMIT paper, per cent, mean of five splits.
    config.reported = dict(
        settings=dict(
            data=dict(name="mnist", num_train_examples=1000),
            noise=dict(kind="symmetric", rate=0.5),
            net=dict(name="mnist_cnn"),
            training=dict(epochs=400),
        ),
        accuracy=dict(
            cross_entropy=71.8,
            ce_gaussian_noise=70.5,
            ce_laplace_noise=66.8,
            mae=75.6,
            forward_correction=64.3,
            dmi=79.8,
            soft_regularization=76.4,
            limit_gaussian_sampled=82.8,
            limit_laplace_sampled=88.7,
            limit_gaussian=83.3,
            limit_laplace=88.2,
        ),
    )
    return config
