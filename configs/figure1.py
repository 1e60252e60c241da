"""Figure 1 of the LIMIT paper: who memorises four wrong labels out of five?

    python -m limit_tf.cli.compare --config=configs/figure1.py \
        --workdir=runs/figure1 --methods=all \
        --config.data.data_dir=FOLDER_OF_TFDS

All 48,000 MNIST images, 80 % of their labels wrong, a perceptron of four hidden
layers, 400 epochs without stopping, *clean* validation labels (this figure
alone). Cross-entropy, with dropout, with weight decay, and LIMIT with rising
penalties. The accuracy on the noisy training labels should end near 20 %; the
curves are drawn into `curves.png`.

Cost: 12 runs of 400 epochs of 188 steps. Not run yet.
"""

import ml_collections
from ml_collections import FieldReference
from ml_collections.config_dict import placeholder


def get_config() -> ml_collections.ConfigDict:
    """Returns the values of the experiment."""
    config = ml_collections.ConfigDict()
    config.name = "figure1"
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
        num_train_examples=placeholder(int),
        clean_validation=True,
        augmentation="none",
        crop_padding=4,
        deterministic_order=True,
        service=placeholder(str),
    )
    config.noise = dict(
        kind="symmetric",
        rate=0.8,
        class_map=placeholder(dict),
        transition_matrix=placeholder(tuple),
        seed=placeholder(int),
    )
    config.net = dict(
        name="mlp",
        initializer="uniform_fan_in",
        batch_norm_momentum=0.9,
        batch_norm_epsilon=1e-5,
        mlp=dict(hidden_units=512, num_hidden_layers=4, dropout_rate=0.0),
    )
    config.limit = dict(
        q_dist="laplace",
        # A number, or "auto".
        gradient_penalty=FieldReference(10.0, field_type=object),
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
        patience=placeholder(int),
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
    rows = dict(cross_entropy=dict(method="cross_entropy"))
    for name, rate in (("25", 0.25), ("50", 0.5), ("75", 0.75)):
        rows[f"dropout_{name}"] = dict(
            method="cross_entropy", net=dict(mlp=dict(dropout_rate=rate))
        )
    for name in ("1e-4", "1e-3", "3e-3"):
        rows[f"weight_decay_{name}"] = dict(
            method="cross_entropy", training=dict(weight_decay=float(name))
        )
    for penalty in (1, 3, 10, 30, 100):
        rows[f"limit_{penalty}"] = dict(
            method="limit", limit=dict(gradient_penalty=float(penalty))
        )
    config.rows = ml_collections.ConfigDict(rows, sort_keys=False)
    return config
