import numpy as np
from absl.testing import absltest
from sklearn.datasets import load_digits

from limit_tf import data


class DigitsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = data.load("digits")

    def test_sizes_and_constants(self):
        source = self.source
        self.assertEqual(source.train.images.shape, (1300, 8, 8, 1))
        self.assertEqual(source.test.images.shape, (497, 8, 8, 1))
        self.assertEqual(source.class_names, tuple("0123456789"))
        self.assertEqual(source.train.images.max(), 16)
        self.assertEqual(source.pixel_max, 16)
        self.assertEqual((source.pixel_mean, source.pixel_std), ((0,), (1,)))

    def test_every_image_is_in_one_split(self):
        ids = [self.source.train.example_ids, self.source.test.example_ids]
        np.testing.assert_array_equal(
            np.sort(np.concatenate(ids)), np.arange(1797)
        )

    def test_ids_are_positions_in_scikit_learns_order(self):
        original = load_digits()
        for part in (self.source.train, self.source.test):
            np.testing.assert_array_equal(
                part.images[..., 0], original.images[part.example_ids]
            )
            np.testing.assert_array_equal(
                part.labels, original.target[part.example_ids]
            )

    def test_hold_out_never_changes(self):
        # Written down once: reported accuracies depend on it.
        self.assertEqual(
            self.source.test.example_ids[:5].tolist(), [2, 12, 13, 20, 28]
        )
        self.assertEqual(self.source.test.example_ids.sum(), 463787)

    def test_image_size_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`image_size`.*digits"):
            data.load("digits", image_size=(16, 16))


if __name__ == "__main__":
    absltest.main()
