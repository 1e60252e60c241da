import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import noise
from limit_tf.data import image_data
from limit_tf.data import splits as splits_lib

HALF = noise.symmetric_transition_matrix(10, 0.5)


def toy_data(n, offset=0):
    """Images whose first two bytes are the identifier."""
    ids = np.arange(n) + offset
    images = np.stack([ids % 256, ids // 256], axis=1).astype(np.uint8)
    return image_data.ImageData(images.reshape(n, 1, 2, 1), ids % 10, ids)


def toy_source(n=1000):
    return image_data.Source(
        name="toy",
        train=toy_data(n),
        test=toy_data(50, offset=n),
        class_names=tuple("abcdefghij"),
        pixel_mean=(0.0,),
        pixel_std=(1.0,),
        pixel_max=255.0,
    )


def split(source=None, matrix=HALF, split_seed=0, noise_seed=0, **kwargs):
    return splits_lib.noisy_splits(
        source or toy_source(),
        matrix,
        split_seed=split_seed,
        noise_seed=noise_seed,
        **kwargs,
    )


def labels_by_id(part):
    return dict(
        zip(part.example_ids.tolist(), part.labels.tolist(), strict=True)
    )


class SplitsTest(parameterized.TestCase):
    def test_parts_are_disjoint_and_complete(self):
        parts = split()
        self.assertLen(parts.train, 800)
        self.assertLen(parts.validation, 200)
        ids = np.concatenate(
            [parts.train.example_ids, parts.validation.example_ids]
        )
        np.testing.assert_array_equal(np.sort(ids), np.arange(1000))

    def test_rows_stay_together(self):
        parts = split()
        for part in (parts.train, parts.validation, parts.test):
            pixels = part.images.reshape(-1, 2).astype(int)
            ids = pixels[:, 0] + 256 * pixels[:, 1]
            np.testing.assert_array_equal(ids, part.example_ids)
            np.testing.assert_array_equal(ids % 10, part.clean_labels)
            np.testing.assert_array_equal(
                part.is_corrupted, part.labels != part.clean_labels
            )

    def test_train_and_validation_are_noisy_and_test_is_clean(self):
        parts = split()
        # Five standard errors of a binomial fraction at 0.5.
        for part in (parts.train, parts.validation):
            self.assertAlmostEqual(
                part.is_corrupted.mean(),
                0.5,
                delta=5 * 0.5 / np.sqrt(len(part)),
            )
        self.assertFalse(parts.test.is_corrupted.any())

    def test_clean_validation_leaves_the_training_labels_alone(self):
        noisy, clean = split(), split(clean_validation=True)
        self.assertFalse(clean.validation.is_corrupted.any())
        np.testing.assert_array_equal(clean.train.labels, noisy.train.labels)

    def test_same_seeds_give_the_same_parts(self):
        first, second = split(split_seed=3), split(split_seed=3)
        np.testing.assert_array_equal(first.train.images, second.train.images)
        np.testing.assert_array_equal(first.train.labels, second.train.labels)

    def test_fewer_examples_are_the_first_ones_of_more(self):
        whole = split()
        for n in (1, 100, 800):
            part = split(num_train_examples=n)
            for field in ("images", "labels", "is_corrupted", "example_ids"):
                np.testing.assert_array_equal(
                    getattr(part.train, field), getattr(whole.train, field)[:n]
                )
            np.testing.assert_array_equal(
                part.validation.labels, whole.validation.labels
            )

    @parameterized.parameters("train", "validation")
    def test_noise_of_an_image_does_not_depend_on_the_split_seed(self, name):
        first = labels_by_id(getattr(split(split_seed=0), name))
        second = labels_by_id(getattr(split(split_seed=1), name))
        common = first.keys() & second.keys()
        self.assertNotEmpty(common)
        self.assertNotEqual(list(first), list(second))
        self.assertEqual(
            [first[i] for i in common], [second[i] for i in common]
        )

    def test_train_and_validation_noise_are_separate(self):
        train = labels_by_id(split(split_seed=0, train_fraction=0.9).train)
        validation = labels_by_id(
            split(split_seed=1, train_fraction=0.1).validation
        )
        common = train.keys() & validation.keys()
        same = np.mean([train[i] == validation[i] for i in common])
        # Both keep the true class (1/4) or draw the same wrong one (1/36).
        p = 1 / 4 + 1 / 36
        self.assertAlmostEqual(
            same, p, delta=5 * np.sqrt(p * (1 - p) / len(common))
        )

    def test_noise_seed_changes_labels_but_not_the_split(self):
        first, second = split(noise_seed=0), split(noise_seed=1)
        np.testing.assert_array_equal(
            first.train.example_ids, second.train.example_ids
        )
        self.assertTrue((first.train.labels != second.train.labels).any())

    @parameterized.parameters(
        (dict(num_train_examples=801), "`num_train_examples`.*800.*801"),
        (dict(num_train_examples=0), "`num_train_examples`"),
        (dict(train_fraction=0.0), "`train_fraction`"),
        (dict(train_fraction=1.0), "`train_fraction`"),
        (dict(train_fraction=float("nan")), "`train_fraction`"),
        (dict(train_fraction=0.9999), "`train_fraction`.*at least one"),
        (dict(split_seed=-1), "`split_seed`"),
        (dict(noise_seed=-1), "`noise_seed`"),
        (dict(matrix=np.eye(9)), "`transition_matrix`.*num_classes=10"),
    )
    def test_bad_values_are_refused(self, kwargs, message):
        with self.assertRaisesRegex(ValueError, message):
            split(**kwargs)

    @parameterized.parameters(
        (dict(num_train_examples=10.0), "`num_train_examples`"),
        (dict(train_fraction="0.8"), "`train_fraction`"),
        (dict(train_fraction=True), "`train_fraction`"),
        (dict(split_seed=None), "`split_seed`"),
        (dict(noise_seed=0.5), "`noise_seed`"),
    )
    def test_bad_types_are_refused(self, kwargs, message):
        with self.assertRaisesRegex(TypeError, message):
            split(**kwargs)


if __name__ == "__main__":
    absltest.main()
