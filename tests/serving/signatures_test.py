"""What the signatures answer, against the Keras model's own answers."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import data
from limit_tf import label_issues
from limit_tf.experiments import FinishedRun
from limit_tf.serving.signatures import ServedModel
from tests import testing
from tests.serving import builders


class DigitsTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.version = builders.exported_digits() / "1"
        cls.loaded = tf.saved_model.load(str(cls.version))
        cls.run_ = FinishedRun(builders.digits_run())
        cls.source, cls.splits = cls.run_.loaded
        cls.images = cls.splits.test.images

    def serve(self, signature="serving_default", **inputs):
        answers = self.loaded.signatures[signature](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        return {name: value.numpy() for name, value in answers.items()}

    def test_the_signatures_are_these(self):
        image, k = (None, 8, 8, 1), 10
        answers = {
            "logits": ("float32", (None, k)),
            "probabilities": ("float32", (None, k)),
            "class_ids": ("int64", (None,)),
            "class_names": ("string", (None,)),
        }
        expected = {
            "serving_default": ({"images": ("float32", image)}, answers),
            "serving_bytes": ({"image_bytes": ("string", (None,))}, answers),
            "classify": (
                {"inputs": ("string", (None,))},
                {
                    "classes": ("string", (None, k)),
                    "scores": ("float32", (None, k)),
                },
            ),
            "label_scores": (
                {"images": ("float32", image), "labels": ("int64", (None,))},
                {
                    "score": ("float32", (None,)),
                    "suggested_ids": ("int64", (None,)),
                    "suggested_names": ("string", (None,)),
                    "predictor_prob": ("float32", (None,)),
                },
            ),
        }
        found = {
            name: tuple(
                {
                    key: (
                        tf.as_dtype(info.dtype).name,
                        tuple(tf.TensorShape(info.tensor_shape).as_list()),
                    )
                    for key, info in infos.items()
                }
                for infos in (signature.inputs, signature.outputs)
            )
            for name, signature in builders.signature_defs(self.version).items()
            if not name.startswith("__")
        }
        self.assertEqual(found, expected)

    def test_a_server_knows_its_own_classify_by_the_method(self):
        methods = {
            name: signature.method_name
            for name, signature in builders.signature_defs(self.version).items()
            if not name.startswith("__")
        }
        predict = tf.saved_model.PREDICT_METHOD_NAME
        self.assertEqual(
            methods,
            {
                "serving_default": predict,
                "serving_bytes": predict,
                "classify": tf.saved_model.CLASSIFY_METHOD_NAME,
                "label_scores": predict,
            },
        )

    def test_logits_are_those_of_predict_to_the_last_bit(self):
        images = self.images
        expected = self.run_.model.predict(
            images, batch_size=len(images), verbose=0
        )
        answers = self.serve(images=images.astype(np.float32))
        self.assertAllEqual(answers["logits"], expected)
        self.assertAllEqual(
            answers["probabilities"], tf.nn.softmax(expected).numpy()
        )
        self.assertAllEqual(answers["class_ids"], expected.argmax(-1))
        self.assertEqual(
            [name.decode() for name in answers["class_names"]],
            [self.source.class_names[i] for i in expected.argmax(-1)],
        )

    def test_batches_of_1_and_of_1000_agree(self):
        images = np.resize(self.images, (1000, 8, 8, 1)).astype(np.float32)
        together = self.serve(images=images)
        for i in range(0, 1000, 100):
            alone = self.serve(images=images[i : i + 1])
            # Products of other sizes add in another order.
            self.assertAllClose(
                alone["logits"][0], together["logits"][i], 1e-5, 1e-6
            )
            self.assertEqual(alone["class_ids"][0], together["class_ids"][i])

    def test_an_empty_batch_has_empty_answers(self):
        answers = self.serve(images=np.zeros((0, 8, 8, 1), np.float32))
        self.assertEqual(answers["logits"].shape, (0, 10))

    def test_pixels_are_rounded_and_cut_off_as_the_pipeline_s_are(self):
        images = np.full((1, 8, 8, 1), 3.0, np.float32)
        plain = self.serve(images=images)["logits"]
        self.assertAllEqual(self.serve(images=images + 0.3)["logits"], plain)
        black = self.serve(images=0 * images)["logits"]
        self.assertAllEqual(self.serve(images=-images)["logits"], black)
        white = self.serve(images=0 * images + 255)["logits"]
        self.assertAllEqual(self.serve(images=images + 999)["logits"], white)

    @parameterized.parameters(
        ((8, 8, 1),), ((2, 8, 8),), ((2, 8, 8, 3),), ((2, 64),)
    )
    def test_inputs_of_another_shape_are_refused(self, shape):
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "not compatible with expected shape"
        ):
            self.serve(images=np.zeros(shape, np.float32))

    def test_grey_png_files_are_answered_as_their_pixels(self):
        images = self.images[:20]
        # The digits' pixels go to 16; white in a file is 255.
        files = [
            tf.io.encode_png(np.uint8(np.rint(255 / 16 * image))).numpy()
            for image in images
        ]
        answers = self.serve("serving_bytes", image_bytes=files)
        expected = self.serve(images=images.astype(np.float32))
        for name, value in expected.items():
            self.assertAllEqual(answers[name], value)

    def test_what_is_no_image_is_an_error(self):
        with self.assertRaises(tf.errors.InvalidArgumentError):
            self.serve("serving_bytes", image_bytes=[b"no image"])

    def test_labels_are_scored_as_label_issues_scores_them(self):
        part = self.splits.train
        expected = label_issues.label_scores(self.run_.model, part)
        answers = self.serve(
            "label_scores",
            images=part.images.astype(np.float32),
            labels=part.labels,
        )
        # Another graph of the same operations: the last bits may differ.
        self.assertAllClose(
            answers["score"], expected.l1_distance / 2, 1e-6, 1e-6
        )
        self.assertAllClose(
            answers["predictor_prob"], expected.predictor_prob, 1e-6, 1e-6
        )
        self.assertAllEqual(answers["suggested_ids"], expected.suggested_labels)
        self.assertEqual(
            [name.decode() for name in answers["suggested_names"]],
            [self.source.class_names[i] for i in expected.suggested_labels],
        )

    def test_a_label_of_no_class_has_no_score(self):
        answers = self.serve(
            "label_scores",
            images=self.images[:3].astype(np.float32),
            labels=np.array([-1, 10, 0]),
        )
        for name in ("score", "predictor_prob"):
            self.assertEqual(
                np.isnan(answers[name]).tolist(), [True, True, False]
            )


class PhotosTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        version = builders.exported_photos() / "1"
        cls.signatures = tf.saved_model.load(str(version)).signatures
        run = FinishedRun(builders.folder_run())
        files = run.loaded[0].test.images
        images = data.load_images(files, np.arange(len(files)))
        cls.logits = run.model.predict(
            images, batch_size=len(images), verbose=0
        )
        cls.contents = [tf.io.read_file(path).numpy() for path in files.paths]

    def test_files_are_answered_as_in_evaluation_to_the_last_bit(self):
        answers = self.signatures["serving_bytes"](
            image_bytes=tf.constant(self.contents)
        )
        self.assertLen(self.contents, 30)
        self.assertAllEqual(answers["logits"], self.logits)

    def test_examples_are_classified_by_their_files(self):
        examples = [
            tf.train.Example(
                features=tf.train.Features(
                    feature={
                        "image/encoded": tf.train.Feature(
                            bytes_list=tf.train.BytesList(value=[content])
                        )
                    }
                )
            ).SerializeToString()
            for content in self.contents
        ]
        answers = self.signatures["classify"](inputs=tf.constant(examples))
        self.assertAllEqual(
            answers["scores"], tf.nn.softmax(self.logits).numpy()
        )
        names = [name.encode() for name in builders.CLASS_NAMES]
        self.assertAllEqual(answers["classes"], [names] * len(examples))


def served(network, **options):
    return ServedModel(
        network,
        input_shape=(testing.NUM_FEATURES,),
        input_dtype="float32",
        class_names="abcd",
        **options,
    )


class ServedModelTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.x = testing.toy_batch(seed=0)[0]

    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_outputs_are_float32_for_networks_in_half_precision(self, dtype):
        network = testing.toy_network(1, dtype=keras.DTypePolicy(dtype))
        answers = served(network).signatures()["serving_default"](
            images=tf.constant(self.x)
        )
        self.assertEqual(answers["logits"].dtype, tf.float32)
        self.assertEqual(answers["probabilities"].dtype, tf.float32)
        self.assertAllEqual(
            answers["logits"],
            network.predict(self.x, verbose=0).astype(np.float32),
        )

    def test_both_networks_of_elr_plus_answer(self):
        model = testing.toy_model("elr_plus", 1)
        answers = served(model.classifier).numbers(tf.constant(self.x))
        testing.assert_close(
            answers["logits"], model.predict(self.x, verbose=0), 1e-6
        )

    def test_rows_of_floats_have_no_images_but_examples(self):
        network = testing.toy_network(1)
        signatures = served(network).signatures()
        self.assertEqual(set(signatures), {"serving_default", "classify"})
        examples = [
            tf.train.Example(
                features=tf.train.Features(
                    feature={
                        "inputs": tf.train.Feature(
                            float_list=tf.train.FloatList(value=row)
                        )
                    }
                )
            ).SerializeToString()
            for row in self.x
        ]
        answers = signatures["classify"](inputs=tf.constant(examples))
        self.assertAllClose(
            answers["scores"],
            tf.nn.softmax(network.predict(self.x, verbose=0)),
            1e-6,
            1e-6,
        )

    @parameterized.parameters("float32", "float16")
    def test_xla_answers_the_same_up_to_rounding(self, precision):
        network = testing.toy_network(1)
        options = {"gradient_predictor": network, "precision": precision}
        plain = served(network, **options).signatures()
        compiled = served(network, jit_compile=True, **options).signatures()
        for name, inputs in (
            ("serving_default", {}),
            ("label_scores", {"labels": tf.range(16, dtype=tf.int64) % 4}),
        ):
            inputs["images"] = tf.constant(self.x)
            expected, answers = plain[name](**inputs), compiled[name](**inputs)
            for key, value in expected.items():
                if value.dtype == tf.float32:
                    self.assertAllClose(answers[key], value, 1e-5, 1e-6)
                else:
                    self.assertAllEqual(answers[key], value)

    def test_matrices_in_half_precision_are_computed_with_in_float32(self):
        network = testing.toy_network(1)
        model = served(network, precision="float16")
        self.assertEqual(
            {len(v.shape): v.dtype.name for v in model.served_variables},
            {1: "float32", 2: "float16"},
        )
        answers = model.numbers(tf.constant(self.x))
        rounded = keras.models.clone_model(network)
        rounded.set_weights(
            [
                w.astype(np.float16).astype(np.float32) if w.ndim > 1 else w
                for w in network.get_weights()
            ]
        )
        self.assertAllClose(
            answers["logits"], rounded.predict(self.x, verbose=0), 1e-6, 1e-6
        )

    def test_weights_beyond_half_precision_are_refused(self):
        network = testing.linear(np.full((testing.NUM_FEATURES, 4), 1e6))
        with self.assertRaisesRegex(ValueError, "`precision` must be float32"):
            served(network, precision="float16")


if __name__ == "__main__":
    absltest.main()
