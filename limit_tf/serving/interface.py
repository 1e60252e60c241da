"""What clients of a served model rely on, and whether a version keeps it."""

import json
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from limit_tf.serving import model_card
from limit_tf.serving import versions

_SHOWN_NAMES = 4


def check_interface(
    folder: pathlib.Path,
    *,
    class_names: Sequence[str],
    input_shape: Sequence[int],
    signatures: Sequence[str] | Mapping[str, Any],
    argument: str = "output",
) -> None:
    """Refuses a version that clients of the newest one would not expect.

    Args:
        folder: Folder of a model's versions.
        class_names: Names of the classes that the new version has.
        input_shape: Shape of one example.
        signatures: Names of its signatures; or descriptions of them, as the
            model card has them, by name.
        argument: What the user gave the folder by.

    Raises:
        ValueError: If the newest version has others, or does not say what it
            has.
    """
    newest = versions.newest(folder)
    if newest is None:
        return
    card = _card(newest)
    if card is None:
        different = [f"there is no {model_card.FILE} to compare with"]
    else:
        different = list(
            _differences(card, class_names, input_shape, signatures)
        )
    if different:
        raise ValueError(
            f"`{argument}` must hold versions with the same classes, input and "
            "signatures, unless limit-export is told --replace_interface. "
            f"Received: {argument}={folder}, of whose version {newest.name} "
            + "; ".join(different)
        )


def _card(version):
    try:
        text = (version / model_card.FILE).read_text(encoding="utf-8")
        card = json.loads(text)
        card["class_names"], card["input"]["shape"], card["signatures"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return card


def _differences(card, class_names, input_shape, signatures):
    before, after = card["class_names"], list(map(str, class_names))
    if before != after:
        yield f"the classes are {_names(before)}, here {_names(after)}"
    before, after = card["input"]["shape"], list(input_shape)
    if before != after:
        yield f"the input is {_shape(before)}, here {_shape(after)}"
    before, after = card["signatures"], signatures
    if sorted(before) != sorted(after):
        yield (
            f"the signatures are {', '.join(sorted(before))}, here "
            f"{', '.join(sorted(after))}"
        )
    elif isinstance(after, Mapping):
        for name in sorted(after):
            if before[name] != after[name]:
                yield f"the tensors of the signature {name} are others"


def _names(names):
    shown = ", ".join(names[:_SHOWN_NAMES])
    if len(names) > _SHOWN_NAMES:
        shown += f" and {len(names) - _SHOWN_NAMES} more"
    return shown


def _shape(shape):
    return " x ".join(map(str, shape))
