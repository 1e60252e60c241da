"""What an exported model takes and gives."""

import dataclasses
from collections.abc import Mapping

IMAGES = "images"  # input of ARRAY_SIGNATURE
IMAGE_BYTES = "image_bytes"  # input of BYTES_SIGNATURE
ARRAY_SIGNATURE = "serving_default"
BYTES_SIGNATURE = "serving_bytes"
PROBABILITIES = "probabilities"
CLASS_IDS = "class_ids"
CLASS_NAMES = "class_names"
OUTPUTS = (PROBABILITIES, CLASS_IDS, CLASS_NAMES)

Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class Signature:
    """Names and shapes of a signature's tensors.

    Args:
        inputs: Shapes by name. A shape has None where a size is free, and is
            None itself where even the rank is.
        outputs: The same of the outputs.
    """

    inputs: Mapping[str, Shape | None]
    outputs: Mapping[str, Shape | None]


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """What an exported model takes and gives.

    Args:
        image_shape: Shape of one image as an array, with None where a size is
            free; None if nothing is known of it.
        takes_files: Whether it also takes encoded images.
        num_classes: Number of classes `K`; None if that is not known.
    """

    image_shape: Shape | None
    takes_files: bool
    num_classes: int | None

    @classmethod
    def of(cls, signatures: Mapping[str, Signature], where: str) -> "ModelSpec":
        """Reads the signatures of a model.

        Args:
            signatures: All of them, by name.
            where: Where the model is, for error messages.

        Returns:
            The specification.

        Raises:
            ValueError: If the model is none of those that this library
                exports.
        """
        signature = signatures.get(ARRAY_SIGNATURE, Signature({}, {}))
        if list(signature.inputs) != [IMAGES] or not set(OUTPUTS) <= set(
            signature.outputs
        ):
            raise ValueError(
                f"The model must be one of `limit_tf.cli.export`: a signature "
                f"{ARRAY_SIGNATURE!r} from {IMAGES} to {', '.join(OUTPUTS)}. "
                f"Received: {where} with {_named(signatures)}"
            )
        images = signature.inputs[IMAGES]
        probabilities = signature.outputs[PROBABILITIES]
        return cls(
            image_shape=images[1:] if images else None,
            takes_files=BYTES_SIGNATURE in signatures,
            num_classes=probabilities[-1] if probabilities else None,
        )


def _named(signatures):
    """Returns the signatures in words."""
    return (
        "; ".join(
            f"{name!r} from {', '.join(signature.inputs)} to "
            f"{', '.join(signature.outputs)}"
            for name, signature in sorted(signatures.items())
        )
        or "no signatures"
    )
