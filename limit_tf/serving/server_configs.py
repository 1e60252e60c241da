"""The files that `tensorflow_model_server` is started with."""

import os
import pathlib
import re

from absl import logging

from limit_tf import atomic_files

MODELS, BATCHING, MONITORING = (
    "models.config",
    "batching.config",
    "monitoring.config",
)
# Batches are padded to one of these sizes: a function that is compiled by XLA
# is compiled once for each.
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
# Where the image tensorflow/serving is given the folder of all models.
MODELS_ROOT = "/models"

_NEW_MODELS = """\
# tensorflow_model_server --model_config_file=/models/models.config
# Base paths are those inside the container. Once it is written, models are
# added to this file and nothing else in it is changed.
model_config_list {
}
"""
_ENTRY = """\
  config {{
    name: "{name}"
    base_path: "{base_path}"
    model_platform: "tensorflow"
  }}
"""
_NEW_BATCHING = f"""\
# tensorflow_model_server --enable_batching \\
#     --batching_parameters_file=/models/batching.config
# Written once; change it as you like. The last of the allowed sizes must be
# the largest batch.
max_batch_size {{ value: {BATCH_SIZES[-1]} }}
batch_timeout_micros {{ value: 1000 }}
max_enqueued_batches {{ value: 1000 }}
num_batch_threads {{ value: 4 }}
""" + "".join(f"allowed_batch_sizes: {size}\n" for size in BATCH_SIZES)
_NEW_MONITORING = """\
# tensorflow_model_server --rest_api_port=8501 \\
#     --monitoring_config_file=/models/monitoring.config
# Written once; change it as you like.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""
# What is left out of a search for braces and names.
_COMMENT_OR_STRING = re.compile(
    r"""\#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
)
_LIST = re.compile(r"\bmodel_config_list\s*:?\s*(\{)")
_NAME = re.compile(r"""\bname\s*:\s*["']([^"'\n]*)["']""")


def write_server_configs(folder: pathlib.Path, name: str) -> None:
    """Writes the files that are missing, and adds the model to the list.

    What is in the files stays as it is: they may have been edited.

    Args:
        folder: Folder that holds the folders of the models.
        name: Name of the model, and of its folder.
    """
    for file, text in (
        (BATCHING, _NEW_BATCHING),
        (MONITORING, _NEW_MONITORING),
    ):
        if not (folder / file).exists():
            atomic_files.write_text(folder / file, text)
    path = folder / MODELS
    old = path.read_text(encoding="utf-8") if path.exists() else None
    try:
        new = with_model(_NEW_MODELS if old is None else old, name)
    except ValueError as error:
        logging.warning("%s is left as it is: %s", path, error)
        return
    if new == old:
        return
    if old is None:
        atomic_files.write_text(path, new)
        return
    mode = path.stat().st_mode
    with atomic_files.replacing(path) as temporary:
        temporary.write_text(new, encoding="utf-8")
        os.chmod(temporary, mode & 0o777)


def with_model(text: str, name: str) -> str:
    """Adds a model to the text of a `models.config`.

    Args:
        text: The text, a `tensorflow.serving.ModelServerConfig`.
        name: Name of the model.

    Returns:
        The text with an entry for the model; as it was if it has one.

    Raises:
        ValueError: If the text has no list of models, or is not understood.
    """
    comments_blank = _COMMENT_OR_STRING.sub(_blank_comment, text)
    if name in _NAME.findall(comments_blank):
        return text
    code = _COMMENT_OR_STRING.sub(_blank, text)
    found = _LIST.search(code)
    if found is None:
        raise ValueError("it has no model_config_list")
    end = _closing_brace(code, found.start(1))
    start = text.rfind("\n", 0, end) + 1
    entry = _ENTRY.format(name=name, base_path=f"{MODELS_ROOT}/{name}")
    if code[start:end].strip():  # The brace does not begin its line.
        return f"{text[:end]}\n{entry}{text[end:]}"
    return text[:start] + entry + text[start:]


def _blank(match):
    return " " * len(match.group())


def _blank_comment(match):
    return _blank(match) if match.group()[0] == "#" else match.group()


def _closing_brace(code, start):
    depth = 0
    for position in range(start, len(code)):
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        if depth == 0:
            return position
    raise ValueError("its braces do not match")
