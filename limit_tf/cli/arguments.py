"""Flags of the commands that train."""

from absl import flags
from ml_collections import config_flags

CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Configuration to run, for example configs/digits.py. Single values are "
    "set by --config.KEY=VALUE.",
    lock_config=True,
)
WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder of the run: new, empty, or of the same configuration, which then "
    "goes on where it was.",
)
flags.mark_flags_as_required(["config", "workdir"])
