"""What an export writes, what it keeps, and what it refuses."""

import json
import pathlib
import subprocess
import sys
import tempfile
import threading
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.experiments import Experiment
from limit_tf.experiments import FinishedRun
from limit_tf.serving import tflite
from limit_tf.serving import versions
from limit_tf.serving import warmup
from limit_tf.serving.export import ClassifierExport
from tests import testing
from tests.serving import builders

ROOT = pathlib.Path(__file__).parents[2]


def new_output():
    return pathlib.Path(tempfile.mkdtemp(), "saved_models", "digits")


def export(output, **options):
    options = {"warmup_requests": "off", **options}
    run = FinishedRun(builders.digits_run())
    return ClassifierExport(run, str(output), **options).run()


def numbers(output):
    return sorted(versions.existing_versions(output))


def variables_of(version):
    return str(version / "variables" / "variables")


def num_variables(version):
    return sum(
        name.startswith("served_variables/")
        for name, _ in tf.train.list_variables(variables_of(version))
    )


class FilesTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.output = builders.exported_digits()
        cls.version = cls.output / "1"
        cls.run_ = FinishedRun(builders.digits_run())

    def test_class_names_are_an_asset(self):
        text = (self.version / "assets" / "labels.txt").read_text()
        self.assertEqual(text.splitlines(), [str(i) for i in range(10)])
        (asset,) = builders.graph(self.version).asset_file_def
        self.assertEqual(asset.filename, "labels.txt")

    def test_the_card_tells_what_is_known_and_what_is_not(self):
        card = json.loads((self.version / "model_card.json").read_text())
        results = self.run_.results
        self.assertEqual((card["name"], card["version"]), ("digits", 1))
        self.assertEqual(card["method"], "limit")
        self.assertEqual(
            card["num_params"], self.run_.model.classifier.count_params()
        )
        self.assertEqual(
            card["accuracies"]["test_accuracy"], results["test_accuracy"]
        )
        self.assertEqual(card["noise"]["added_rate"], 0.5)
        self.assertAlmostEqual(
            card["noise"]["share_of_wrong_training_labels"],
            1 - results["noise_ceiling"],
        )
        self.assertEqual(card["input"]["shape"], [8, 8, 1])
        self.assertEqual(card["configuration"], results["config"])
        self.assertEqual(card["check"]["largest_difference"], 0.0)
        self.assertEqual(
            card["signatures"]["label_scores"]["inputs"]["labels"],
            {"dtype": "int64", "shape": [None]},
        )
        self.assertIn("Pixels go to 16", card["data"]["notes"][0])
        self.assertIsNone(card["training"]["command"])
        self.assertIn("the command line", " ".join(card["not_known"]))

    def test_the_server_s_files_are_beside_the_model(self):
        folder = self.output.parent
        self.assertEqual(
            {path.name for path in folder.iterdir()},
            {
                "digits",
                "models.config",
                "batching.config",
                "monitoring.config",
            },
        )

    def test_warm_up_requests_are_answered_by_the_signatures(self):
        if not warmup.is_available():
            self.skipTest("tensorflow-serving-api is not installed")
        from tensorflow_serving.apis import prediction_log_pb2  # noqa: PLC0415

        signatures = tf.saved_model.load(str(self.version)).signatures
        names = set()
        for record in tf.data.TFRecordDataset(str(self.version / warmup.FILE)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            self.assertEqual(request.model_spec.name, "digits")
            name = request.model_spec.signature_name
            names.add(name)
            inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
            if name == "serving_default":
                size = len(inputs["images"])
                images = self.run_.loaded[1].test.images[:size]
                self.assertAllEqual(inputs["images"], images)
            signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
        self.assertEqual(names, set(signatures))

    def test_the_predictor_is_left_out_unless_asked_for(self):
        output = new_output()
        export(output)
        model = self.run_.model
        classifier = len(model.classifier.variables)
        predictor = len(model.gradient_predictor.variables)
        self.assertEqual(num_variables(output / "1"), classifier)
        self.assertEqual(num_variables(self.version), classifier + predictor)
        self.assertNotIn("label_scores", builders.signature_defs(output / "1"))

    def test_names_can_be_given(self):
        output = new_output()
        names = [f"ünit {i}" for i in range(10)]
        export(output, class_names=names)
        text = (output / "1" / "assets" / "labels.txt").read_text("utf-8")
        self.assertEqual(text.splitlines(), names)

    def test_half_precision_takes_less_place(self):
        output = new_output()
        export(output, precision="float16")
        variables = variables_of(output / "1")
        dtypes = {
            str(tf.train.load_variable(variables, name).dtype)
            for name, shape in tf.train.list_variables(variables)
            if len(shape) == 2
        }
        self.assertEqual(dtypes, {"float16"})


class VersionsTest(tf.test.TestCase):
    def test_versions_are_counted_up_and_old_ones_removed(self):
        output = new_output()
        for name in ("notes", "7"):
            (output / name).mkdir(parents=True)
        (output / "3").write_text("a file, not a version")
        export(output, version=2)
        self.assertEqual(numbers(output), [2, 3, 7])
        export(output, keep=2)
        self.assertEqual(numbers(output), [3, 7, 8])
        self.assertTrue((output / "notes").is_dir())
        self.assertEmpty(list(output.glob(".*")))

    def test_the_new_version_stays_although_there_are_higher_ones(self):
        output = new_output()
        (output / "9").mkdir(parents=True)
        (output / "8").mkdir()
        export(output, version=5, keep=1)
        self.assertEqual(numbers(output), [5, 9])

    def test_a_number_that_is_taken_meanwhile_is_left_alone(self):
        output = new_output()
        rename = versions._rename

        def taken(temporary, final):
            if final.name == "1":
                final.mkdir()  # by another process
            rename(temporary, final)

        with mock.patch.object(versions, "_rename", taken):
            export(output)
        self.assertEqual(numbers(output), [1, 2])
        self.assertEmpty(list((output / "1").iterdir()))
        card = json.loads((output / "2" / "model_card.json").read_text())
        self.assertEqual(card["version"], 2)

    def test_nothing_is_left_of_an_export_that_fails(self):
        output = new_output()
        with mock.patch.object(
            ClassifierExport, "_checked", side_effect=ValueError
        ):
            with self.assertRaises(ValueError):
                export(output)
        # Neither the version nor the folders that were made for it.
        self.assertFalse(output.parent.exists())

    def test_another_interface_is_refused_unless_told_otherwise(self):
        output = new_output()
        export(output, with_predictor=True)

        def files():  # reading them changes the times of their last reading
            return {p: p.stat().st_mtime_ns for p in output.rglob("*")}

        before = files()
        with self.assertRaisesRegex(
            ValueError,
            "^`output` must .*--replace_interface.*whose version 1 the classes "
            "are 0, 1, 2, 3 and 6 more, here zero, .*; the signatures are .*"
            "label_scores, .*, here",
        ) as caught:
            export(output, class_names=("zero", *map(str, range(1, 10))))
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(files(), before)
        version = export(output, replace_interface=True)
        self.assertEqual(version.name, "2")
        # The next one is compared with that.
        self.assertEqual(export(output).name, "3")

    @pytest.mark.slow
    def test_whoever_polls_the_folder_finds_whole_models(self):
        self.check_polling(num_exports=3, num_polls=100)

    @pytest.mark.slow
    def test_a_thousand_polls_over_twenty_exports_find_whole_models(self):
        self.check_polling(num_exports=20, num_polls=1000)

    def check_polling(self, num_exports, num_polls):
        output = new_output()
        export(output)
        polls, errors, is_over = [], [], threading.Event()

        def poll():
            while not is_over.is_set() or len(polls) < num_polls:
                try:
                    polls.append(poll_once(output, load=len(polls) % 50 == 0))
                except Exception as error:  # Reported by the test below.
                    errors.append(error)
                    return
                is_over.wait(0.005)

        poller = threading.Thread(target=poll)
        poller.start()
        for _ in range(num_exports):
            export(output, keep=2)
        is_over.set()
        poller.join()
        self.assertEmpty(errors)
        self.assertGreaterEqual(len(polls), num_polls)
        self.assertEqual(polls, sorted(polls))
        self.assertEqual(poll_once(output, load=True), 1 + num_exports)


def poll_once(output, load=False):
    """Does what a server does with a folder: takes the highest version."""
    found = [p for p in output.iterdir() if p.name.isdigit()]
    version = max(found, key=lambda path: int(path.name))
    signatures = builders.signature_defs(version)
    assert "serving_default" in signatures
    for name in ("model_card.json", "assets/labels.txt"):
        assert (version / name).read_text()
    assert len(tf.train.list_variables(variables_of(version))) > 1
    if load:
        tf.saved_model.load(str(version))
    return int(version.name)


class TfliteTest(tf.test.TestCase):
    def test_it_answers_as_the_keras_model(self):
        output = new_output()
        export(output, file_format="tflite")
        version = output / "1"
        self.assertEqual(
            {path.name for path in version.iterdir()},
            {
                "model.tflite",
                "labels.txt",
                "model_card.json",
                "model_card.md",
            },
        )
        run = FinishedRun(builders.digits_run())
        images = run.loaded[1].test.images
        answers = tflite.answers(
            (version / "model.tflite").read_bytes(), images.astype(np.float32)
        )
        expected = run.model.predict(images, verbose=0)
        # Other kernels: the last bits differ.
        self.assertAllClose(answers["logits"], expected, 1e-5, 1e-5)
        self.assertAllEqual(answers["class_ids"], expected.argmax(-1))
        with self.assertRaisesRegex(ValueError, "`output` must not hold"):
            export(output)

    def test_answers_that_differ_are_not_published(self):
        output = new_output()

        def wrong(content, images):
            return {"probabilities": np.full((len(images), 10), 0.1)}

        with mock.patch.object(tflite, "answers", wrong):
            with self.assertRaisesRegex(
                ValueError, "within 0.0001 of .* change one by 0"
            ):
                export(output, file_format="tflite")
        self.assertEmpty(numbers(output))


class RefusalsTest(parameterized.TestCase):
    def assert_refused(self, message, output=None, workdir=None, **options):
        output = new_output() if output is None else output
        with self.assertRaisesRegex(ValueError, message) as context:
            run = FinishedRun(workdir or builders.digits_run())
            ClassifierExport(run, str(output), **options)
        self.assertNotIn("\n", str(context.exception))

    @parameterized.parameters(
        ({"file_format": "onnx"}, "`format` must be one of saved_model, tfl"),
        ({"precision": "int8"}, "`precision` must be one of float32, float16"),
        ({"warmup_requests": "yes"}, "`warmup` must be one of auto, on, off"),
        ({"keep": 0}, "`keep` must be at least 1"),
        ({"version": 0}, "`version` must be at least 1"),
        ({"class_names": ["a", "b"]}, "`class_names` must be 10.* 2, a,b"),
        ({"class_names": ["a\nb"] * 10}, "`class_names` must be words on one"),
        ({"file_format": "tflite", "xla": True}, "`xla` must be left out"),
    )
    def test_wrong_arguments_are_named_before_any_work(self, wrong, message):
        output = new_output()
        self.assert_refused(message, output, **wrong)
        self.assertFalse(output.exists())

    def test_a_version_that_exists_is_never_overwritten(self):
        output = builders.exported_digits()
        before = (output / "1" / "saved_model.pb").stat().st_mtime_ns
        self.assert_refused(
            "`version` must be one that does not exist", output, version=1
        )
        after = (output / "1" / "saved_model.pb").stat().st_mtime_ns
        self.assertEqual(before, after)

    def test_the_output_must_be_a_folder_that_can_be_written_to(self):
        file = pathlib.Path(tempfile.mkdtemp(), "file")
        file.write_text("")
        for output in (file, file / "digits"):
            self.assert_refused("`output` must be a folder", output)
        with mock.patch.object(
            tempfile, "TemporaryFile", side_effect=PermissionError(13, "no")
        ):
            self.assert_refused("`output` must be a folder that can be written")

    def test_the_output_s_name_must_fit_into_a_url(self):
        output = pathlib.Path(tempfile.mkdtemp(), 'a "name"')
        self.assert_refused("`output` must name the model by letters", output)

    def test_the_run_must_be_finished(self):
        self.assert_refused("`workdir` must be", workdir=tempfile.mkdtemp())

    def test_warm_up_requests_need_their_messages(self):
        with mock.patch.object(warmup, "is_available", return_value=False):
            self.assert_refused("`warmup` must be auto", warmup_requests="on")
            with self.assertLogs("absl", "INFO") as logs:
                run = FinishedRun(builders.digits_run())
                ClassifierExport(run, str(new_output()))
        self.assertIn("No warm-up requests", logs.output[0])

    def test_a_method_without_a_predictor_cannot_score_labels(self):
        folder = tempfile.mkdtemp()
        config = testing.tiny_config(
            folder, method="cross_entropy", training={"epochs": 1}
        )
        workdir = str(pathlib.Path(folder, "run"))
        Experiment(config, workdir).run()
        self.assert_refused(
            "`with_predictor` must be left out", None, workdir, with_predictor=1
        )


@pytest.mark.slow
class CommandTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.output = new_output()
        started = [  # Side by side: most of their time is TensorFlow's start.
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "limit_tf.cli.export"),
                    f"--workdir={builders.digits_run()}",
                    *flags,
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for flags in (
                [
                    f"--output={cls.output}",
                    *("--version=3", "--keep=1", "--precision=float16"),
                    f"--class_names={','.join('abcdefghij')}",
                ],
                [f"--output={builders.exported_digits()}", "--version=1"],
            )
        ]
        cls.exported, cls.refused = (
            (*process.communicate(), process.returncode) for process in started
        )

    def test_it_says_what_it_has_written(self):
        output, errors, status = self.exported
        self.assertEqual(status, 0, errors)
        self.assertStartsWith(
            output,
            f"{self.output / '3'}: serving_default, serving_bytes, classify\n"
            "Probabilities of 64 test examples within ",
        )
        card = json.loads((self.output / "3" / "model_card.json").read_text())
        self.assertEqual(card["class_names"], list("abcdefghij"))
        self.assertEqual(card["precision_of_weights"], "float16")
        self.assertStartsWith(card["command"], "python -m limit_tf.cli.export")
        self.assertIn("--version=3", card["command"])

    def test_it_refuses_in_one_line(self):
        _, errors, status = self.refused
        self.assertEqual(status, 2)
        last = errors.splitlines()[-1]
        self.assertStartsWith(last, "error: `--version` must be one that does")


if __name__ == "__main__":
    absltest.main()
