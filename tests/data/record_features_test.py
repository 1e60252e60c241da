from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.data.record_features import RecordFeatures
from limit_tf.data.record_features import record_features


class RecordFeaturesTest(parameterized.TestCase):
    def test_defaults_are_those_of_encoded_images(self):
        features = record_features(None)
        self.assertEqual(features, RecordFeatures())
        self.assertEqual(features.image_key, "image/encoded")
        self.assertEqual(features.label_key, "image/class/label")
        self.assertEqual(features.image_format, "encoded")

    def test_arguments_can_be_given_as_a_mapping(self):
        given = dict(image_format="raw", image_shape=[2, 3, 1])
        self.assertEqual(record_features(given), RecordFeatures(**given))

    @parameterized.parameters(
        (dict(label_key=3), TypeError, "`label_key`"),
        (dict(label_offset=0.5), TypeError, "`label_offset`"),
        (dict(image_format="jpeg"), ValueError, "`image_format`.*jpeg"),
        (dict(image_format="raw"), ValueError, "`image_shape`.*None"),
        (
            dict(image_format="raw", image_shape=(2, 2, 4)),
            ValueError,
            "`image_shape`.*1 or 3",
        ),
        (dict(image_shape=(2, 2, 3)), ValueError, "`image_shape`.*raw"),
        (dict(labels="label"), ValueError, "`tfrecord`.*labels"),
    )
    def test_bad_arguments_are_refused(self, arguments, error, message):
        with self.assertRaisesRegex(error, message) as context:
            record_features(arguments)
        self.assertNotIn("\n", str(context.exception))


if __name__ == "__main__":
    absltest.main()
