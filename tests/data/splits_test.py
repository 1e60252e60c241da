import dataclasses

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf import noise
from limit_tf.data import image_data
from limit_tf.data import splits as splits_lib
from limit_tf.data.given_labels import GivenLabels
from limit_tf.data.image_files import ImageFiles

HALF = noise.symmetric_transition_matrix(10, 0.5)
IDENTITY = noise.identity_transition_matrix(10)


def toy_data(n, offset=0):
    """Images whose first two bytes are the identifier."""
    ids = np.arange(n) + offset
    images = np.stack([ids % 256, ids // 256], axis=1).astype(np.uint8)
    return image_data.ImageData(images.reshape(n, 1, 2, 1), ids % 10, ids)


def toy_source(n=1000, **changes):
    arguments = dict(
        name="toy",
        train=toy_data(n),
        test=toy_data(50, offset=n),
        class_names=tuple("abcdefghij"),
        pixel_mean=(0.0,),
        pixel_std=(1.0,),
        pixel_max=255.0,
    )
    return image_data.Source(**{**arguments, **changes})


def with_given_labels(data):
    """Gives the class after the true one to every third example."""
    ids = data.example_ids
    given = np.where(ids % 3 == 0, (data.labels + 1) % 10, data.labels)
    return dataclasses.replace(data, given_labels=given)


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

    def test_files_are_split_like_arrays(self):
        def with_files(data):
            paths = [f"{i}.png" for i in data.example_ids]
            images = ImageFiles(paths, (1, 2), num_channels=1)
            return dataclasses.replace(data, images=images)

        arrays = toy_source()
        files = dataclasses.replace(
            arrays,
            train=with_files(arrays.train),
            test=with_files(arrays.test),
        )
        for name in ("train", "validation", "test"):
            part = getattr(split(files, split_seed=2), name)
            expected = getattr(split(arrays, split_seed=2), name)
            np.testing.assert_array_equal(part.labels, expected.labels)
            self.assertEqual(
                part.images.paths.tolist(),
                [f"{i}.png" for i in expected.example_ids],
            )


class GivenValidationTest(parameterized.TestCase):
    def source(self, **changes):
        return toy_source(validation=toy_data(60, offset=5000), **changes)

    def test_all_training_images_train(self):
        parts = split(self.source(), train_fraction=0.1)
        self.assertCountEqual(parts.train.example_ids, range(1000))
        self.assertNotEqual(parts.train.example_ids.tolist()[:2], [0, 1])
        self.assertLen(
            split(self.source(), num_train_examples=1000).train, 1000
        )
        few = split(self.source(), num_train_examples=7)
        self.assertEqual(
            few.train.example_ids.tolist(),
            parts.train.example_ids[:7].tolist(),
        )

    def test_it_is_not_corrupted_but_the_training_labels_are(self):
        parts = split(self.source())
        self.assertTrue(parts.train.is_corrupted.any())
        self.assertFalse(parts.validation.is_corrupted.any())
        self.assertEqual(parts.validation.labels.tolist(), [*range(10)] * 6)
        self.assertEqual(
            parts.validation.example_ids.tolist(), [*range(5000, 5060)]
        )

    def test_training_noise_is_that_of_a_source_without_it(self):
        given = labels_by_id(split(self.source()).train)
        split_off = labels_by_id(split().train)
        self.assertEqual(split_off, {i: given[i] for i in split_off})


class StratificationTest(parameterized.TestCase):
    """Classes of 1, 2, 3, 94 and 100 images."""

    def source(self, without=()):
        ids = np.setdiff1d(np.arange(200), without)
        labels = np.repeat(np.arange(5), [1, 2, 3, 94, 100])[ids]
        images = np.zeros((len(ids), 1, 1, 1), np.uint8)
        return toy_source(
            train=image_data.ImageData(images, labels, ids),
            test=image_data.ImageData(images[:1], labels[:1], [999]),
            class_names=tuple("abcde"),
            pixel_max=1.0,
        )

    def split(self, source=None, **kwargs):
        return split(source or self.source(), np.eye(5), **kwargs)

    def counts(self, part):
        return np.bincount(part.labels, minlength=5).tolist()

    def test_classes_train_first_and_then_validate(self):
        with self.assertLogs("absl", "WARNING") as logs:
            parts = self.split()
        self.assertEqual(self.counts(parts.train), [1, 1, 2, 75, 80])
        self.assertEqual(self.counts(parts.validation), [0, 1, 1, 19, 20])
        self.assertEndsWith(
            logs.output[0],
            "Of the 5 classes, 1 without a validation image: 'a'",
        )

    def test_the_first_examples_have_all_classes(self):
        for n, expected in ((5, [1] * 5), (50, [1, 1, 1, 23, 24])):
            part = self.split(num_train_examples=n).train
            self.assertEqual(self.counts(part), expected)

    def test_images_stay_in_their_part_where_others_vanish(self):
        parts = self.split()
        before = set(parts.train.example_ids.tolist())
        for gone in parts.train.example_ids[5:25].tolist():
            after = self.split(self.source([gone])).validation.example_ids
            self.assertEmpty(before & set(after.tolist()))

    def test_seeds_give_other_parts(self):
        first, second = self.split(), self.split(split_seed=1)
        self.assertNotEqual(
            set(first.validation.example_ids),
            set(second.validation.example_ids),
        )
        self.assertEqual(self.counts(first.train), self.counts(second.train))

    def test_the_split_of_the_papers_is_a_permutation(self):
        parts = self.split(stratify=False)
        order = np.random.default_rng(0).permutation(200)
        np.testing.assert_array_equal(parts.train.example_ids, order[:160])
        np.testing.assert_array_equal(parts.validation.example_ids, order[160:])


class GivenLabelsTest(parameterized.TestCase):
    def source(self, **changes):
        return toy_source(train=with_given_labels(toy_data(1000)), **changes)

    def test_they_are_the_labels_and_the_truth_is_known(self):
        parts = split(self.source(), IDENTITY)
        for part in (parts.train, parts.validation):
            ids = part.example_ids
            np.testing.assert_array_equal(part.clean_labels, ids % 10)
            np.testing.assert_array_equal(part.is_corrupted, ids % 3 == 0)
            np.testing.assert_array_equal(
                part.labels, (ids + (ids % 3 == 0)) % 10
            )
        self.assertFalse(parts.test.is_corrupted.any())

    def test_validation_can_be_clean(self):
        parts = split(self.source(), IDENTITY, clean_validation=True)
        self.assertTrue(parts.train.is_corrupted.any())
        self.assertFalse(parts.validation.is_corrupted.any())

    def test_a_given_validation_part_keeps_its_own(self):
        validation = with_given_labels(toy_data(60, offset=5000))
        parts = split(toy_source(validation=validation), IDENTITY)
        np.testing.assert_array_equal(
            parts.validation.labels, validation.given_labels
        )
        self.assertFalse(parts.train.is_corrupted.any())

    def test_noise_on_top_is_refused(self):
        message = "^`transition_matrix`.*identity.*train.given_labels$"
        with self.assertRaisesRegex(ValueError, message):
            split(self.source(), HALF)
        validation = with_given_labels(toy_data(60, offset=5000))
        with self.assertRaisesRegex(ValueError, "validation.given_labels"):
            split(toy_source(validation=validation), HALF)


class UnknownTruthTest(parameterized.TestCase):
    def source(self, **changes):
        return toy_source(labels_are_clean=False, **changes)

    @parameterized.parameters(True, False)
    def test_truth_stays_unknown(self, has_validation):
        validation = toy_data(60, offset=5000) if has_validation else None
        parts = split(self.source(validation=validation), IDENTITY)
        for part in (parts.train, parts.validation, parts.test):
            self.assertIsNone(part.clean_labels)
            self.assertIsNone(part.is_corrupted)
            np.testing.assert_array_equal(part.labels, part.example_ids % 10)

    def test_under_noise_the_given_labels_count_as_the_truth(self):
        parts, expected = split(self.source()), split()
        for name in ("train", "validation"):
            part = getattr(parts, name)
            for field in ("labels", "clean_labels", "is_corrupted"):
                np.testing.assert_array_equal(
                    getattr(part, field),
                    getattr(getattr(expected, name), field),
                )
        self.assertIsNone(parts.test.clean_labels)

    def test_clean_validation_cannot_be_had(self):
        message = "^`clean_validation`.*not known.*toy$"
        with self.assertRaisesRegex(ValueError, message):
            split(self.source(), IDENTITY, clean_validation=True)


def labels_file(ids, labels, weights=None):
    return GivenLabels(
        "labels.csv",
        {str(i): row for row, i in enumerate(ids)},
        np.asarray(labels),
        None if weights is None else np.asarray(weights, np.float32),
    )


class LabelsFileTest(parameterized.TestCase):
    """Every label is moved on by one, unless a test says otherwise."""

    def source(self, ids=range(1000), is_dropped=None, weights=None, **changes):
        ids = np.asarray(ids)
        labels = (ids + 1) % 10
        if is_dropped is not None:
            labels = np.where(is_dropped(ids), -1, labels)
        return toy_source(
            labels_file=labels_file(ids, labels, weights), **changes
        )

    def test_its_labels_are_the_noise_where_the_truth_is_known(self):
        parts, without = split(self.source(), IDENTITY), split(matrix=IDENTITY)
        for name in ("train", "validation"):
            part, expected = getattr(parts, name), getattr(without, name)
            np.testing.assert_array_equal(part.images, expected.images)
            np.testing.assert_array_equal(part.clean_labels, expected.labels)
            np.testing.assert_array_equal(
                part.labels, (expected.labels + 1) % 10
            )
            self.assertTrue(part.is_corrupted.all())
        self.assertFalse(parts.test.is_corrupted.any())

    def test_the_split_does_not_depend_on_what_is_dropped(self):
        dropped = self.source(is_dropped=lambda ids: ids % 3 == 0)
        parts, whole = split(dropped, IDENTITY), split(self.source(), IDENTITY)
        for name in ("train", "validation"):
            part, expected = getattr(parts, name), getattr(whole, name)
            kept = expected.example_ids % 3 != 0
            for field in ("images", "labels", "clean_labels", "example_ids"):
                np.testing.assert_array_equal(
                    getattr(part, field), getattr(expected, field)[kept]
                )

    def test_only_examples_that_are_used_must_be_in_it(self):
        few = split(matrix=IDENTITY, num_train_examples=7)
        used = [*few.train.example_ids, *few.validation.example_ids]
        parts = split(self.source(used), IDENTITY, num_train_examples=7)
        np.testing.assert_array_equal(
            parts.train.example_ids, few.train.example_ids
        )
        message = "^`path`.*every example that is used.*without 1 of 208"
        with self.assertRaisesRegex(ValueError, message):
            split(self.source(used), IDENTITY, num_train_examples=8)

    def test_ids_that_no_example_has_are_refused(self):
        message = "^`path`.*1000 ids.*'1050', '1051', '1052' and 947 more$"
        message = message.replace("1000 ids", "950 ids")
        with self.assertRaisesRegex(ValueError, message):
            split(self.source(range(2000)), IDENTITY)

    def test_ids_of_examples_that_are_not_used_are_not(self):
        parts = split(self.source(), IDENTITY, num_train_examples=700)
        self.assertEqual(parts.left_out, {"beyond num_train_examples": 100})
        split(
            self.source(
                range(1060),
                left_out={"unreadable": list(map(str, range(1050, 1060)))},
            ),
            IDENTITY,
        )

    def held_out(self, **changes):
        return self.source(
            range(1050),
            labels_are_clean=False,
            test_is_held_out=True,
            test_labels_are_checked=False,
            **changes,
        )

    def test_a_held_out_test_part_takes_its_labels(self):
        parts = split(
            self.held_out(is_dropped=lambda ids: ids % 7 == 0), IDENTITY
        )
        ids = parts.test.example_ids
        self.assertEqual(ids.tolist(), [i for i in range(1000, 1050) if i % 7])
        np.testing.assert_array_equal(parts.test.labels, (ids + 1) % 10)
        self.assertIsNone(parts.test.clean_labels)
        self.assertEqual(parts.left_out, {"without a label": 150})

    def test_held_out_images_that_it_does_not_name_keep_their_labels(self):
        source = dataclasses.replace(
            self.held_out(), labels_file=self.source(range(1010)).labels_file
        )
        part = split(source, IDENTITY).test
        is_named = part.example_ids < 1010
        np.testing.assert_array_equal(
            part.labels, (part.example_ids + is_named) % 10
        )

    def test_a_test_part_that_the_data_has_of_itself_keeps_its_labels(self):
        with self.assertLogs("absl", "WARNING") as logs:
            part = split(self.source(range(1050)), IDENTITY).test
        np.testing.assert_array_equal(part.labels, part.example_ids % 10)
        self.assertIn("50 labels of the test part", logs.output[0])

    def test_weights_stay_with_their_examples(self):
        source = self.source(
            is_dropped=lambda ids: ids % 2 == 0, weights=np.arange(1000)
        )
        parts = split(source, IDENTITY)
        for part in (parts.train, parts.validation):
            np.testing.assert_array_equal(part.sample_weight, part.example_ids)
        self.assertIsNone(parts.test.sample_weight)
        self.assertIsNone(split().train.sample_weight)

    def test_weights_of_the_source_are_kept_without_a_file(self):
        train = dataclasses.replace(
            toy_data(1000), sample_weight=np.arange(1000)
        )
        part = split(toy_source(train=train)).train
        np.testing.assert_array_equal(part.sample_weight, part.example_ids)

    def test_its_labels_replace_those_whose_truth_is_unknown(self):
        source = self.source(labels_are_clean=False)
        for part in (
            split(source, IDENTITY).train,
            split(source, IDENTITY).validation,
        ):
            np.testing.assert_array_equal(
                part.labels, (part.example_ids + 1) % 10
            )
            self.assertIsNone(part.clean_labels)

    def test_noise_on_top_counts_labels_of_unknown_truth_as_true(self):
        train = split(self.source(labels_are_clean=False), HALF).train
        np.testing.assert_array_equal(
            train.clean_labels, (train.example_ids + 1) % 10
        )
        self.assertBetween(train.is_corrupted.mean(), 0.4, 0.6)

    def test_noise_on_top_of_known_truth_is_refused(self):
        message = "^`transition_matrix`.*identity.*toy with labels.csv$"
        with self.assertRaisesRegex(ValueError, message):
            split(self.source(), HALF)

    def test_validation_labels_can_be_true(self):
        parts = split(self.source(), IDENTITY, clean_validation=True)
        self.assertTrue(parts.train.is_corrupted.all())
        self.assertFalse(parts.validation.is_corrupted.any())

    def test_a_given_validation_part_keeps_its_own(self):
        validation = toy_data(60, offset=5000)
        parts = split(self.source(validation=validation), IDENTITY)
        self.assertTrue(parts.train.is_corrupted.all())
        self.assertFalse(parts.validation.is_corrupted.any())
        self.assertLen(parts.train, 1000)

    @parameterized.parameters("train", "validation")
    def test_a_part_without_labels_is_refused(self, name):
        ids = getattr(split(matrix=IDENTITY), name).example_ids
        source = self.source(is_dropped=lambda every: np.isin(every, ids))
        words = {"train": "training"}.get(name, name)
        message = f"^`path`.*at least one label to the {words} part.*labels.csv"
        with self.assertRaisesRegex(ValueError, message):
            split(source, IDENTITY)

    def test_classes_that_the_source_does_not_have_are_refused(self):
        with self.assertRaisesRegex(
            ValueError, "`labels_file`.*10 classes.*12"
        ):
            toy_source(labels_file=labels_file([0, 1], [3, 12]))


if __name__ == "__main__":
    absltest.main()
