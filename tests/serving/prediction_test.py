"""Predictions of an exported model in the same process."""

import csv
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.serving import array_file
from limit_tf.serving import model_folder
from limit_tf.serving import prediction as prediction_module
from limit_tf.serving.inputs import Inputs
from limit_tf.serving.model_spec import ModelSpec
from limit_tf.serving.prediction import Answer
from limit_tf.serving.prediction import Predictor
from limit_tf.serving.prediction import predictions
from limit_tf.serving.prediction_job import PredictionJob
from tests.serving import small_model

ROOT = pathlib.Path(__file__).parents[2]
NUM_CLASSES = len(small_model.CLASS_NAMES)

folder = None
model = None


def setUpModule():
    global folder, model
    temporary = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(temporary.cleanup)
    folder = pathlib.Path(temporary.name)
    model = folder / "small"
    small_model.write(model, version=2)
    small_model.write(model, version=10, factor=-1.0)


def tearDownModule():
    # pytest does not do it by itself.
    unittest.doModuleCleanups()


def new_folder():
    return pathlib.Path(tempfile.mkdtemp(dir=folder))


def saved(array, name="images.npy"):
    path = new_folder() / name
    np.save(path, array)
    return str(path)


def rows(*images, **arguments):
    """Returns the lines of the CSV file that a job writes."""
    output = new_folder() / "predictions.csv"
    arguments = {"model": model, "version": 2, **arguments}
    PredictionJob(images, output=output, **arguments).run()
    with open(output, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def expected(array, version=2):
    """Returns what the model's signature gives."""
    loaded = tf.saved_model.load(str(model / str(version)))
    outputs = loaded.signatures["serving_default"](
        images=tf.constant(array, tf.float32)
    )
    return outputs["probabilities"].numpy()


class PredictionTest(parameterized.TestCase):
    @parameterized.parameters(1, 4, 100)
    def test_an_array_is_predicted_in_batches_in_order(self, batch_size):
        array = small_model.images(10)
        path = saved(array)
        found = rows(path, batch_size=batch_size)
        probs = expected(array)
        self.assertEqual(
            list(found[0]), ["input", "class_id", "class_name", "probability"]
        )
        self.assertEqual(
            [r["input"] for r in found], [f"{path}[{i}]" for i in range(10)]
        )
        ids = [int(r["class_id"]) for r in found]
        self.assertEqual(ids, probs.argmax(axis=1).tolist())
        self.assertEqual(
            [r["class_name"] for r in found],
            [small_model.CLASS_NAMES[i] for i in ids],
        )
        np.testing.assert_allclose(
            [float(r["probability"]) for r in found],
            probs.max(axis=1),
            rtol=1e-6,
        )

    def test_files_are_predicted_as_the_same_images_in_an_array(self):
        array = small_model.images(7)
        paths = small_model.write_files(new_folder(), array)
        of_files = rows(",".join(paths), batch_size=3, num_top=3)
        of_array = rows(saved(array), num_top=3)
        for file, example in zip(of_files, of_array, strict=True):
            file.pop("input"), example.pop("input")
            self.assertEqual(list(file), list(example))
            for name, value in example.items():
                if not name.startswith("probability"):
                    self.assertEqual(file[name], value)
                    continue
                # Of batches of another size, rounded otherwise.
                np.testing.assert_allclose(
                    float(file[name]), float(value), rtol=1e-5
                )

    def test_further_classes_follow_in_columns_of_their_own(self):
        array = small_model.images(3)
        (first, *_) = rows(saved(array), num_top=NUM_CLASSES)
        probs = expected(array)[0]
        order = np.argsort(-probs)
        for suffix, class_id in zip(("", "_2", "_3"), order, strict=True):
            self.assertEqual(first[f"class_id{suffix}"], str(class_id))
            self.assertEqual(
                first[f"class_name{suffix}"], small_model.CLASS_NAMES[class_id]
            )
            self.assertAlmostEqual(
                float(first[f"probability{suffix}"]), probs[class_id], places=6
            )

    def test_json_is_a_list_of_objects_with_what_csv_has(self):
        path = saved(small_model.images(3))
        output = new_folder() / "predictions.json"
        job = PredictionJob(
            [path], model=model, version=2, output=output, num_top=2
        )
        self.assertIn("3 predictions", job.run())
        values = json.loads(output.read_text(encoding="utf-8"))
        for value, row in zip(values, rows(path, num_top=2), strict=True):
            self.assertEqual(value["input"], row["input"])
            self.assertEqual(value["class_name"], row["class_name"])
            self.assertEqual(str(value["class_id"]), row["class_id"])
            self.assertEqual(value["probability"], float(row["probability"]))
            self.assertLen(value["top"], 2)
            self.assertEqual(
                value["top"][1]["probability"], float(row["probability_2"])
            )

    def test_the_highest_whole_version_answers(self):
        array = small_model.images(4)
        there = new_folder()
        for version in (2, 10):
            (there / str(version)).symlink_to(model / str(version))
        (there / "11").mkdir()  # without a model
        (there / ".new-12").symlink_to(model / "2")
        found = rows(saved(array), model=there, version=None)
        self.assertEqual(
            [int(r["class_id"]) for r in found],
            expected(array, version=10).argmax(axis=1).tolist(),
        )

    def test_the_folder_of_a_version_is_a_model_too(self):
        self.assertEqual(model_folder.find_version(model / "2"), model / "2")

    def test_among_equals_the_class_that_the_model_names_is_first(self):
        class Undecided(Predictor):
            def answer(self, batch):
                return Answer(
                    np.full((1, 3), 1 / 3, np.float32), np.array([2]), ["c"]
                )

        predictor = Undecided(ModelSpec(None, False, 3), "here")
        predictor.class_names = ("a", "b", "c")
        images = Inputs([saved(small_model.images(1))])
        (prediction,) = predictions(predictor, images, num_top=2)
        self.assertEqual(prediction.class_ids, [2, 0])
        self.assertEqual(prediction.class_names, ["c", "a"])

    def test_a_prediction_that_is_not_finite_is_left_out(self):
        class Uncertain(Predictor):
            def answer(self, batch):
                probs = np.array([[0.2, 0.8], [np.nan, np.nan]], np.float32)
                return Answer(probs, np.array([1, 0]), ["b", "a"])

        images = Inputs([saved(small_model.images(2))])
        predictor = Uncertain(ModelSpec(None, False, 2), "here")
        (prediction,) = predictions(predictor, images)
        self.assertEqual(prediction.class_ids, [1])
        self.assertRegex(images.failures[0].name, r"images.npy\[1\]")

    @parameterized.parameters(1, 3, 64)
    def test_all_but_the_broken_files_are_predicted_in_order(self, batch_size):
        paths = small_model.write_files(new_folder(), small_model.images(8))
        good = rows(*paths)
        jpeg = tf.io.encode_jpeg(small_model.images(1)[0]).numpy()
        for i, content in ((0, b""), (3, jpeg[:60]), (4, b"words"), (7, b"BM")):
            pathlib.Path(paths[i]).write_bytes(content)
        output = new_folder() / "out.csv"
        job = PredictionJob(
            paths,
            model=model,
            version=2,
            output=output,
            batch_size=batch_size,
        )
        self.assertIn("4 predictions", job.run())
        with open(output, newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        self.assertEqual(
            [(row["input"], row["class_id"]) for row in found],
            [(good[i]["input"], good[i]["class_id"]) for i in (1, 2, 5, 6)],
        )
        reasons = {failure.name: failure.reason for failure in job.failures}
        self.assertCountEqual(reasons, [paths[i] for i in (0, 3, 4, 7)])
        self.assertEqual(reasons[paths[0]], "empty")
        self.assertIn("Invalid JPEG", reasons[paths[3]])
        self.assertIn("Unknown image", reasons[paths[4]])

    @parameterized.parameters(
        ("float32", np.nan), ("float64", np.inf), ("float64", 1e300)
    )
    def test_arrays_of_numbers_that_are_not_finite(self, dtype, value):
        array = small_model.images(5).astype(dtype)
        array[1, 0, 0] = array[3, 1, 1] = value
        # Two pieces of the file, one of them without a wrong number.
        with (
            mock.patch.object(array_file, "_PIECE_BYTES", array[:3].nbytes),
            self.assertRaisesRegex(
                ValueError, r"`images`.*finite.*: 2 .*of 5.*images.npy\[1\]"
            ) as caught,
        ):
            rows(saved(array))
        self.assertNotIn("\n", str(caught.exception))
        with self.assertRaisesRegex(ValueError, r": 1 invalid of 1.*npy$"):
            rows(saved(array[1]))


class InputsTest(parameterized.TestCase):
    def names(self, *images):
        return [
            name for batch in Inputs(images).batches(2) for name in batch.names
        ]

    def test_a_folder_stands_for_its_images_at_any_depth_sorted(self):
        top = new_folder()
        for name in ("b", "a/z", ".hidden"):
            small_model.write_files(top / name, small_model.images(2))
        (top / "a" / "notes.txt").write_text("no image")
        small_model.write_files(top / "__MACOSX", small_model.images(1))
        files = [f"{top}/{p}" for p in ("a/z/000.png", "a/z/001.png")]
        files += [f"{top}/b/000.png", f"{top}/b/001.png"]
        with self.assertLogs("absl", "WARNING") as logs:
            self.assertEqual(self.names(str(top)), files)
        self.assertIn("1 .txt", logs.output[0])
        self.assertEqual(self.names(f"{top}/[ab]/**/*.png"), files)

    def test_the_order_of_files_and_arrays_is_kept(self):
        array = small_model.images(3)
        files = small_model.write_files(new_folder(), array[:2])
        path = saved(array)
        self.assertEqual(
            self.names(files[1], path, files[0]),
            [files[1], *(f"{path}[{i}]" for i in range(3)), files[0]],
        )

    def test_a_file_may_have_a_comma_in_its_name(self):
        (path,) = small_model.write_files(new_folder(), small_model.images(1))
        other = str(pathlib.Path(path).with_name("a, b.png"))
        pathlib.Path(path).rename(other)
        self.assertEqual(self.names(other), [other])

    @parameterized.parameters(np.uint8, np.int64, np.float32, np.float64)
    def test_arrays_of_all_numbers_are_cast(self, dtype):
        array = small_model.images(5)
        (batch,) = Inputs([saved(array.astype(dtype))]).batches(5)
        self.assertEqual(batch.images.dtype, np.float32)
        np.testing.assert_array_equal(batch.images, array)

    def test_pieces_of_a_large_array_are_put_together(self):
        array = small_model.images(50)
        for path in (saved(array), saved(np.asfortranarray(array))):
            with mock.patch(
                "limit_tf.serving.array_file._PIECE_BYTES", 7 * 16 + 3
            ):
                batches = list(Inputs([path]).batches(20))
            np.testing.assert_array_equal(
                np.concatenate([batch.images for batch in batches]), array
            )

    def test_an_npz_file_names_its_array(self):
        array = small_model.images(4)
        path = str(new_folder() / "data.npz")
        np.savez_compressed(path, x_test=array, y_test=np.zeros(4))
        (batch,) = Inputs([f"{path}:x_test"]).batches(9)
        np.testing.assert_array_equal(batch.images, array)
        with self.assertRaisesRegex(ValueError, "x_test, y_test"):
            Inputs([path])

    @parameterized.parameters(
        ((4, 4, 1), 1), ((4, 4), 1), ((6, 4, 4), 6), ((6, 4, 4, 1), 6)
    )
    def test_one_image_and_grey_ones_without_channel_are_taken(
        self, shape, num_images
    ):
        array = np.zeros(shape, np.uint8)
        self.assertLen(rows(saved(array)), num_images)

    def test_many_images_show_progress(self):
        array = np.zeros((30, *small_model.SHAPE), np.uint8)
        with (
            mock.patch.object(prediction_module, "MANY_IMAGES", 29),
            mock.patch("sys.stderr", io.StringIO()) as stderr,
            mock.patch.object(stderr, "isatty", lambda: True),
        ):
            rows(saved(array))
        self.assertIn("30/30", stderr.getvalue())


class RefusalTest(parameterized.TestCase):
    def assert_refused(self, pattern, *images, **arguments):
        with self.assertRaisesRegex(ValueError, pattern):
            rows(*images or [saved(small_model.images(1))], **arguments)

    def test_a_model_that_is_not_there(self):
        self.assert_refused("`model` must be the folder", model=folder / "no")
        self.assert_refused("`model` must be a folder", model=new_folder())
        self.assert_refused("`version` must be one of 2, 10", version=3)
        self.assert_refused("`model`.*`server`.*neither", model=None)

    def test_a_model_of_another_kind(self):
        class Other(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec((None, 2), name="x")])
            def double(self, x):
                return {"y": 2 * x}

        other = Other()
        path = new_folder()
        tf.saved_model.save(other, str(path / "1"), other.double)
        self.assert_refused(
            "'serving_default' from x to y", model=path, version=1
        )
        broken = new_folder() / "1"
        broken.mkdir()
        (broken / "saved_model.pb").write_bytes(b"nonsense")
        self.assert_refused("must be a SavedModel", model=broken, version=None)

    def test_images_that_are_not_there(self):
        self.assert_refused("`images`.*no.png", "no.png")
        self.assert_refused("`images`.*no.npz:x", "no.npz:x")
        self.assert_refused("`images`", str(new_folder() / "*.png"))
        self.assert_refused("`images` must be folders", str(new_folder()))

    def test_a_file_that_is_no_image(self):
        path = new_folder() / "text.png"
        path.write_text("I am no image.")
        self.assert_refused(r"decode.*text.png \(Unknown image", str(path))

    @parameterized.parameters(1, 3, 64)
    def test_a_corrupt_file_is_named_at_once(self, batch_size):
        paths = small_model.write_files(new_folder(), small_model.images(8))
        content = tf.io.encode_jpeg(small_model.images(1)[0]).numpy()
        pathlib.Path(paths[5]).write_bytes(content[:60])
        output = new_folder() / "out.csv"
        job = PredictionJob(
            paths,
            model=model,
            output=output,
            batch_size=batch_size,
            fail_fast=True,
        )
        with self.assertRaisesRegex(
            ValueError, r"decode.*Received: .*005.png \(.*Invalid JPEG"
        ):
            job.run()
        self.assertEmpty(list(output.parent.iterdir()))

    def test_arrays_of_another_shape(self):
        for shape in ((2, 5, 4, 1), (4, 4, 3), (2,), (1, 2, 4, 4, 1)):
            self.assert_refused(
                r"\(n, 4, 4, 1\).*images.npy of shape", saved(np.ones(shape))
            )
        self.assert_refused("images in them", saved(np.ones(())))
        self.assert_refused("images in them", saved(np.ones((0, 4, 4, 1))))

    def test_files_that_are_no_arrays_of_numbers(self):
        self.assert_refused("dtype", saved(np.array(["a", "b"])))
        self.assert_refused("dtype", saved(np.zeros((2, 4, 4, 1), bool)))
        path = pathlib.Path(saved(small_model.images(9)))
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        self.assert_refused("whole files.*images.npy", str(path))
        path.write_bytes(b"nonsense")
        self.assert_refused("files of arrays.*images.npy", str(path))
        path.with_suffix(".npz").write_bytes(b"nonsense")
        self.assert_refused(
            "files of arrays.*images.npz", str(path.with_suffix(".npz"))
        )

    def test_files_for_a_model_of_arrays(self):
        path = new_folder()
        small_model.write(path, with_bytes=False)
        files = small_model.write_files(new_folder(), small_model.images(2))
        self.assert_refused(
            "'serving_bytes'.*000.png", *files, model=path, version=None
        )

    def test_arguments_out_of_range(self):
        self.assert_refused("`batch_size`", batch_size=0)
        self.assert_refused("`top` must be at least 1", num_top=0)
        self.assert_refused("`top` must be at most 3", num_top=4)
        self.assert_refused("`format`", file_format="xml")
        self.assert_refused("`model_name` is for", model_name="small")

    def test_an_output_that_is_there(self):
        path = new_folder() / "predictions.csv"
        path.write_text("mine")
        with self.assertRaisesRegex(
            ValueError, "`output`.*none is ever overwritten"
        ):
            PredictionJob(
                [saved(small_model.images(1))], model=model, output=path
            )
        self.assertEqual(path.read_text(), "mine")


class ImportTest(absltest.TestCase):
    def test_neither_keras_nor_code_of_the_training_is_needed(self):
        # A package without its __init__.py, which imports all of it. REST
        # does without TensorFlow, too.
        script = f"""
import sys, types
sys.modules["keras"] = None  # cannot be imported; else TensorFlow would
limit_tf = sys.modules["limit_tf"] = types.ModuleType("limit_tf")
limit_tf.__path__ = ["{ROOT}/limit_tf"]
import limit_tf.serving.prediction_job
import limit_tf.serving.rest
assert "tensorflow" not in sys.modules
from limit_tf.serving.prediction_job import PredictionJob
PredictionJob([sys.argv[1]], model=sys.argv[2]).run()
rooms = {{name.split(".")[1] for name in sys.modules if "limit_tf." in name}}
assert rooms == {{
    "serving", "atomic_files", "csv_text", "folders", "image_listing",
    "progress", "tensorflow_errors"
}}, rooms
"""
        path = saved(small_model.images(2))
        done = subprocess.run(
            [sys.executable, "-c", script, path, str(model)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        self.assertLen(done.stdout.splitlines(), 3)


if __name__ == "__main__":
    absltest.main()
