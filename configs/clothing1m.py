"""Clothing1M, a million labels from shops, ResNet-50.

    python -m limit_tf.cli.train --config=configs/clothing1m.py \
        --workdir=runs/clothing1m --config.data.data_dir=FOLDER

The data needs the permission of its authors: Xiao et al., "Learning from
massive noisy labeled data for image classification", CVPR 2015; ask them by
e-mail. FOLDER then holds `images/` and, beside it or in `annotations/`, either
the authors' `noisy_label_kv.txt`, `clean_label_kv.txt` and `*_key_list.txt`, or
lists of lines "path label": `noisy_train.txt`, `clean_val.txt`,
`clean_test.txt`. The noisy million trains, the clean validation images choose
the epoch, the clean test images evaluate; no noise is added. Before training
every image is decoded once (minutes); those that cannot be are left out and
listed in `unreadable_images.csv`.

Images are resized to 256x256, and a crop of 224x224 and its mirror image are
drawn on the accelerator; evaluation resizes to 224x224. Weights of ImageNet
come from a local file: `--config.net.resnet50.weights=FILE` with
`--config.net.resnet50.preprocessing=caffe` (keras.applications' ResNet-50
without its top).

Neither paper's full settings are known here. These are ELR's: SGD at 0.001,
batches of 64, 10 epochs, a hundredth of the rate after 5; an epoch is the whole
million, where ELR takes 2,000 batches balanced by class. LIMIT's code has no
command for this data set. Not run: the loader was tested on small folders of
this form.
"""

import ml_collections
from ml_collections import FieldReference
from ml_collections.config_dict import placeholder


def get_config() -> ml_collections.ConfigDict:
    """Returns the values of the experiment."""
    config = ml_collections.ConfigDict()
    config.name = "clothing1m"
    config.method = "limit"
    config.seed = 42
    config.init_from = placeholder(str)
    config.init_batch_norm_statistics = True
    config.data = dict(
        name="clothing1m",
        data_dir=placeholder(str),
        download=True,
        image_size=224,
        train_size=256,
        label_key=placeholder(str),
        labels_file=placeholder(str),
        train_fraction=0.8,
        stratify=placeholder(bool),
        num_train_examples=placeholder(int),
        clean_validation=False,
        augmentation="crop_flip",
        crop_padding=0,
        deterministic_order=True,
        service=placeholder(str),
        options=dict(max_unreadable=0.01, check_images=True),
    )
    config.noise = dict(
        kind="none",
        rate=0.0,
        class_map=placeholder(dict),
        transition_matrix=placeholder(tuple),
        seed=placeholder(int),
    )
    config.net = dict(
        name="resnet50",
        initializer="uniform_fan_in",
        batch_norm_momentum=0.9,
        batch_norm_epsilon=1e-5,
        resnet50=dict(weights=placeholder(str), preprocessing="scaling"),
    )
    config.limit = dict(
        q_dist="gaussian",
        # A number, or "auto".
        gradient_penalty=FieldReference(1.0, field_type=object),
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
        average_decay=0.9999,
        average_ramp_steps=0,
        regularization_ramp_steps=0,
        refine_labels=False,
    )
    config.training = dict(
        epochs=10,
        patience=placeholder(int),
        batch_size=64,
        optimizer="sgd",
        learning_rate=1e-3,
        momentum=0.9,
        schedule=dict(
            kind="step",
            drop_epochs=(5,),
            drop_factor=0.01,
            restart_epochs=10,
            final_learning_rate=0.0,
        ),
        weight_decay=1e-3,
        weight_decay_kind="coupled",
        precision="mixed_bfloat16",
        xla="auto",
        device_resident="auto",
        steps_per_execution=placeholder(int),
        deterministic=True,
        test_every=1,
    )
    # Folder to publish in; the run's own folder has the model in any case.
    config.export_dir = placeholder(str)
    # The settings of ELR+'s code.
    elr_plus = dict(
        epochs=15,
        learning_rate=2e-3,
        schedule=dict(drop_epochs=(7,), drop_factor=0.1),
    )
    rows = dict(
        cross_entropy=dict(method="cross_entropy"),
        mae=dict(method="mae"),
        forward_correction=dict(method="forward_correction"),
        dmi=dict(method="dmi", dmi=dict(learning_rate=1e-6)),
        limit_gaussian=dict(method="limit"),
        limit_laplace=dict(method="limit", limit=dict(q_dist="laplace")),
        limit_gaussian_init=dict(method="limit", init_from="cross_entropy"),
        limit_laplace_init=dict(
            method="limit",
            init_from="cross_entropy",
            limit=dict(q_dist="laplace"),
        ),
        gce=dict(method="gce"),
        sce=dict(method="sce"),
        elr=dict(method="elr"),
        elr_plus=dict(method="elr_plus", training=elr_plus),
    )
    config.rows = ml_collections.ConfigDict(rows, sort_keys=False)
    # Table 2 of the LIMIT paper; gce to elr_plus: table 3 of the ELR paper.
    config.reported = dict(
        settings=dict(
            data=dict(name="clothing1m", num_train_examples=None),
            noise=dict(kind="none"),
        ),
        accuracy=dict(
            cross_entropy=68.91,
            mae=6.52,
            forward_correction=68.70,
            dmi=71.19,
            limit_gaussian=70.32,
            limit_laplace=70.35,
            limit_gaussian_init=71.39,
            limit_laplace_init=70.53,
            gce=69.75,
            sce=71.02,
            elr=72.87,
            elr_plus=74.81,
        ),
    )
    return config
