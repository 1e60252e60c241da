"""What users do with a `keras.Model` they can do with every model."""

import copy
import inspect
import os
import pickle
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.models.network_model import NetworkModel
from tests import testing

callbacks = keras.callbacks

# How each of Keras's callbacks is used. The others are no callbacks to give,
# or need a package that is not installed.
CALLBACKS = {
    "BackupAndRestore": lambda d: callbacks.BackupAndRestore(d + "/backup"),
    "CSVLogger": lambda d: callbacks.CSVLogger(d + "/log.csv"),
    "EarlyStopping": lambda d: callbacks.EarlyStopping(
        patience=1, restore_best_weights=True
    ),
    "LambdaCallback": lambda d: callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: None
    ),
    "LearningRateScheduler": lambda d: callbacks.LearningRateScheduler(
        lambda epoch, rate: rate / 2
    ),
    "ModelCheckpoint": lambda d: callbacks.ModelCheckpoint(
        d + "/model.keras", monitor="val_accuracy", save_best_only=True
    ),
    "ProgbarLogger": lambda d: callbacks.ProgbarLogger(),
    "ReduceLROnPlateau": lambda d: callbacks.ReduceLROnPlateau(
        factor=0.5, patience=1, min_delta=100.0
    ),
    "RemoteMonitor": lambda d: callbacks.RemoteMonitor("http://127.0.0.1:9"),
    "SwapEMAWeights": lambda d: callbacks.SwapEMAWeights(),
    "TensorBoard": lambda d: callbacks.TensorBoard(
        d + "/tensorboard",
        histogram_freq=1,
        update_freq=1,
        write_steps_per_second=True,
    ),
    "TerminateOnNaN": lambda d: callbacks.TerminateOnNaN(),
    "History": lambda d: callbacks.History(),  # of what the others show
}
OTHERS = {"Callback", "CallbackList", "OrbaxCheckpoint"}


@keras.saving.register_keras_serializable(package="limit_tf_tests")
class Plain(keras.Model):
    """What a user would write without this library."""

    def __init__(self, classifier, **kwargs):
        super().__init__(**kwargs)
        self.classifier = classifier
        self(np.zeros((1, testing.NUM_FEATURES), "float32"))

    def call(self, inputs, training=None):
        return self.classifier(inputs, training=training)

    def get_config(self):
        serialized = keras.saving.serialize_keras_object(self.classifier)
        return {"classifier": serialized}

    @classmethod
    def from_config(cls, config):
        serialized = config["classifier"]
        return cls(keras.saving.deserialize_keras_object(serialized))


def compiled(method):
    optimizer = keras.optimizers.SGD(0.01, use_ema=True)
    options = {"metrics": ["accuracy"], "run_eagerly": True}
    if method == "plain":
        model = Plain(testing.toy_network(0))
        options["loss"] = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True
        )
    else:
        model = testing.toy_model(method, seed=0)
    if method == "limit":
        options["gradient_predictor_optimizer"] = keras.optimizers.SGD(
            0.02, use_ema=True
        )
    model.compile(optimizer, **options)
    return model


class Case:
    """A model and what it is given."""

    def __init__(self, method):
        self.model = compiled(method)
        self.method = method
        self.x, self.y = testing.toy_batch(seed=0, batch_size=8)
        self.inputs = (
            self.x
            if method == "plain"
            else testing.training_inputs(method, self.x)
        )
        self.folder = tempfile.mkdtemp()

    def fit(self, model=None, **kwargs):
        model = self.model if model is None else model
        return model.fit(self.inputs, self.y, verbose=0, **kwargs).history

    def predictions(self, model):
        return model.predict_on_batch(self.x)

    def same(self, model):
        """Raises unless another model predicts the same."""
        np.testing.assert_allclose(
            self.predictions(model), self.predictions(self.model), atol=1e-5
        )

    def file(self, name):
        return os.path.join(self.folder, name)

    def shape(self):
        return (None, testing.NUM_FEATURES)

    def spec(self):
        return keras.KerasTensor(self.shape())


def save(case, name):
    case.model.save(case.file(name))
    case.same(
        keras.models.load_model(
            case.file(name),
            custom_objects={type(case.model).__name__: type(case.model)},
        )
    )


def save_weights(case, *names):
    case.fit()
    case.model.save_weights(case.file("w.weights.h5"))
    other = compiled(case.method)
    other.load_weights(case.file("w.weights.h5"))
    case.same(other)


def export(case):
    case.model.export(case.file("exported"), verbose=False)
    served = tf.saved_model.load(case.file("exported")).serve(case.x)
    np.testing.assert_allclose(served, case.predictions(case.model), atol=1e-5)


def rebuilt(case):
    model = type(case.model).from_config(case.model.get_config())
    model.set_weights(case.model.get_weights())
    case.same(model)


def compiled_again(case):
    case.fit()
    loss = case.model.loss if case.method in ("plain", "classifier") else None
    case.model.compile(case.model.optimizer, loss, run_eagerly=True)
    case.fit()


def losses(case):
    model = case.model
    loss = model.compute_loss(case.x, case.y, model(case.x))
    found = model.evaluate(case.x, case.y, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(float(loss), found, rtol=1e-4)


def variables_of(model):
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.metrics_variables,
    )


# What is called, by the name of the method in `keras.Model` that it stands
# for, or by a name of its own.
PROBES = {
    "add_loss": lambda c: c.model.add_loss(1.0),
    "add_metric": lambda c: c.model.add_metric("x"),
    "add_variable": lambda c: c.model.add_variable((), "zeros"),
    "add_weight": lambda c: c.model.add_weight(shape=()),
    "build": lambda c: c.model.build(c.shape()),
    "build_from_config": lambda c: c.model.build_from_config(
        c.model.get_build_config()
    ),
    "call": lambda c: c.model.call(c.x),
    "compile": compiled_again,
    "compile_from_config": lambda c: (
        c.model.compile_from_config(c.model.get_compile_config()),
        c.fit(),
    ),
    "compute_loss": losses,
    "compute_mask": lambda c: c.model.compute_mask(c.x, None),
    "compute_metrics": lambda c: c.model.compute_metrics(
        c.x, c.y, c.model(c.x)
    ),
    "compute_output_shape": lambda c: c.model.compute_output_shape(c.shape()),
    "compute_output_spec": lambda c: c.model.compute_output_spec(c.spec()),
    "copy": lambda c: c.same(copy.deepcopy(c.model)),
    "count_params": lambda c: c.model.count_params(),
    "evaluate": lambda c: c.model.evaluate(c.x, c.y, verbose=0),
    "fit": lambda c: c.fit(validation_split=0.25),
    "from_config": rebuilt,
    "functional": lambda c: keras.Model(
        i := keras.Input(c.shape()[1:]), c.model(i)
    ),
    "get_build_config": lambda c: c.model.get_build_config(),
    "get_compile_config": lambda c: c.model.get_compile_config(),
    "get_config": lambda c: c.model.get_config(),
    "get_layer": lambda c: c.model.get_layer(c.model.layers[0].name),
    "get_metrics_result": lambda c: (c.fit(), c.model.get_metrics_result()),
    "get_quantization_layer_structure": lambda c: (
        c.model.get_quantization_layer_structure("int8")
    ),
    "get_state_tree": lambda c: c.model.set_state_tree(
        c.model.get_state_tree()
    ),
    "get_weights": lambda c: c.model.set_weights(c.model.get_weights()),
    "load_weights": save_weights,
    "make_predict_function": lambda c: c.model.make_predict_function(),
    "make_test_function": lambda c: c.model.make_test_function(),
    "make_train_function": lambda c: c.model.make_train_function(),
    "pickle": lambda c: c.same(pickle.loads(pickle.dumps(c.model))),
    "predict": lambda c: c.model.predict(
        tf.data.Dataset.from_tensor_slices(c.x).batch(3), verbose=0
    ),
    "predict_on_batch": lambda c: c.predictions(c.model),
    "predict_step": lambda c: c.model.predict_step((c.x,)),
    "quantize": lambda c: (c.model.quantize("int8"), c.predictions(c.model)),
    "rematerialized_call": lambda c: c.model.rematerialized_call(
        c.model.call, c.x
    )(c.x),
    "reset_metrics": lambda c: c.model.reset_metrics(),
    "save": lambda c: save(c, "model.keras"),
    "save to h5": lambda c: save(c, "model.h5"),
    "stateless_call": lambda c: c.model.stateless_call(
        *variables_of(c.model)[:2], c.x
    ),
    "stateless_compute_loss": lambda c: c.model.stateless_compute_loss(
        *variables_of(c.model), c.x, c.y, c.model(c.x)
    ),
    "summary": lambda c: c.model.summary(
        print_fn=lambda text, **_: None, expand_nested=True
    ),
    "symbolic_call": lambda c: c.model.symbolic_call(c.spec()),
    "test_on_batch": lambda c: c.model.test_on_batch(c.x, c.y),
    "tf.train.Checkpoint": lambda c: tf.train.Checkpoint(c.model).write(
        c.file("checkpoint")
    ),
    "to_json": lambda c: keras.models.model_from_json(c.model.to_json()),
    "train_on_batch": lambda c: c.model.train_on_batch(c.inputs, c.y),
    "trainable": lambda c: setattr(c.model, "trainable", False),
    "clone_model": lambda c: keras.models.clone_model(c.model),
}
EXPORT = {"export": export}
# Called by the probes above, or by Keras alone.
COVERED = {
    "compiled_loss",  # deprecated
    "load_own_variables",
    "loss",  # an attribute
    "quantized_build",
    "quantized_call",
    "save_own_variables",
    "save_weights",
    "set_state_tree",
    "set_weights",
    "test_step",
    "train_step",
}


def failure(probe, method):
    """Class of the error that a probe ends in, or None."""
    case = Case(method)
    try:
        probe(case)
    except Exception as error:  # whatever it is, it is compared
        return type(error)
    return None


class WalkTest(parameterized.TestCase):
    def test_the_lists_are_whole(self):
        known = {name for name in dir(callbacks) if name[0] != "_"}
        self.assertEmpty(known - OTHERS - set(CALLBACKS))
        methods = {
            name
            for name, _ in inspect.getmembers(
                keras.Model, predicate=inspect.isroutine
            )
            if name[0] != "_"
        }
        self.assertEmpty(methods - set(PROBES) - set(EXPORT) - COVERED)

    @parameterized.parameters(("limit",))
    def test_all_callbacks_at_once(self, method):
        self._check_callbacks(method)

    @parameterized.parameters(*sorted(set(testing.METHODS) - {"limit"}))
    @pytest.mark.slow
    def test_all_callbacks_at_once_with_every_model(self, method):
        self._check_callbacks(method)

    def _check_callbacks(self, method):
        case = Case(method)
        history = case.fit(
            epochs=2,
            validation_data=(case.x, case.y),
            callbacks=[make(case.folder) for make in CALLBACKS.values()],
        )
        self.assertLen(history["learning_rate"], 2)
        self.assertContainsSubset(
            ["log.csv", "model.keras", "tensorboard"], os.listdir(case.folder)
        )
        with open(case.file("log.csv")) as file:
            self.assertIn("val_accuracy", file.readline())

    @parameterized.product(
        method=("limit",),
        probe=(
            "compile",
            "compute_loss",
            "copy",
            "get_state_tree",
            "summary",
            "train_on_batch",
        ),
    )
    def test_a_method_works(self, method, probe):
        PROBES[probe](Case(method))

    @parameterized.parameters(*sorted(PROBES), *EXPORT)
    @pytest.mark.slow
    def test_a_method_works_where_it_does_in_keras(self, probe):
        call = {**PROBES, **EXPORT}[probe]
        expected = failure(call, "plain")
        for method in testing.METHODS:
            if expected is None:
                call(Case(method))
            else:
                self.assertIn(failure(call, method), (None, expected), method)

    def test_attributes_can_be_read(self):
        plain, model = compiled("plain"), compiled("limit")
        for name in dir(keras.Model):
            if name[0] != "_" and hasattr(plain, name):
                self.assertTrue(hasattr(model, name), name)


class CompileTest(parameterized.TestCase):
    def test_arguments_come_in_the_order_of_keras(self):
        expected = list(inspect.signature(keras.Model.compile).parameters)
        model = testing.METHODS["limit"]
        found = inspect.signature(model.compile).parameters
        self.assertEqual(list(found)[: len(expected)], expected)
        own = found["gradient_predictor_optimizer"]
        self.assertEqual(own.kind, inspect.Parameter.KEYWORD_ONLY)
        base = inspect.signature(NetworkModel.compile).parameters
        self.assertEqual(list(base), expected)

    @parameterized.parameters(*testing.METHODS)
    def test_metrics_by_position(self, method):
        loss = None
        if method in ("classifier", "limit"):
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        x, y = testing.toy_batch(seed=0)
        for arguments in ((None, ["accuracy"]), (["accuracy"],)):
            model = testing.toy_model(method, seed=0)
            model.compile("adam", loss, *arguments, run_eagerly=True)
            logs = model.test_on_batch(x, y, return_dict=True)
            self.assertIn("accuracy", logs)

    def test_loss_weights_are_weights_or_refused(self):
        x, y = testing.toy_batch(seed=0)
        values = []
        for weights in (None, [2.0]):
            model = testing.toy_model("classifier", seed=0)
            model.compile("adam", None, weights, run_eagerly=True)
            values.append(model.test_on_batch(x, y))
        np.testing.assert_allclose(values[1], 2 * values[0], rtol=1e-5)
        model = testing.toy_model("limit", seed=0)
        with self.assertRaisesRegex(ValueError, "`loss_weights`.*2.0"):
            model.compile("adam", None, [2.0])
        with self.assertRaisesRegex(ValueError, "`loss_weights`.*`metrics`"):
            model.compile("adam", None, ["accuracy"], ["accuracy"])
        with self.assertRaisesRegex(TypeError, "`loss_weights`.*numbers"):
            model.compile("adam", None, [object()])

    def test_averages_stay_when_a_model_is_compiled_again(self):
        case = Case("elr_plus")
        case.fit(epochs=3)
        before = case.model.averages[0].get_weights()
        network = case.model.first_classifier.get_weights()
        self.assertFalse(np.array_equal(before[0], network[0]))
        case.model.compile("sgd", metrics=["accuracy"])
        for a, b in zip(
            before, case.model.averages[0].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)


class ProbabilitiesTest(parameterized.TestCase):
    @parameterized.parameters(*testing.METHODS)
    def test_they_are_the_softmax_of_what_predict_returns(self, method):
        x, _ = testing.toy_batch(seed=0)
        model = testing.toy_model(method, seed=0)
        logits = model.predict(x, verbose=0).astype("float64")
        probs = model.predict_proba(x, batch_size=5, verbose=0)
        self.assertEqual(probs.dtype, np.float32)
        powers = np.exp(logits)
        np.testing.assert_allclose(
            probs, powers / powers.sum(-1, keepdims=True), atol=1e-5
        )


if __name__ == "__main__":
    absltest.main()
