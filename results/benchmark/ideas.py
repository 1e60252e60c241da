"""Times ideas for a faster LIMIT step, in turns with the step as it is.

    TF_ENABLE_ONEDNN_OPTS=1 python results/benchmark/ideas.py OUTPUT.json

from the root of the repository, on a CPU: mnist_cnn, batches of 256, float32.
Every idea computes what the step does, but for `no metrics`, which shows how
much metrics every few steps could spare at most.
"""

import json
import statistics
import sys
import time
from unittest import mock

import keras
import tensorflow as tf

from limit_tf import models
from limit_tf.benchmark import CASES
from limit_tf.benchmark import machine
from limit_tf.benchmark.cases import Mode
from limit_tf.benchmark.subjects import Training
from limit_tf.experiments import results
from limit_tf.experiments import speed
from limit_tf.nets import layers
from limit_tf.ops import global_mean
from limit_tf.ops import sum_of_losses

CASE = CASES["mnist_cnn"]
ROUNDS = 9


class OneTape(models.LimitModel):
    """One tape and one backward pass for both networks."""

    def train_step(self, data):
        """Updates both networks."""
        x, y, sample_weight = self.unpacked(data)
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            predictor_logits = self.gradient_predictor(x, training=True)
            terms = self._terms(
                tf.stop_gradient(logits), predictor_logits, y, sample_weight
            )
            loss = global_mean(
                terms["matching_loss"] + terms["gradient_penalty"]
            ) + sum_of_losses(self.losses)
            injected = self._injected_gradient(terms["predicted_gradient"])
            loss += tf.reduce_sum(tf.stop_gradient(injected) * logits)
        self._report(terms)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.train_steps.assign_add(1)
        return self.compute_metrics(x, y, logits, sample_weight)


class SharedFirstConvolution(models.LimitModel):
    """The filters of both first convolutions in one operation."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._parts = [_cut(self.classifier), _cut(self.gradient_predictor)]

    def _both_logits(self, x):
        (head, first, tail), (_, second, other_tail) = self._parts
        both = tf.nn.conv2d(
            head(x, training=True),
            tf.concat([first.kernel.value, second.kernel.value], -1),
            first.strides,
            first.padding.upper(),
        )
        ours, theirs = tf.split(both, 2, axis=-1)
        return (
            tail(ours + first.bias, training=True),
            other_tail(theirs + second.bias, training=True),
        )

    def train_step(self, data):
        """Updates both networks."""
        x, y, sample_weight = self.unpacked(data)
        with tf.GradientTape() as tape:
            logits, predictor_logits = self._both_logits(x)
            terms = self._terms(
                tf.stop_gradient(logits), predictor_logits, y, sample_weight
            )
            loss = global_mean(
                terms["matching_loss"] + terms["gradient_penalty"]
            )
            injected = self._injected_gradient(terms["predicted_gradient"])
            loss += tf.reduce_sum(tf.stop_gradient(injected) * logits)
        self._report(terms)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.train_steps.assign_add(1)
        return self.compute_metrics(x, y, logits, sample_weight)


def _cut(network):
    """The network before, at and after its first convolution."""
    index, conv = next(
        (i, layer)
        for i, layer in enumerate(network.layers)
        if isinstance(layer, keras.layers.Conv2D)
    )
    head = keras.Model(network.inputs, network.layers[index - 1].output)
    return head, conv, keras.Model(conv.output, network.outputs[0])


class NoMetrics(models.LimitModel):
    """Neither figures nor metrics."""

    def _report(self, terms):
        pass

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Computes none."""
        return {"loss": tf.constant(0.0)}

    def get_metrics_result(self):
        """Has none."""
        return {}


class XlaGradients(models.LimitModel):
    """XLA compiles forward and backward passes, not the updates."""

    def train_step(self, data):
        """Updates both networks."""
        x, y, sample_weight = self.unpacked(data)
        gradients, logits, terms = self._compiled(x, y, sample_weight)
        self._report(terms)
        self.optimizer.apply(gradients, self.trainable_variables)
        self.train_steps.assign_add(1)
        return self.compute_metrics(x, y, logits, sample_weight)

    @tf.function(jit_compile=True)
    def _compiled(self, x, y, sample_weight):
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            predictor_logits = self.gradient_predictor(x, training=True)
            terms = self._terms(
                tf.stop_gradient(logits), predictor_logits, y, sample_weight
            )
            loss = global_mean(
                terms["matching_loss"] + terms["gradient_penalty"]
            )
            injected = self._injected_gradient(terms["predicted_gradient"])
            loss += tf.reduce_sum(tf.stop_gradient(injected) * logits)
        gradients = tape.gradient(loss, self.trainable_variables)
        return gradients, logits, terms


class FusedAdam(keras.optimizers.Adam):
    """TensorFlow's own kernel for all of Adam's update of a variable."""

    def update_step(self, gradient, variable, learning_rate):
        """Updates a variable."""
        step = tf.cast(self.iterations + 1, tf.float32)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def _training(model_class=models.LimitModel, optimizer=keras.optimizers.Adam):
    with (
        mock.patch.object(models, "LimitModel", model_class),
        mock.patch.object(keras.optimizers, "Adam", optimizer),
    ):
        return Training("limit", CASE, Mode(), CASE.num_steps)


def _training_with_keras_layers(*names):
    """Networks in which some of our layers are Keras's."""
    changes = {
        "batch norm": ("FusedBatchNormalization", _keras_batch_norm),
        "full image": ("FullImageConv2D", keras.layers.Conv2D),
        "padding": ("_same_padding_is", lambda *_: False),
    }
    patches = [mock.patch.object(layers, *changes[name]) for name in names]
    for patch in patches:
        patch.start()
    try:
        return _training()
    finally:
        for patch in patches:
            patch.stop()


def _keras_batch_norm(**kwargs):
    return keras.layers.BatchNormalization(**kwargs)


def _layer_pairs():
    """Layers of two equal networks, apart and stacked: their operations.

    The second convolution of mnist_cnn, as one with two groups; the first
    dense layer of mlp, as one product of stacks of matrices.
    """
    x = tf.random.normal((2, 256, 14, 14, 32))
    kernels = tf.random.normal((2, 4, 4, 32, 32))
    features = tf.random.normal((2, 256, 784))
    weights = tf.random.normal((2, 784, 512))

    def convolve(inputs, kernel):
        return tf.nn.conv2d(inputs, kernel, 2, "SAME")

    return {
        "convolution": (
            [
                (convolve, x[0], kernels[0]),
                (convolve, x[1], kernels[1]),
            ],
            [
                (
                    convolve,
                    tf.concat(tf.unstack(x), -1),
                    tf.concat(tf.unstack(kernels), -1),
                )
            ],
        ),
        "dense": (
            [
                (tf.matmul, features[0], weights[0]),
                (tf.matmul, features[1], weights[1]),
            ],
            [(tf.matmul, features, weights)],
        ),
    }


def _forward_and_backward(parts):
    @tf.function
    def step():
        gradients = []
        for function, inputs, kernel in parts:
            with tf.GradientTape() as tape:
                tape.watch([inputs, kernel])
                outputs = function(inputs, kernel)
            gradients += tape.gradient(outputs, [inputs, kernel])
        return [tf.reduce_max(gradient) for gradient in gradients]

    return step


def _stacked_over_apart():
    """Speed of stacked layers over that of the layers apart, in turns."""
    ratios = {}
    for name, (apart, stacked) in _layer_pairs().items():
        steps = [_forward_and_backward(parts) for parts in (apart, stacked)]
        values = []
        for number in range(ROUNDS + 1):
            seconds = []
            for step in steps:
                start = time.perf_counter()
                for _ in range(20):
                    step()[0].numpy()
                seconds.append(time.perf_counter() - start)
            if number:  # The first one traces.
                values.append(seconds[0] / seconds[1])
        ratios[name] = _summary(values)
    return ratios


def main():
    """Runs all ideas in turns and writes what they gave."""
    speed.split_cores()
    subjects = {
        "as it is": _training(),
        "Keras's layers": _training_with_keras_layers(
            "batch norm", "full image", "padding"
        ),
        "and fused batch normalisation": _training_with_keras_layers(
            "full image", "padding"
        ),
        "and the last convolution as a product": _training_with_keras_layers(
            "padding"
        ),
        "one tape": _training(OneTape),
        "shared first convolution": _training(SharedFirstConvolution),
        "no metrics": _training(NoMetrics),
        "XLA for the gradients alone": _training(XlaGradients),
        "fused Adam": _training(optimizer=FusedAdam),
    }
    seconds = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, training in subjects.items():
            seconds[name].append(training.round())
    outcome = {
        "machine": {**machine.description(), "versions": results.versions()},
        "case": CASE.name,
        "rounds": ROUNDS,
        "ideas": {},
    }
    outcome["stacked_layers_times_as_fast"] = _stacked_over_apart()
    print(outcome["stacked_layers_times_as_fast"])
    for name, values in seconds.items():
        ratios = [
            base / own
            for base, own in zip(seconds["as it is"], values, strict=True)
        ]
        num_examples = CASE.batch_size * CASE.num_steps
        outcome["ideas"][name] = {
            "examples_per_second": _summary([num_examples / s for s in values]),
            "times_as_fast": _summary(ratios),
        }
        print(name, outcome["ideas"][name])
    with open(sys.argv[1], "w") as file:
        json.dump(outcome, file, indent=2)


def _summary(values):
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


if __name__ == "__main__":
    main()
