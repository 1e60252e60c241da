"""Wrong labels, weights and inputs are refused in every form of data."""

import sys
import types

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import limit_tf
from limit_tf.models.row_assertions import in_one_line
from tests import testing

NUM = 12
METHODS = ("limit", "classifier", "elr", "noisy_gradient")


def network(built, units=3):
    inputs = [keras.Input((4,))] if built else []
    return keras.Sequential([*inputs, keras.layers.Dense(units)])


def new_model(built=True, units=3, method="limit", **kwargs):
    make = {
        "limit": limit_tf.LimitModel,
        "classifier": limit_tf.ClassifierModel,
        "noisy_gradient": limit_tf.NoisyGradientModel,
        "elr": lambda n: limit_tf.ElrModel(n, NUM, num_classes=units),
    }[method]
    return testing.compiled(make(network(built, units), **kwargs))


def columns(**changed):
    """Inputs, labels and weights, with numbers changed at places."""
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.normal(size=(NUM, 4)).astype("float32"),
        "y": np.arange(NUM) % 3,
        "w": np.ones(NUM),
    }
    for name, places in changed.items():
        for place, value in places.items():
            arrays[name][place] = value
    return tuple(arrays.values())


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self._arrays = arrays

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self._arrays


class Values:
    """Stands for a torch tensor."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape, self.dtype = self.values.shape, self.values.dtype

    def detach(self):
        return self

    def cpu(self):
        return self.values

    def __array__(self, dtype=None, copy=None):
        return self.values


def torch_loader(testcase, *arrays):
    """A loader of a stand-in for torch, as Keras recognises it by its name."""

    class DataLoader:
        __module__ = "torch.utils.data.dataloader"

        def __init__(self):
            self.dataset, self.batch_size = arrays[0], NUM

        def __len__(self):
            return 1

        def __iter__(self):
            yield [Values(array) for array in arrays]

    modules = {
        name: types.ModuleType(name)
        for name in ("torch", "torch.utils", "torch.utils.data")
    }
    modules["torch"].utils = modules["torch.utils"]
    modules["torch.utils"].data = modules["torch.utils.data"]
    modules["torch.utils.data"].DataLoader = DataLoader
    modules["torch"].Tensor = Values
    testcase.enter_context(absltest.mock.patch.dict(sys.modules, modules))
    return DataLoader()


WRONG = {
    "label": ({"y": {5: 3, 7: -1}}, r"`y` .*\[0, 3\).*: 2 .*y\[5\]=3"),
    "weight": ({"w": {4: np.nan}}, r"`sample_weight`.*: 1 .*\[4\]=nan"),
    "negative": ({"w": {4: -1.0}}, r"`sample_weight`.*: 1 .*\[4\]=-1"),
    "infinite": ({"w": {4: np.inf}}, r"`sample_weight`.*: 1 .*\[4\]=inf"),
    "input": (
        {"x": {(3, 1): np.nan, (9, 0): np.inf}},
        r"`x` must hold finite numbers.*: 2 .*x\[3\]",
    ),
}


class RefusalTest(parameterized.TestCase):
    def refused(self, message, run, *args, error=ValueError, **kwargs):
        with self.assertRaisesRegex(error, message) as caught:
            run(*args, **kwargs)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.product(kind=tuple(WRONG), built=(True, False))
    def test_arrays_and_python_streams(self, kind, built):
        changed, message = WRONG[kind]
        arrays = columns(**changed)
        for run, data in (
            ("fit", arrays),
            ("train_on_batch", arrays),
            ("test_on_batch", arrays),
            ("fit", ((batch for batch in [arrays]),)),
            ("fit", (Batches(*arrays),)),
            ("evaluate", (Batches(*arrays),)),
            ("fit", (torch_loader(self, *arrays),)),
        ):
            model = new_model(built)
            names = ("x", "y", "sample_weight")
            call = dict(zip(names, data, strict=False))
            self.refused(message, getattr(model, run), **call)
            self.assertEqual(int(model.train_steps), 0)

    @parameterized.parameters(*METHODS)
    def test_every_model(self, method):
        for changed, message in WRONG.values():
            x, y, w = columns(**changed)
            if method == "elr":
                x = testing.with_ids(x)
                message = message.replace(r"x\[3", r"x\['inputs'\]\[3")
            run = new_model(method=method).train_on_batch
            self.refused(message, run, x, y, sample_weight=w)

    def test_data_sets(self):
        for changed, message in WRONG.values():
            data = tf.data.Dataset.from_tensors(columns(**changed))
            model = new_model()
            checked, _ = model._checked(data)

            def run(checked=checked):
                with in_one_line():
                    list(checked)

            self.refused(message.replace(": ", ": .*"), run)

    def test_data_set_in_training_and_late_batches(self):
        # Keras looks at two batches before it trains: the wrong one comes
        # later, out of a thread of TensorFlow's.
        changed, message = WRONG["label"]
        good, bad = columns(), columns(**changed)
        model = new_model()
        self.refused(message, model.fit, (b for b in [good] * 3 + [bad]))
        data = tf.data.Dataset.from_tensors(bad)
        self.refused(message, model.fit, data, verbose=0)

    def test_validation_data_is_named(self):
        x, y, w = columns()
        for kind, name in (("label", "val_y"), ("input", "val_x")):
            wrong = columns(**WRONG[kind][0])
            self.refused(
                f"`{name}`", new_model().fit, x, y, validation_data=wrong
            )
        w[2] = -1
        self.refused(
            "`val_sample_weight`",
            new_model().fit,
            x,
            y,
            validation_data=(x, y, w),
        )

    def test_weights_of_a_wrong_form(self):
        x, y, _ = columns()
        fit = new_model().fit
        self.refused("shape", fit, x, y, sample_weight=np.ones((NUM, 2)))
        self.refused("shape", fit, x, y, sample_weight=np.ones(NUM - 1))
        texts = np.array(["a"] * NUM)
        self.refused("numbers", fit, x, y, sample_weight=texts, error=TypeError)

    @parameterized.parameters(
        ({3: 1.0}, r"classes.*\[0, 3\).*3"),
        ({-1: 1.0}, "classes.*-1"),
        ({"cat": 1.0}, "classes.*'cat'"),
        ({0: np.nan}, "finite numbers >= 0.*nan"),
        ({0: -2.0}, "finite numbers >= 0.*-2"),
        ({0: "heavy"}, "finite numbers >= 0.*heavy"),
    )
    def test_class_weights(self, class_weight, message):
        x, y, _ = columns()
        for data in ((x, y), (Batches(x, y),)):
            for built in (True, False):
                self.refused(
                    f"`class_weight`.*{message}",
                    new_model(built).fit,
                    *data,
                    class_weight=class_weight,
                )

    def test_elr_plus_takes_no_weights(self):
        x, y, w = columns()
        model = testing.compiled(
            limit_tf.ElrPlusModel(network(True), num_examples=NUM)
        )
        x = testing.with_ids(x)
        self.refused(
            "`class_weight` must", model.fit, x, y, class_weight={0: 2}
        )
        self.refused("`sample_weight` must", model.fit, x, y, sample_weight=w)

    def test_predictions(self):
        x, _, _ = columns(**WRONG["input"][0])
        message = WRONG["input"][1]
        data = tf.data.Dataset.from_tensor_slices(x).batch(NUM)
        for built in (True, False):
            model = new_model(built)
            self.refused(message, model.predict, x, verbose=0)
            self.refused(message, model.predict_on_batch, x)
        self.refused(message, model.predict, data, verbose=0)

    def test_inputs_that_are_held(self):
        x, _, _ = columns(**WRONG["input"][0])
        self.refused(r"`images` must.*: 2 .*\[3\]", new_model().hold_inputs, x)

    def test_networks_may_take_non_finite_inputs_away(self):
        inputs = keras.Input((4,))
        finite = keras.ops.nan_to_num(inputs)
        classifier = keras.Model(inputs, keras.layers.Dense(3)(finite))
        model = limit_tf.ClassifierModel(
            classifier, allow_non_finite_inputs=True
        )
        x, y, _ = columns(x={(3, 1): np.nan})
        logs = testing.compiled(model).train_on_batch(x, y)
        self.assertTrue(np.isfinite(logs))
        copy = limit_tf.ClassifierModel.from_config(model.get_config())
        self.assertTrue(copy.allow_non_finite_inputs)


class LabelFormTest(parameterized.TestCase):
    def refused(self, error, message, y, run=None):
        x = columns()[0]
        run = run or new_model().train_on_batch
        with self.assertRaisesRegex(error, message) as caught:
            run(x, y)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        (np.array(["cat", "dog", "cow"] * 4),),
        (np.array(["cat", "dog", "cow"] * 4, object),),
        (["cat", "dog", "cow"] * 4,),
        (tf.constant(["cat", "dog", "cow"] * 4),),
    )
    def test_names_of_classes(self, y):
        self.refused(TypeError, "`y`.*numpy.unique.*cat", y)

    def test_names_in_a_data_set(self):
        x = columns()[0]
        data = tf.data.Dataset.from_tensors((x, ["cat"] * NUM))
        with self.assertRaisesRegex(TypeError, "`y`.*StringLookup"):
            new_model().fit(data)

    @parameterized.parameters(
        (
            np.array([None, *[0] * (NUM - 2), None], object),
            r": 2 missing of 12.*y\[0\]=None",
        ),
        (np.array([0, float("nan"), *[0] * (NUM - 2)], object), r"y\[1\]=nan"),
        ([0] * (NUM - 1) + [None], r"y\[11\]=None"),
    )
    def test_missing_labels(self, y, message):
        self.refused(ValueError, f"`y` .*{message}", y)

    def test_wrong_shapes(self):
        y = columns()[1]
        for wrong in (y[:, None, None], np.eye(4)[y], np.float32(1)):
            self.refused(ValueError, r"`y`.*shape \(n,\)", wrong)

    def test_lists_objects_columns_and_floats_train_alike(self):
        x, y, _ = columns()
        results = []
        for labels in (
            y,
            y.tolist(),
            y.astype(object),
            y[:, None],
            y.astype("float32"),
        ):
            keras.utils.set_random_seed(0)
            model = new_model(method="classifier")
            results.append(model.test_on_batch(x, labels))
        np.testing.assert_allclose(results, [results[0]] * 5)

    @parameterized.parameters("uint8", "int8", "uint16", "uint64")
    def test_small_types_do_not_wrap_classes_around(self, dtype):
        # 300 is 44 in eight bits: as many classes, and a prediction of 299,
        # would be taken for 44 and 43.
        x = columns()[0]
        model = new_model(units=300, method="classifier")
        model.compile("sgd", metrics=["accuracy"])
        bias = np.zeros(300, "float32")
        bias[299] = 1e3
        model.classifier.layers[0].bias.assign(bias)
        y = np.full(NUM, 43, dtype)
        logs = model.test_on_batch(x, y, return_dict=True)
        self.assertEqual(logs["accuracy"], 0.0)
        self.assertTrue(np.isfinite(logs["loss"]))
        y = np.full(NUM, 127, dtype)  # more than 44
        self.assertTrue(np.isfinite(model.train_on_batch(x, y)[0]))

    def test_half_floats_that_round_classes(self):
        y = np.zeros(NUM, "float16")
        for run in (
            new_model(units=3000).train_on_batch,
            lambda x, y: limit_tf.losses.MeanAbsoluteError().call(
                tf.constant(y), tf.zeros((NUM, 3000))
            ),
        ):
            self.refused(ValueError, "integer dtype.*float16 for 3000", y, run)

    @parameterized.parameters(True, False)
    def test_one_hot_labels_with_the_default_loss(self, one_hot):
        x, y, _ = columns()
        labels = np.eye(3, dtype="float32")[y] if one_hot else y
        model = new_model(method="classifier")
        logits = model.predict(x, verbose=0)
        logs = np.log(np.exp(logits).sum(-1)) - logits[np.arange(NUM), y]
        self.assertAlmostEqual(
            model.test_on_batch(x, labels), logs.mean(), places=5
        )

    @parameterized.product(method=("limit", "classifier"), built=(True, False))
    def test_labels_that_the_given_loss_does_not_take(self, method, built):
        x, y, _ = columns()
        sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        dense = keras.losses.CategoricalCrossentropy(from_logits=True)
        for loss, labels, message in (
            (sparse, np.eye(3)[y], "indices.*CategoricalCross"),
            (dense, y, "distributions.*SparseCategoricalCross"),
        ):
            model = new_model(built, method=method)
            model.compile("sgd", loss=loss)
            for data in ((x, labels), (Batches(x, labels),)):
                with self.assertRaisesRegex(ValueError, f"`y`.*{message}"):
                    model.fit(*data)


class ElementsTest(parameterized.TestCase):
    @parameterized.product(built=(True, False), one_hot=(True, False))
    def test_data_set_without_batches(self, built, one_hot):
        x, y, _ = columns()
        labels = np.eye(3)[y] if one_hot else y
        data = tf.data.Dataset.from_tensor_slices((x, labels))
        with self.assertRaisesRegex(ValueError, r"`x`.*\.batch\("):
            new_model(built).fit(data)

    @parameterized.parameters(True, False)
    def test_data_set_of_unknown_shapes(self, built):
        data = tf.data.Dataset.from_generator(
            lambda: iter([columns()[:2]]), output_types=("float32", "int64")
        )
        with self.assertRaisesRegex(ValueError, "`x`.*output_signature"):
            new_model(built).fit(data)

    def test_ids_beside_inputs_have_fewer_axes(self):
        x, y, _ = columns()
        data = tf.data.Dataset.from_tensor_slices((testing.with_ids(x), y))
        model = new_model(method="elr")
        model._checked(data.batch(5))
        with self.assertRaisesRegex(ValueError, r"`x`.*\.batch\("):
            model._checked(data)

    def test_data_set_of_unknown_sizes_trains(self):
        data = tf.data.Dataset.from_generator(
            lambda: iter([columns()[:2]]),
            output_signature=(
                tf.TensorSpec((None, None)),
                tf.TensorSpec((None,), tf.int64),
            ),
        )
        history = new_model().fit(data, verbose=0).history
        self.assertTrue(np.isfinite(history["loss"]))

    def test_unbuilt_network_and_augmentation_are_built_by_a_generator(self):
        model = new_model(
            False, augmentation=keras.layers.GaussianNoise(0.1, seed=0)
        )
        history = model.fit((b for b in [columns()] * 2), verbose=0).history
        self.assertTrue(np.isfinite(history["loss"]))
        self.assertEqual(model.num_classes, 3)

    def test_missing_class_weights_are_one_in_data_sets_too(self):
        x, y, _ = columns()
        data = tf.data.Dataset.from_tensors((x, y))
        history = new_model().fit(data, class_weight={0: 2.0}, verbose=0)
        self.assertTrue(np.isfinite(history.history["loss"]))

    def test_distributed_data_sets_are_checked_in_the_step(self):
        strategy = testing.two_replicas()
        with strategy.scope():
            model = new_model()
        changed, message = WRONG["label"]
        data = strategy.experimental_distribute_dataset(
            tf.data.Dataset.from_tensors(columns(**changed))
            .unbatch()
            .batch(NUM)
        )
        with self.assertRaisesRegex(ValueError, r"`y` must.*\[0, 3\)"):
            model.fit(data, steps_per_epoch=1, epochs=1, verbose=0)


if __name__ == "__main__":
    absltest.main()
