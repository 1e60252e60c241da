"""Runs on data of one's own, from its files to the printed table."""

import csv
import pathlib
import socket
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.experiments import Experiment
from limit_tf.experiments import build
from limit_tf.experiments import results
from tests import testing

NO_NOISE = {"kind": "none", "rate": 0.0}


def tiny_config(folder, **changes):
    """A configuration for data of any size."""
    changes.setdefault("method", "cross_entropy")
    changes["training"] = {"epochs": 2, **changes.get("training", {})}
    config = testing.tiny_config(folder, **changes)
    config.data.num_train_examples = None
    return config


def image(label, i):
    """An image whose brightness tells its class."""
    rng = np.random.default_rng([label, i])
    return rng.integers(100 * label, 100 * label + 100, (6, 5, 3), np.uint8)


def png(label, i):
    return tf.io.encode_png(image(label, i)).numpy()


class SourceTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp()
        self.workdir = pathlib.Path(self.folder, "run")

    def path(self, *names):
        path = pathlib.Path(self.folder, *names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def run_experiment(self, **changes):
        config = tiny_config(self.folder, **changes)
        return Experiment(config, str(self.workdir)).run()

    def assert_refused(self, message, error=ValueError, **changes):
        config = tiny_config(self.folder, **changes)
        with self.assertRaisesRegex(error, message) as context:
            Experiment(config, str(self.workdir))
        self.assertNotIn("\n", str(context.exception))

    def write_folder(self):
        """40 images for training and 10 for the test, of two classes."""
        for split, number in (("train", 20), ("test", 5)):
            for label, name in enumerate(("cat", "dog")):
                for i in range(number):
                    path = self.path("images", split, name, f"{i}.png")
                    path.write_bytes(png(label, 100 * (split == "test") + i))
        return {
            "name": "folder",
            "data_dir": str(self.path("images")),
            "image_size": 4,
        }

    def write_list(self):
        """50 images of two classes, of which a fifth is for the test."""
        lines = ["path,label"]
        for i in range(50):
            self.path("list", f"{i}.png").write_bytes(png(i % 2, i))
            lines.append(f"{i}.png,{('cat', 'dog')[i % 2]}")
        self.path("list", "list.csv").write_text("\n".join(lines))
        return {
            "name": "csv",
            "data_dir": str(self.path("list", "list.csv")),
            "image_size": 4,
        }

    def write_arrays(self):
        """60 rows of floats for training and 20 for the test."""
        rng = np.random.default_rng(0)
        arrays = {}
        for split, number in (("train", 60), ("test", 20)):
            labels = rng.integers(3, size=number)
            features = rng.normal(size=(number, 5)) + 3 * labels[:, None]
            arrays[f"x_{split}"] = features.astype(np.float32)
            arrays[f"y_{split}"] = labels
        arrays["class_names"] = np.array(["low", "middle", "high"])
        np.savez(self.path("data.npz"), **arrays)
        return {"name": "arrays", "data_dir": str(self.path("data.npz"))}

    def write_records(self, stream):
        """20 images for training and 20 for the test, of two classes."""
        for split in ("train", "test"):
            with tf.io.TFRecordWriter(
                str(self.path("records", f"{split}.tfrecord"))
            ) as file:
                for i in range(20):
                    features = {
                        "png": tf.train.Feature(
                            bytes_list=tf.train.BytesList(value=[png(i % 2, i)])
                        ),
                        "class": tf.train.Feature(
                            int64_list=tf.train.Int64List(value=[1 + i % 2])
                        ),
                    }
                    example = tf.train.Example(
                        features=tf.train.Features(feature=features)
                    )
                    file.write(example.SerializeToString())
        return {
            "name": "tfrecord",
            "data_dir": str(self.path("records")),
            "options": {
                "num_channels": 1,
                "tfrecord": {
                    "image_key": "png",
                    "label_key": "class",
                    "label_offset": 1,
                },
                "stream": stream,
            },
        }


class FolderTest(SourceTest):
    def test_run_on_a_folder_with_a_broken_image(self):
        section = self.write_folder()
        broken = self.path("images", "train", "cat", "3.png")
        broken.write_bytes(broken.read_bytes()[:-20])
        section["options"] = {"max_unreadable": 0.05}
        outcome = self.run_experiment(data=section, noise=NO_NOISE)
        self.assertEqual(outcome["num_unreadable_images"], 1)
        with open(self.workdir / "unreadable_images.csv", newline="") as file:
            header, *rows = csv.reader(file)
        self.assertEqual(header, ["path", "reason"])
        self.assertEqual([row[0] for row in rows], [str(broken)])
        self.assertStartsWith(rows[0][1], "not decodable")

        # 39 readable images, of which four in five train.
        self.assertEqual(outcome["num_train_examples"], 31)
        self.assertEqual(outcome["num_valid_examples"], 8)
        self.assertEqual(
            list(outcome["test_accuracy_by_class"]), ["cat", "dog"]
        )

        # The labels are as they were given: nobody knows which are right.
        text = (self.workdir / "results.json").read_text()
        for key in ("train_accuracy_clean", "noise_ceiling"):
            self.assertIsNone(outcome[key])
            self.assertIn(f'"{key}": null', text)
        table = results.table([outcome])
        self.assertNotIn("are wrong", table)
        self.assertNotIn("their true labels", table)
        known = {**outcome, "method": "limit", "train_accuracy_clean": 0.5}
        header, _, line, _ = results.table([outcome, known]).splitlines()
        self.assertEqual(line[header.index("their true labels")], "-")

    def test_broken_images_beyond_the_share_are_refused(self):
        section = self.write_folder()
        self.path("images", "train", "cat", "3.png").write_bytes(b"words")
        self.assert_refused("options.max_unreadable`.*1 of 50", data=section)

    @pytest.mark.slow
    def test_images_are_cropped_from_a_larger_size_for_training(self):
        section = self.write_folder()
        outcome = self.run_experiment(
            data={
                **section,
                "train_size": 6,
                "augmentation": "crop_flip",
                "crop_padding": 0,
            },
            noise=NO_NOISE,
            method="limit",
        )
        model = keras.models.load_model(self.workdir / "best_model.keras")
        self.assertEqual(model.classifier.input_shape, (None, 4, 4, 3))
        self.assertEqual(outcome["num_epochs"], 2)

    def test_a_larger_size_without_a_crop_is_refused_before_any_work(self):
        # The data is not even looked for.
        self.assert_refused(
            "`config.data.train_size` must.*train_size=6.*image_size=4",
            data={
                "name": "folder",
                "data_dir": "nowhere",
                "image_size": 4,
                "train_size": 6,
            },
        )

    def test_a_smaller_size_for_training_is_refused(self):
        section = {**self.write_folder(), "train_size": 3}
        section["augmentation"] = "crop_flip"
        self.assert_refused(
            "`config.data.train_size`.*at least config.data.image_size",
            data=section,
        )


class ServiceTest(SourceTest):
    """A tf.data service that cannot be used."""

    @parameterized.parameters(
        (True, "`config.training.deterministic` must be False"),
        (
            False,
            "`config.data.service` must be .* dispatcher that answers",
        ),
    )
    def test_it_is_refused_before_any_work(self, deterministic, message):
        section = {**self.write_folder(), "service": "grpc://localhost:1"}
        self.assert_refused(
            message, data=section, training={"deterministic": deterministic}
        )

    def test_an_order_that_varies_is_refused_in_a_deterministic_run(self):
        self.assert_refused(
            "`config.training.deterministic` must be False",
            data={"deterministic_order": False},
            training={"deterministic": True},
        )

    def test_images_in_memory_are_refused(self):
        with socket.create_server(("localhost", 0)) as server:
            service = f"grpc://localhost:{server.getsockname()[1]}"
            self.assert_refused(
                "`config.data.service` must be left out for images in memory",
                data={"service": service},
                training={"deterministic": False},
            )


class OptionsTest(SourceTest):
    """Options of sources beyond those that every configuration names."""

    def test_options_reach_the_source(self):
        section = self.write_folder()
        section["options"] = {"num_channels": 1, "check_images": False}
        config = tiny_config(self.folder, data=section, noise=NO_NOISE)
        config.lock()
        source, _ = build.load_data(config)
        self.assertEqual(source.input_shape, (4, 4, 1))
        self.assertEqual(source.pixel_mean, (0.456,))

    def test_options_may_be_left_out(self):
        config = tiny_config(self.folder, noise=NO_NOISE)
        del config.data.options
        self.assertLen(build.load_data(config)[0].train, 1300)

    @parameterized.parameters(False, True)
    @pytest.mark.slow
    def test_options_of_records_reach_the_source(self, stream):
        section = self.write_records(stream)
        names = section["options"]["tfrecord"]
        outcome = self.run_experiment(data=section, noise=NO_NOISE)
        self.assertEqual(list(outcome["test_accuracy_by_class"]), ["0", "1"])
        self.assertEqual(
            outcome["config"]["data"]["options"]["tfrecord"], names
        )

    @parameterized.parameters(
        (
            {"num_chanels": 1},
            ValueError,
            "options.num_chanels` does not belong to",
        ),
        (
            {"pixel_mean": (0.5,)},
            ValueError,
            "options.pixel_mean` does not belong to",
        ),
        (
            {"num_channels": 2},
            ValueError,
            "options.num_channels` must be 1 or 3",
        ),
        (
            {"max_unreadable": 2.0},
            ValueError,
            r"options.max_unreadable`.*\[0, 1\]",
        ),
        (
            {"test_fraction": 0.5},
            ValueError,
            "options.test_fraction` is for data",
        ),
        (
            {"train_size": (8, 8)},
            ValueError,
            "`config.data.options`.*config.data.train_size",
        ),
    )
    def test_wrong_options_are_refused(self, options, error, message):
        section = {**self.write_folder(), "options": options}
        self.assert_refused(message, error, data=section, noise=NO_NOISE)


class ArraysTest(SourceTest):
    def test_run_on_features(self):
        section = self.write_arrays()
        arrays = np.load(section["data_dir"])
        outcome = self.run_experiment(
            data=section, noise=NO_NOISE, method="limit"
        )
        self.assertIsNone(outcome["noise_ceiling"])
        self.assertEqual(
            list(outcome["test_accuracy_by_class"]), ["low", "middle", "high"]
        )
        # The network sees the features as they are.
        model = keras.models.load_model(self.workdir / "best_model.keras")
        self.assertEqual(model.classifier.input_shape, (None, 5))
        first_hidden = model.classifier.layers[1:3]
        self.assertEqual(
            [type(layer).__name__ for layer in first_hidden],
            ["Flatten", "Dense"],
        )
        logits = model.classifier.predict(arrays["x_test"], verbose=0)
        self.assertEqual(
            outcome["test_accuracy"],
            np.mean(np.argmax(logits, -1) == arrays["y_test"]),
        )


class CsvTest(SourceTest):
    @pytest.mark.slow
    def test_given_labels_count_as_true_if_noise_is_asked_for(self):
        outcome = self.run_experiment(
            data=self.write_list(), noise={"kind": "symmetric", "rate": 0.25}
        )
        # 10 images are held out for the test, 8 of 40 for validation.
        self.assertEqual(outcome["num_test_examples"], 10)
        self.assertEqual(outcome["num_train_examples"], 32)
        config = tiny_config(
            self.folder,
            data=outcome["config"]["data"],
            noise=outcome["config"]["noise"],
        )
        _, splits = build.load_data(config)
        share = np.mean(splits.train.labels == splits.train.clean_labels)
        self.assertBetween(share, 0.5, 0.95)
        self.assertEqual(outcome["noise_ceiling"], share)
        self.assertIsNotNone(outcome["train_accuracy_clean"])
        self.assertIn(
            f"{1 - share:.1%} of the training", results.table([outcome])
        )


class LabelsFileTest(SourceTest):
    def write_labels(self, ids, labels, weights=None):
        if weights is None:
            weights = [1] * len(ids)
        text = "id,label,weight\n"
        for i, label, weight in zip(ids, labels, weights, strict=True):
            text += f"{i},{label},{weight}\n"
        self.path("labels.csv").write_text(text)
        return {"labels_file": str(self.path("labels.csv"))}

    def test_labels_of_a_file_are_the_noise(self):
        from sklearn.datasets import load_digits

        # Positions in scikit-learn's order; every third label is moved on.
        truth = load_digits().target
        ids = np.arange(len(truth))
        given = np.where(ids % 3 == 0, (truth + 1) % 10, truth)
        outcome = self.run_experiment(
            data=self.write_labels(ids, given), noise=NO_NOISE
        )
        config = tiny_config(self.folder, noise=NO_NOISE)
        train = build.load_data(config)[1].train
        self.assertEqual(
            outcome["noise_ceiling"], np.mean(train.example_ids % 3 != 0)
        )
        self.assertEqual(outcome["num_train_examples"], 1040)

    def test_ids_of_other_data_are_refused(self):
        section = self.write_labels([f"image {i}" for i in range(5)], range(5))
        self.assert_refused(
            "every example.*1,300 of 1,300.*'image 0'",
            data=section,
            noise=NO_NOISE,
        )

    def test_noise_on_top_is_refused(self):
        ids = data.load("digits").train.example_ids
        self.assert_refused(
            "`config.noise.kind` must be none.*'symmetric'.*labels.csv'$",
            data=self.write_labels(ids, ids % 10),
        )

    def test_a_run_on_a_file_with_dropped_and_weighted_labels(self):
        # A run uses 64 + 260 images; every fifth is dropped.
        config = tiny_config(self.folder, noise=NO_NOISE)
        config.data.num_train_examples = 64
        _, splits = build.load_data(config)
        ids = np.concatenate(
            [splits.train.example_ids, splits.validation.example_ids]
        )
        labels = ["" if i % 5 == 0 else i % 10 for i in ids]
        section = self.write_labels(ids, labels, weights=ids % 2 / 4)
        config.data.update(section)
        outcome = Experiment(config, str(self.workdir)).run()
        is_kept = splits.train.example_ids % 5 != 0
        self.assertEqual(outcome["num_train_examples"], is_kept.sum())
        self.assertEqual(
            outcome["num_valid_examples"],
            np.count_nonzero(splits.validation.example_ids % 5),
        )
        self.assertEqual(
            outcome["noise_ceiling"],
            np.mean(
                (splits.train.labels == splits.train.example_ids % 10)[is_kept]
            ),
        )

    @parameterized.parameters(
        "digits", "folder", "csv", "arrays", "tfrecord", "tfrecord stream"
    )
    def test_every_source_takes_one(self, name):
        section = {
            "digits": lambda: {"name": "digits"},
            "folder": self.write_folder,
            "csv": self.write_list,
            "arrays": self.write_arrays,
            "tfrecord": lambda: self.write_records(stream=False),
            "tfrecord stream": lambda: self.write_records(stream=True),
        }[name]()
        config = tiny_config(self.folder, data=section, noise=NO_NOISE)
        source, before = build.load_data(config)
        ids = [
            i
            for part in (before.train, before.validation)
            for i in part.example_ids.tolist()
        ]
        first, last = source.class_names[0], source.class_names[-1]
        labels = ["", first, *[last] * (len(ids) - 2)]
        config.data.update(
            self.write_labels(ids, labels, weights=[0.5] * len(ids))
        )
        source, after = build.load_data(config)
        np.testing.assert_array_equal(
            after.train.example_ids, before.train.example_ids[1:]
        )
        np.testing.assert_array_equal(
            after.validation.example_ids, before.validation.example_ids
        )
        self.assertEqual(after.train.labels[0], 0)
        for part in (after.train, after.validation):
            self.assertEqual({*part.labels} - {0}, {source.num_classes - 1})
            self.assertEqual({*part.sample_weight}, {0.5})
            self.assertLen(part.images, len(part.labels))

    @parameterized.parameters(
        "cross_entropy", "limit", "elr", "soft_regularization"
    )
    def test_labels_of_weight_zero_do_not_matter(self, method):
        trained = [self.trained_weights(method, offset) for offset in (1, 2)]
        testing.assert_close(*trained)

    def test_labels_of_weight_one_do(self):
        trained = [
            self.trained_weights("cross_entropy", offset, weight=1)
            for offset in (1, 2)
        ]
        with self.assertRaises(AssertionError):
            testing.assert_close(*trained)

    def trained_weights(self, method, offset, weight=0):
        """Trains on a wrong label for every third image, of some weight."""
        ids = np.arange(1797)
        truth = data.load("digits")
        labels = np.zeros(1797, int)
        for part in (truth.train, truth.test):
            labels[part.example_ids] = part.labels
        is_wrong = ids % 3 == 0
        section = self.write_labels(
            ids,
            np.where(is_wrong, (labels + offset) % 10, labels),
            weights=np.where(is_wrong, weight, 1),
        )
        config = tiny_config(
            self.folder,
            method=method,
            data=section,
            noise=NO_NOISE,
            training={"epochs": 1},
        )
        config.data.num_train_examples = 32
        run = self.folder + f"/{method}_{offset}"
        Experiment(config, run).run()
        return testing.flat(keras.models.load_model(run + "/best_model.keras"))

    def test_weights_are_refused_by_a_method_that_mixes_examples(self):
        ids = np.arange(1797)
        section = self.write_labels(ids, ids % 10, weights=ids % 2)
        self.assert_refused(
            "`config.method` must not be elr_plus.*sample weights.*labels.csv",
            data=section,
            noise=NO_NOISE,
            method="elr_plus",
        )


class AugmentationTest(parameterized.TestCase):
    @parameterized.parameters("limit", "cross_entropy")
    @pytest.mark.slow
    def test_a_killed_run_ends_with_the_weights_of_a_whole_run(self, method):
        changes = {
            "method": method,
            "data": {"augmentation": "crop_flip", "crop_padding": 1},
        }
        runs = [
            run_killed_after(None, **changes),
            run_killed_after(2, **changes),
        ]
        testing.assert_histories_close(*(run["history"] for run in runs))
        testing.assert_close(*(run["weights"] for run in runs))

        augmentation = runs[0]["model"].augmentation
        self.assertEqual(augmentation.crop_size, (8, 8))
        self.assertEqual(augmentation.padding, 1)


def run_killed_after(number, **changes):
    """Runs `tiny_config`, perhaps in two parts; history and best weights."""
    folder = tempfile.mkdtemp()
    workdir = pathlib.Path(folder, "run")
    config = testing.tiny_config(folder, **changes)
    if number is not None:
        with testing.killed_after_epoch(number):
            Experiment(config, str(workdir)).run()
    Experiment(config, str(workdir)).run()
    model = keras.models.load_model(workdir / "best_model.keras")
    return {
        "history": (workdir / "history.csv").read_text(),
        "weights": testing.flat(model),
        "model": model,
    }


if __name__ == "__main__":
    absltest.main()
