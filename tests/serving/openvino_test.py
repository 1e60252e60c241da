"""An exported model in OpenVINO, an engine that shares no code with ours."""

import importlib.util
import unittest

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from limit_tf.experiments import FinishedRun
from tests.serving import builders


@unittest.skipIf(
    importlib.util.find_spec("openvino") is None, "openvino is not installed"
)
class OpenVinoTest(tf.test.TestCase):
    def test_it_answers_serving_default_alike(self):
        import openvino  # noqa: PLC0415

        version = builders.exported_digits() / "1"
        test = FinishedRun(builders.digits_run()).loaded[1].test
        images = test.images.astype(np.float32)
        expected = tf.saved_model.load(str(version)).signatures[
            "serving_default"
        ](images=tf.constant(images))
        core = openvino.Core()
        model = core.compile_model(
            core.read_model(version),
            "CPU",
            # Else it rounds to bfloat16 where the processor computes in it.
            {"INFERENCE_PRECISION_HINT": "f32"},
        )
        answers = model(images)
        for name in ("logits", "probabilities"):
            # Other kernels, which add in another order.
            self.assertAllClose(
                answers[model.output(name)], expected[name], 1e-5, 1e-5
            )


if __name__ == "__main__":
    absltest.main()
