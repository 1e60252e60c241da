"""What a source of images leaves out without reading it."""

import dataclasses
from collections.abc import Mapping

from limit_tf import image_listing

# So many names are shown of each kind.
_NUM_NAMES = 3


@dataclasses.dataclass(frozen=True)
class Skipped:
    """What was found beside the images, or is odd about them.

    Args:
        files: How many files are none that TensorFlow decodes, by suffix.
        loose_files: Number of files that lie beside the folders of classes.
        folders: Folders that belong to no part.
        classes_without_images: Folders in the place of classes that hold no
            image, and so are none.
        linked_folders: Folders that are links; their images are used.
        loops: Links to folders that are read already; they are not followed.
        similar_classes: Names of classes that differ in capitals or in the
            form of their characters alone; they stay apart.
        same_names: Number of images whose names differ in the suffix alone.
    """

    files: Mapping[str, int] = dataclasses.field(default_factory=dict)
    loose_files: int = 0
    folders: tuple[str, ...] = ()
    classes_without_images: tuple[str, ...] = ()
    linked_folders: tuple[str, ...] = ()
    loops: tuple[str, ...] = ()
    similar_classes: tuple[str, ...] = ()
    same_names: int = 0

    def to_dict(self) -> dict[str, object]:
        """Returns what there is of it, as JSON has it."""
        values = dataclasses.asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value
        }

    def in_words(self) -> str:
        """Returns all of it in one line; empty if there is nothing."""
        num_files = sum(self.files.values())
        counts = image_listing.in_words(self.files)
        parts = (
            num_files and f"{num_files:,} files of other kinds ({counts})",
            self.loose_files
            and f"{self.loose_files:,} files beside the folders of classes",
            _named("folders outside of the parts", self.folders),
            _named("classes without images", self.classes_without_images),
            _named("links back to folders that are read", self.loops),
        )
        notes = (
            _named("linked folders are followed", self.linked_folders),
            _named("classes have similar names", self.similar_classes),
            self.same_names
            and f"{self.same_names:,} images differ in the suffix alone from "
            "another one",
        )
        left_out = "; ".join(part for part in parts if part)
        texts = [left_out and f"left out: {left_out}", *notes]
        return "; ".join(text for text in texts if text)


def _named(what, names):
    if not names:
        return ""
    shown = ", ".join(names[:_NUM_NAMES])
    more = ", ..." if len(names) > _NUM_NAMES else ""
    return f"{len(names)} {what} ({shown}{more})"
