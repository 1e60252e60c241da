"""The commands as console scripts: `limit-train` and so on, see `setup.cfg`.

`limit-NAME` does what `python -m limit_tf.cli.NAME` does, with underscores for
hyphens in the name.
"""

import runpy


def _script(name):
    def run():
        # As the main module, whose text and flags --help shows.
        runpy.run_module(
            f"limit_tf.cli.{name}", run_name="__main__", alter_sys=True
        )

    return run


benchmark = _script("benchmark")
benchmark_stream = _script("benchmark_stream")
compare = _script("compare")
data_service = _script("data_service")
export = _script("export")
find_label_issues = _script("find_label_issues")
predict = _script("predict")
relabel = _script("relabel")
train = _script("train")
tune = _script("tune")
