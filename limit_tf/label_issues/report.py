"""A page on which people look at suspicious labels and decide on them."""

import base64
import hashlib
import html
import importlib.resources
import json
import os
import pathlib
import string
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from limit_tf import atomic_files
from limit_tf.label_issues import report_data
from limit_tf.label_issues.issues import LabelIssues
from limit_tf.label_issues.noise_estimate import NoiseEstimate
from limit_tf.label_issues.thumbnails import Thumbnails
from limit_tf.label_issues.thumbnails import thumbnails

_TEXT_LENGTH = 500
_TABLE_COLUMNS = 8


def write_report(
    path: str | os.PathLike,
    issues: LabelIssues,
    noise: NoiseEstimate | None = None,
    *,
    title: str,
    images: np.ndarray | Callable[[np.ndarray], np.ndarray] | None = None,
    texts: Sequence[str] | None = None,
    facts: Mapping[str, str] | None = None,
    max_rows: int = 100_000,
    max_images: int = 2_000,
) -> None:
    """Writes one HTML file that needs no other one and no network.

    The page shows what is known of the noise and lists the labels, the most
    suspicious first, with what else is known of the examples. Who reads it
    accepts suggestions or rejects them, and exports the decisions as a CSV
    file with the columns `id`, `decision` and `label`.

    Args:
        path: File to write. The old one stays whole until the new one is.
        issues: All labels of the data, the most suspicious first.
        noise: What is estimated of the noise; None shows the counts of issues
            instead.
        title: Title of the page.
        images: What the labels are of. Images, uint8, `(n, height, width,
            channels)` with 1, 3 or 4 channels, or a function that returns
            those at positions `(m,)`; or the rows of a table, numbers,
            `(n, columns)`, whose first values are shown.
        texts: A text for every position, of which the beginning is shown.
        facts: Lines for the head of the page by their names.
        max_rows: Number of labels to list. The figures are of all of them.
        max_images: Number of labels, from the most suspicious one on, whose
            images are put into the page.

    Raises:
        ValueError: If an argument does not fit the others.
    """
    path = pathlib.Path(path)
    _check(path, issues, noise, images, texts, max_rows, max_images)
    listed = issues.take(slice(max_rows))
    sheets = _sheets(images, listed.positions[:max_images])
    data = {
        "title": title,
        "facts": [[str(k), str(v)] for k, v in (facts or {}).items()],
        **report_data.summary(issues, noise),
        **report_data.columns(listed),
        "texts": _texts(images, texts, listed.positions),
        "tiles": sheets and _tiles(sheets),
    }
    page = _page(title, data, sheets.sheets if sheets else ())
    atomic_files.write_text(path, page)


def _check(path, issues, noise, images, texts, max_rows, max_images):
    if not path.parent.is_dir():
        raise ValueError(
            f"`path` must lie in a folder that exists. Received: path={path}"
        )
    if max_rows < 1:
        raise ValueError(
            f"`max_rows` must be at least 1. Received: max_rows={max_rows}"
        )
    if max_images < 0:
        raise ValueError(
            f"`max_images` must not be negative. Received: "
            f"max_images={max_images}"
        )
    num_classes = len(issues.class_names)
    if noise is not None and len(noise.transition_matrix) != num_classes:
        raise ValueError(
            f"`noise` must be of the {num_classes} classes of `issues`. "
            f"Received: {len(noise.transition_matrix)} classes"
        )
    num_needed = int(issues.positions.max()) + 1 if len(issues) else 0
    if images is not None and not callable(images):
        _check_images(images, num_needed)
    if texts is not None and len(texts) < num_needed:
        raise ValueError(
            f"`texts` must have an entry for every position, at least "
            f"{num_needed}. Received: {len(texts)}"
        )


def _check_images(images, num_needed):
    shape, dtype = np.shape(images), np.asarray(images[:0]).dtype
    are_images = len(shape) == 4 and shape[3] in (1, 3, 4) and dtype == np.uint8
    are_rows = len(shape) == 2 and dtype.kind in "biuf"
    if not (are_images or are_rows):
        raise ValueError(
            "`images` must be uint8 of shape (n, height, width, 1, 3 or 4) or "
            f"a table of numbers (n, columns). Received: {dtype} of shape "
            f"{shape}"
        )
    if len(images) < num_needed:
        raise ValueError(
            f"`images` must have an entry for every position, at least "
            f"{num_needed}. Received: {len(images)}"
        )


def _sheets(images, positions) -> Thumbnails | None:
    """The images at the positions, None where there are none."""
    if images is None or not len(positions):
        return None
    if callable(images):
        return thumbnails(images, positions)
    if np.ndim(images) == 2:
        return None
    return thumbnails(lambda chunk: images[chunk], positions)


def _tiles(sheets: Thumbnails) -> dict:
    """What the page's script has to know of the sheets."""
    return {
        "count": sheets.num_images,
        "width": sheets.width,
        "height": sheets.height,
        "columnStep": sheets.column_step,
        "rowStep": sheets.row_step,
        "columns": sheets.columns,
        "perSheet": sheets.images_per_sheet,
        "pixelated": sheets.pixelated,
    }


def _texts(images, texts, positions):
    """A text a row, None where there is none."""
    if texts is not None:
        return [
            _beginning(report_data.text(texts[i])) for i in positions.tolist()
        ]
    if images is None or callable(images) or np.ndim(images) != 2:
        return None
    rows = np.asarray(images)[positions, :_TABLE_COLUMNS].tolist()
    more = np.shape(images)[1] - _TABLE_COLUMNS
    end = f", … and {more} more" if more > 0 else ""
    return [", ".join(f"{value:.4g}" for value in row) + end for row in rows]


def _beginning(text):
    if len(text) <= _TEXT_LENGTH:
        return text
    return text[: _TEXT_LENGTH - 1].rstrip() + "…"


def _page(title, data, sheets):
    """The whole file: scripts and styles other than these two do not run."""
    style, script = _part("report_page.css"), _part("report_page.js")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'"
    )
    return string.Template(_part("report_page.html")).substitute(
        policy=policy,
        title=html.escape(title),
        style=style,
        script=script,
        data=_json(data),
        sheets="\n".join(
            f'<script type="text/plain" id="sheet-{i}">{sheet}</script>'
            for i, sheet in enumerate(sheets)
        ),
    )


def _part(name):
    folder = importlib.resources.files("limit_tf.label_issues")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _hash(text):
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _json(value):
    """ASCII in which nothing can end the element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
