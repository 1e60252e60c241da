"""MNIST, 1,000 training images, half of the labels wrong, LIMIT.

    python -m limit_tf.cli.train --config=configs/mnist.py \
        --workdir=runs/mnist --config.data.data_dir=FOLDER_OF_TFDS

One cell of the LIMIT paper's table 1 (n = 10^3, p = 0.5): its networks, Adam at
0.001, batches of 256, 400 epochs, the epoch kept by the accuracy on 12,000
noisy validation labels. `--config.data.num_train_examples=48000` takes all.

Expected, seeds 42 to 46: test accuracy 88.1 +- 1.1 % (paper: 88.2), two to
five minutes a run on two cores; see results/mnist.md.
"""

import ml_collections
from ml_collections.config_dict import placeholder


def get_config() -> ml_collections.ConfigDict:
    """Returns the values of the experiment."""
    config = ml_collections.ConfigDict()
    config.name = "mnist"
    config.method = "limit"
    config.seed = 42
    config.data = dict(
        name="mnist",
        data_dir=placeholder(str),
        download=True,
        image_size=placeholder(int),
        train_fraction=0.8,
        num_train_examples=1000,
        clean_validation=False,
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
        gradient_penalty=30.0,
        sample_gradients=False,
        q_scale=placeholder(float),
        warmup_steps=0,
    )
    config.training = dict(
        epochs=400,
        patience=100,
        batch_size=256,
        learning_rate=1e-3,
        precision="float32",
        xla="auto",
        steps_per_execution=1,
        deterministic=True,
        test_every=10,
    )
    config.export_dir = "saved_models"
    return config
