import os
import pathlib
import shutil
import socket
import tempfile
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf.data import tfds_network
from limit_tf.data import tfds_source

_NUM_EXAMPLES = {"train": 20, "test": 10}


def toy_image(split, i, shape=(4, 6, 1)):
    seed = i + 1000 * (split == "test")
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


class ToyBuilder(tfds.core.GeneratorBasedBuilder):
    """Builds 20 + 10 images; subclasses change what their name says."""

    VERSION = tfds.core.Version("1.0.0")
    IMAGE_SHAPE = (4, 6, 1)
    SPLITS = ("train", "test")
    SUPERVISED_KEYS = ("image", "label")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=self.IMAGE_SHAPE),
                    "label": tfds.features.ClassLabel(names=["a", "b", "c"]),
                    "note": tfds.features.Text(),
                }
            ),
            supervised_keys=self.SUPERVISED_KEYS,
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in self.SPLITS}

    def _generate_examples(self, split):
        for i in range(_NUM_EXAMPLES[split]):
            yield i, {"image": self.image(split, i), "label": i % 3, "note": ""}

    def image(self, split, i):
        return toy_image(split, i, self.IMAGE_SHAPE)


class ToyGrey(ToyBuilder):
    SUPERVISED_KEYS = None


class ToyRgb(ToyBuilder):
    IMAGE_SHAPE = (4, 6, 3)


class ToyVarying(ToyBuilder):
    IMAGE_SHAPE = (None, None, 3)

    def image(self, split, i):
        return np.full((8 + i, 10, 3), 7 * i, np.uint8)


class ToyAlpha(ToyBuilder):
    IMAGE_SHAPE = (4, 6, 4)


class ToyTrainOnly(ToyBuilder):
    SPLITS = ("train",)


class ToyN(ToyBuilder):
    """Features like those of CIFAR-10N: true labels and given ones."""

    FEATURES = {
        "label": tfds.features.ClassLabel(names=["a", "b", "c"]),
        "worse_label": tfds.features.ClassLabel(num_classes=3),
        "coarse_label": tfds.features.ClassLabel(num_classes=2),
        "worker1_id": np.int64,
    }

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=(4, 6, 1)), **self.FEATURES}
            ),
            supervised_keys=None,
            disable_shuffling=True,
        )

    def _generate_examples(self, split):
        is_train = split == "train"
        labels = {
            "worse_label": lambda i: (2 * i) % 3 if is_train else -1,
            "coarse_label": lambda i: i % 2,
            "other_label": lambda i: i % 3,
            "worker1_id": lambda i: 7,
            "label": lambda i: i % 3,
        }
        for i in range(_NUM_EXAMPLES[split]):
            example = {key: labels[key](i) for key in self.FEATURES}
            yield i, {"image": toy_image(split, i), **example}


class ToyTwoLabels(ToyN):
    FEATURES = {
        "worse_label": tfds.features.ClassLabel(num_classes=3),
        "other_label": tfds.features.ClassLabel(num_classes=3),
    }


class ToyUnbuilt(ToyBuilder):
    pass


class ToyConfigs(ToyBuilder):
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="first", version="1.0.0"),
        tfds.core.BuilderConfig(name="second", version="1.0.0"),
    ]

    def image(self, split, i):
        value = 1 if self.builder_config.name == "first" else 2
        return np.full(self.IMAGE_SHAPE, value, np.uint8)


def setUpModule():
    global _data_dir, _temporary
    _temporary = tempfile.TemporaryDirectory()
    _data_dir = _temporary.name
    for builder in (
        ToyGrey(data_dir=_data_dir),
        ToyRgb(data_dir=_data_dir),
        ToyVarying(data_dir=_data_dir),
        ToyAlpha(data_dir=_data_dir),
        ToyTrainOnly(data_dir=_data_dir),
        ToyN(data_dir=_data_dir),
        ToyTwoLabels(data_dir=_data_dir),
        ToyConfigs(data_dir=_data_dir, config="first"),
        ToyConfigs(data_dir=_data_dir, config="second"),
    ):
        builder.download_and_prepare()


def tearDownModule():
    _temporary.cleanup()


def cut_network():
    """Lets every use of a socket for the network fail."""
    cut = OSError("The network is cut off.")
    return mock.patch.multiple(
        socket,
        create_connection=mock.Mock(side_effect=cut),
        getaddrinfo=mock.Mock(side_effect=cut),
        socket=mock.Mock(side_effect=cut),
    )


def load(name, **kwargs):
    return tfds_source.load(
        name, **{"data_dir": _data_dir, "download": False, **kwargs}
    )


class PreparedTest(parameterized.TestCase):
    def test_images_labels_and_names_are_those_that_were_built(self):
        source = load("toy_rgb")
        for split, part in (("train", source.train), ("test", source.test)):
            n = _NUM_EXAMPLES[split]
            expected = [toy_image(split, i, (4, 6, 3)) for i in range(n)]
            np.testing.assert_array_equal(part.images, expected)
            self.assertEqual(part.images.dtype, np.uint8)
            np.testing.assert_array_equal(part.labels, np.arange(n) % 3)
        self.assertEqual(source.class_names, ("a", "b", "c"))
        self.assertEqual(source.name, "toy_rgb")

    def test_ids_are_those_of_tfds(self):
        ids = load("toy_rgb").train.example_ids
        self.assertEqual(ids[3], "toy_rgb-train.tfrecord-00000-of-00001__3")
        self.assertLen(set(ids), 20)

    def test_data_is_read_with_the_network_cut_off(self):
        with cut_network():
            source = load("toy_grey", download=True)
        self.assertLen(source.train, 20)

    def test_constants_go_by_the_number_of_channels(self):
        grey, rgb = load("toy_grey"), load("toy_rgb")
        self.assertEqual(grey.pixel_mean, (0.456,))
        self.assertEqual(grey.pixel_std, (0.224,))
        self.assertEqual(rgb.pixel_mean, (0.485, 0.456, 0.406))
        self.assertEqual(rgb.pixel_std, (0.229, 0.224, 0.225))
        self.assertEqual((grey.pixel_max, rgb.pixel_max), (255, 255))

    def test_constants_can_be_given(self):
        source = load("toy_grey", pixel_mean=(0.1,), pixel_std=(0.2,))
        self.assertEqual(source.pixel_mean, (0.1,))
        self.assertEqual(source.pixel_std, (0.2,))

    def test_keys_are_found_without_supervised_keys(self):
        source = load("toy_grey")
        np.testing.assert_array_equal(
            source.train.images[5], toy_image("train", 5)
        )

    def test_folder_may_come_from_the_environment(self):
        with mock.patch.dict(os.environ, {"TFDS_DATA_DIR": _data_dir}):
            self.assertLen(data.load("toy_rgb", download=False).test, 10)

    @parameterized.parameters(
        ("toy_configs", 1),
        ("toy_configs/first", 1),
        ("toy_configs/second", 2),
        ("toy_configs/second:1.0.0", 2),
        ("toy_configs:1.0.0", 1),
    )
    def test_configs(self, name, value):
        source = load(name)
        self.assertTrue((source.train.images == value).all())

    def test_newest_version_wins_and_needs_no_code(self):
        with tempfile.TemporaryDirectory() as data_dir:
            for version in ("1.0.0", "1.9.0", "1.10.0", "2.0.0.incomplete"):
                shutil.copytree(
                    os.path.join(_data_dir, "toy_rgb", "1.0.0"),
                    os.path.join(data_dir, "other_name", version),
                )

            def folder(version=None):
                return tfds_source._newest_version_folder(
                    tfds.core.Path(data_dir), "other_name", None, version
                ).name

            self.assertEqual(folder(), "1.10.0")
            self.assertEqual(folder("1.9.0"), "1.9.0")
            self.assertEqual(folder("1.*.*"), "1.10.0")
            self.assertLen(load("other_name", data_dir=data_dir).test, 10)


class StreamTest(parameterized.TestCase):
    @parameterized.parameters("toy_grey", "toy_rgb")
    def test_a_stream_holds_what_memory_holds(self, name):
        stream, memory = load(name, stream=True), load(name)
        self.assertEqual(stream.class_names, memory.class_names)
        for split in ("train", "test"):
            ours, theirs = getattr(stream, split), getattr(memory, split)
            self.assertIsInstance(ours.images, data.RecordImages)
            np.testing.assert_array_equal(ours.example_ids, theirs.example_ids)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
            ((images, labels),) = data.evaluation_dataset(
                ours.images, ours.labels, batch_size=64
            )
            np.testing.assert_array_equal(images, theirs.images)
            np.testing.assert_array_equal(labels, theirs.labels)

    def test_varying_sizes_are_resized(self):
        size = (4, 6)
        stream = load("toy_varying", stream=True, image_size=size)
        ((images, _),) = data.evaluation_dataset(
            stream.train.images, stream.train.labels, batch_size=64
        )
        memory = load("toy_varying", image_size=size)
        np.testing.assert_array_equal(images, memory.train.images)

    def test_data_that_memory_does_not_hold_is_pointed_to_the_stream(self):
        with self.assertRaisesRegex(ValueError, "`max_bytes`.*stream=True"):
            load("toy_grey", max_bytes=10)
        load("toy_grey", max_bytes=10, stream=True)

    def test_labels_beside_the_true_ones_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`stream` must be False"):
            load("toy_n", label_key="worse_label", stream=True)


class LabelKeyTest(parameterized.TestCase):
    def test_given_labels_come_with_the_true_ones(self):
        source = load("toy_n", label_key="worse_label")
        i = np.arange(20)
        np.testing.assert_array_equal(source.train.labels, i % 3)
        np.testing.assert_array_equal(source.train.given_labels, 2 * i % 3)
        self.assertEqual(source.class_names, ("a", "b", "c"))

    def test_test_labels_are_true(self):
        test = load("toy_n", label_key="worse_label").test
        np.testing.assert_array_equal(test.labels, np.arange(10) % 3)
        self.assertIsNone(test.given_labels)

    def test_without_it_the_feature_named_label_is_read(self):
        train = load("toy_n").train
        np.testing.assert_array_equal(train.labels, np.arange(20) % 3)
        self.assertIsNone(train.given_labels)

    @parameterized.parameters("label", "coarse_label", "worker1_id", "x", 3)
    def test_other_features_are_refused(self, label_key):
        with self.assertRaisesRegex(
            ValueError, r"^`label_key`.*\['worse_label'\].*Received.*$"
        ):
            load("toy_n", label_key=label_key)

    def test_a_true_label_must_be_known(self):
        with self.assertRaisesRegex(ValueError, "^`name`.*one class label.*$"):
            load("toy_two_labels", label_key="worse_label")


class ImageSizeTest(parameterized.TestCase):
    def test_varying_sizes_need_an_image_size(self):
        with self.assertRaisesRegex(ValueError, "^`image_size`.*varying.*$"):
            load("toy_varying")

    def test_varying_sizes_are_resized(self):
        source = load("toy_varying", image_size=(5, 7))
        self.assertEqual(source.train.images.shape, (20, 5, 7, 3))
        expected = np.zeros((20, 5, 7, 3)) + 7 * np.arange(20).reshape(
            -1, 1, 1, 1
        )
        np.testing.assert_array_equal(source.train.images, expected)

    def test_halving_rounds_the_antialiased_mean(self):
        # The triangle of width 4 has the weights 1, 3, 3, 1 (over 8) inside;
        # at the border the part outside is left out: 3, 3, 1 (over 7).
        source = load("toy_grey", image_size=(4, 3))
        image = toy_image("train", 0)[..., 0].astype(float)
        expected = np.stack(
            [
                image[:, :3] @ [3, 3, 1] / 7,
                image[:, 1:5] @ [1, 3, 3, 1] / 8,
                image[:, 3:] @ [1, 3, 3] / 7,
            ],
            axis=1,
        )
        np.testing.assert_allclose(
            source.train.images[0, ..., 0], expected, atol=0.5001
        )

    def test_own_size_changes_nothing(self):
        np.testing.assert_array_equal(
            load("toy_rgb", image_size=(4, 6)).train.images,
            load("toy_rgb").train.images,
        )

    def test_bad_sizes_are_refused(self):
        for image_size in (32, (32,), "32"):
            with self.assertRaisesRegex(TypeError, "`image_size`"):
                load("toy_rgb", image_size=image_size)
        with self.assertRaisesRegex(ValueError, "`image_size`"):
            load("toy_rgb", image_size=(0, 4))


class RefusedTest(parameterized.TestCase):
    def test_data_that_is_too_large_is_refused(self):
        num_bytes = 30 * 4 * 6 * 3
        load("toy_rgb", max_bytes=num_bytes)
        with self.assertRaisesRegex(ValueError, "^`max_bytes`.*2,160.*$"):
            load("toy_rgb", max_bytes=num_bytes - 1)

    def test_missing_test_split_names_the_splits(self):
        with self.assertRaisesRegex(ValueError, "test split.*splits train$"):
            load("toy_train_only")

    def test_other_channels_are_refused(self):
        with self.assertRaisesRegex(ValueError, r"channels.*\(4, 6, 4\)"):
            load("toy_alpha")

    @parameterized.parameters("", "a b", "a/b/c", "a:latest", "../a", None, 3)
    def test_malformed_names_are_refused(self, name):
        with self.assertRaisesRegex(ValueError, "^`name`.*Received.*$"):
            load(name)


class NotPreparedTest(parameterized.TestCase):
    def test_unknown_name(self):
        with cut_network():
            for download in (True, False):
                with self.assertRaisesRegex(
                    FileNotFoundError, "^.*no_such_set.*knows no data set.*$"
                ):
                    load("no_such_set", download=download)

    @parameterized.parameters("toy_unbuilt", "toy_rgb:3.0.0", "toy_configs/x")
    def test_without_download(self, name):
        with (
            cut_network(),
            self.assertRaisesRegex(
                FileNotFoundError,
                f"^.*'{name}' under {_data_dir}.*tfds build {name} --.*$",
            ),
        ):
            load(name)

    def test_a_failed_download_is_told_in_one_line(self):
        with (
            mock.patch.object(
                ToyUnbuilt,
                "download_and_prepare",
                side_effect=ConnectionError("no route\nmore"),
            ),
            self.assertRaisesRegex(
                RuntimeError,
                "^.*'toy_unbuilt'.*ConnectionError: no route.*tfds build.*$",
            ),
        ):
            load("toy_unbuilt", download=True)

    def test_no_network_is_told_at_once(self):
        # A port that is bound and does not listen refuses every connection.
        with socket.socket() as refusing, tempfile.TemporaryDirectory() as root:
            refusing.bind(("127.0.0.1", 0))
            proxy = f"http://127.0.0.1:{refusing.getsockname()[1]}"
            proxies = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
            with (
                mock.patch.dict(os.environ, proxies | {"NO_PROXY": ""}),
                self.assertRaisesRegex(
                    RuntimeError,
                    f"^No prepared data set 'mnist' under {root}.*no answer of "
                    f".*tfds build mnist --data_dir={root}$",
                ),
            ):
                load("mnist", data_dir=root, download=True)

    def test_a_network_that_swallows_everything_is_given_up(self):
        with (
            socket.create_server(("127.0.0.1", 0)) as silent,
            mock.patch.object(tfds_network, "_TIMEOUT_SECONDS", 0.2),
            self.assertRaisesRegex(ConnectionError, "no answer of 127.0.0.1"),
        ):
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.gz"
            tfds_network.check_reachable([url], pathlib.Path("nowhere"))

    def test_nothing_is_asked_where_files_were_downloaded_before(self):
        with tempfile.TemporaryDirectory() as root, cut_network():
            root = pathlib.Path(root)
            with self.assertRaisesRegex(ConnectionError, "no answer"):
                tfds_network.check_reachable(["http://a.invalid/b"], root)
            (root / "b").write_text("")
            tfds_network.check_reachable(["http://a.invalid/b"], root)

    def test_download_prepares_what_is_missing(self):
        with tempfile.TemporaryDirectory() as data_dir:
            source = load("toy_unbuilt", data_dir=data_dir, download=True)
            self.assertLen(source.train, 20)
            again = load("toy_unbuilt", data_dir=data_dir)
        np.testing.assert_array_equal(again.train.images, source.train.images)


def real_data_dir():
    """Returns a folder of real data sets, or None."""
    repository = pathlib.Path(__file__).resolve().parents[2]
    for folder in (
        os.environ.get("LIMIT_TF_TFDS_DIR"),
        repository.parent / "shared" / "tensorflow_datasets",
    ):
        if folder and (pathlib.Path(folder) / "mnist").exists():
            return str(folder)
    return None


@absltest.skipIf(
    real_data_dir() is None,
    "Prepared MNIST is not there: set LIMIT_TF_TFDS_DIR to its data_dir.",
)
class MnistTest(absltest.TestCase):
    @pytest.mark.slow
    def test_mnist_is_read_whole(self):
        with cut_network():
            source = data.load("mnist", data_dir=real_data_dir())
        self.assertEqual(source.train.images.shape, (60_000, 28, 28, 1))
        self.assertEqual(source.test.images.shape, (10_000, 28, 28, 1))
        # The counts of the classes in the published test set.
        self.assertEqual(
            np.bincount(source.test.labels).tolist(),
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        )
        self.assertAlmostEqual(
            source.train.images.mean() / 255, 0.1307, places=4
        )


if __name__ == "__main__":
    absltest.main()
