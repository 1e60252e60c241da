"""Wrong uses of every command: one line that names the flag, nothing left."""

import json
import pathlib
import re
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest

from tests import forked_commands
from tests import testing

_CONFIG = f"--config={forked_commands.ROOT}/configs/digits.py"
_ROOMS = ("limit_tf.experiments", "limit_tf.serving.export")
_TRAINING = [_CONFIG, "--config.net.mlp.hidden_units=16"]


def _photos(name="photos", *changes):
    return [
        "--config.data.name=folder",
        f"--config.data.data_dir=ROOT/{name}",
        "--config.data.image_size=8",
        "--config.noise.kind=none",
        "--config.noise.rate=0",
        *changes,
    ]


# What is typed after the command's usual flags; the key that the line names.
_OF_CONFIGURATIONS = (
    (["--config.training.epochs=0"], "config.training.epochs"),
    (["--config.training.epochs=-3"], "config.training.epochs"),
    (["--config.training.batch_size=0"], "config.training.batch_size"),
    (["--config.training.patience=0"], "config.training.patience"),
    (["--config.training.test_every=0"], "config.training.test_every"),
    (["--config.training.learning_rate=nan"], "config.training.learning_rate"),
    (["--config.training.learning_rate=-1"], "config.training.learning_rate"),
    (["--config.training.momentum=1"], "config.training.momentum"),
    (["--config.training.optimizer=adamw"], "config.training.optimizer"),
    (["--config.training.precision=int8"], "config.training.precision"),
    (["--config.training.xla=maybe"], "config.training.xla"),
    (
        ["--config.training.schedule.kind=cosine"],
        "config.training.schedule.kind",
    ),
    (
        ["--config.training.schedule.drop_epochs=(3,2)"],
        "config.training.schedule.drop_epochs",
    ),
    (["--config.method=limitt"], "config.method"),
    (["--config.name="], "config.name"),
    (["--config.name=a/b"], "config.name"),
    (["--config.seed=-1"], "config.seed"),
    (["--config.noise.seed=-1"], "config.noise.seed"),
    (["--config.noise.kind=asymmetric"], "config.noise.kind"),
    (["--config.noise.kind=none"], "config.noise.rate"),
    (["--config.noise.rate=1.5"], "config.noise.rate"),
    (["--config.noise.rate=nan"], "config.noise.rate"),
    (
        ["--config.noise.transition_matrix=((1,0),(0,1))"],
        "config.noise.transition_matrix",
    ),
    (
        [
            "--config.noise.kind=matrix",
            "--config.noise.rate=0",
            "--config.noise.transition_matrix=((1,0),(0,1))",
        ],
        "config.noise.transition_matrix",
    ),
    (["--config.data.train_fraction=1"], "config.data.train_fraction"),
    (["--config.data.train_fraction=0.0001"], "config.data.train_fraction"),
    (["--config.data.num_train_examples=0"], "config.data.num_train_examples"),
    (
        ["--config.data.num_train_examples=99999"],
        "config.data.num_train_examples",
    ),
    (["--config.data.augmentation=flip"], "config.data.augmentation"),
    (["--config.data.train_size=9"], "config.data.train_size"),
    (
        [
            "--config.data.augmentation=crop_flip",
            "--config.data.image_size=8",
            "--config.data.train_size=4",
        ],
        "config.data.train_size",
    ),
    (["--config.data.image_size=9"], "config.data.image_size"),
    (["--config.data.data_dir=x"], "config.data.data_dir"),
    (["--config.data.labels_file=no.csv"], "config.data.labels_file"),
    (["--config.data.labels_file=ROOT/labels.csv"], "config.noise.kind"),
    (["--config.data.label_key=x"], "config.data.label_key"),
    (["--config.data.service=here"], "config.training.deterministic"),
    (
        [
            "--config.training.deterministic=False",
            "--config.data.service=here",
        ],
        "config.data.service",
    ),
    (
        ["--config.data.options.test_fraction=2"],
        "config.data.options.test_fraction",
    ),
    (
        ["--config.data.options.num_channels=3"],
        "config.data.options.num_channels",
    ),
    (["--config.net.name=cnn"], "config.net.name"),
    (["--config.net.name=no_such:net"], "config.net.name"),
    (["--config.net.mlp.hidden_units=0"], "config.net.mlp.hidden_units"),
    (["--config.net.mlp.dropout_rate=1"], "config.net.mlp.dropout_rate"),
    (["--config.net.initializer=ones"], "config.net.initializer"),
    (["--config.limit.q_dist=cauchy"], "config.limit.q_dist"),
    (["--config.limit.q_scale=0.1"], "config.limit.q_scale"),
    (["--config.limit.sample_gradients=True"], "config.limit.q_scale"),
    (["--config.limit.gradient_penalty=-1"], "config.limit.gradient_penalty"),
    (["--config.limit.warmup_steps=9000"], "config.limit.warmup_steps"),
    (["--config.gce.q=2"], "config.gce.q"),
    (["--config.init_from=ROOT/photos"], "config.init_from"),
    (["--config.export_dir=ROOT/labels.csv"], "config.export_dir"),
    (_photos("nowhere"), "config.data.data_dir"),
    (
        _photos("photos", "--config.data.options.num_channels=2"),
        "config.data.options.num_channels",
    ),
    (
        _photos("photos", "--config.data.options.max_unreadable=2"),
        "config.data.options.max_unreadable",
    ),
    (
        _photos("broken", "--config.data.options.max_unreadable=0.1"),
        "config.data.options.max_unreadable",
    ),
    (
        _photos("photos", "--config.data.clean_validation=True"),
        "config.data.clean_validation",
    ),
    (_photos("one_class"), "config.data.name"),
)
_OF_COMMANDS = (
    ("train", [*_TRAINING, "--workdir=ROOT/labels.csv"], "--workdir"),
    ("train", [*_TRAINING, "--workdir=ROOT/photos"], "--workdir"),
    ("train", [*_TRAINING, "--workdir=ROOT/issues"], "--workdir"),
    ("train", [*_TRAINING, "--workdir=ROOT/comparison"], "--workdir"),
    ("train", [*_TRAINING, "--workdir=ROOT/n", "--row=x"], "--row"),
    ("compare", [*_TRAINING, "--workdir=ROOT/run"], "--workdir"),
    ("compare", [*_TRAINING, "--workdir=ROOT/photos"], "--workdir"),
    ("compare", [*_TRAINING, "--workdir=ROOT/n", "--methods="], "--methods"),
    ("compare", [*_TRAINING, "--workdir=ROOT/n", "--methods=x"], "--methods"),
    ("compare", [*_TRAINING, "--workdir=ROOT/n", "--methods=dmi"], "--methods"),
    (
        "compare",
        [*_TRAINING, "--workdir=ROOT/n/m", "--config.limit.q_scale=1"],
        "config.limit.q_scale",
    ),
    ("tune", [*_TRAINING, "--workdir=ROOT/run"], "--workdir"),
    ("tune", [*_TRAINING, "--workdir=ROOT/n", "--tuner=x"], "--tuner"),
    ("tune", [*_TRAINING, "--workdir=ROOT/n", "--seed=-1"], "--seed"),
    (
        "tune",
        [*_TRAINING, "--workdir=ROOT/n", "--max_trials=0"],
        "--max_trials",
    ),
    (
        "tune",
        [*_TRAINING, "--workdir=ROOT/n", "--budget_minutes=0"],
        "--budget_minutes",
    ),
    (
        "tune",
        [*_TRAINING, "--workdir=ROOT/n", "--config.limit.q_dist=x"],
        "config.limit.q_dist",
    ),
    ("export", ["--workdir=ROOT/photos"], "--workdir"),
    ("export", ["--workdir=ROOT/nowhere"], "--workdir"),
    ("export", ["--workdir=ROOT/run", "--output=ROOT/run"], "--output"),
    ("export", ["--workdir=ROOT/run", "--output=ROOT/n m"], "--output"),
    ("export", ["--workdir=ROOT/run", "--format=onnx"], "--format"),
    ("export", ["--workdir=ROOT/run", "--precision=int8"], "--precision"),
    ("export", ["--workdir=ROOT/run", "--keep=0"], "--keep"),
    ("export", ["--workdir=ROOT/run", "--version=0"], "--version"),
    ("export", ["--workdir=ROOT/run", "--warmup=yes"], "--warmup"),
    ("find_label_issues", ["--workdir=ROOT/n", "--output=ROOT/o"], "--workdir"),
    (
        "find_label_issues",
        ["--workdir=ROOT/run", "--output=ROOT/run"],
        "--output",
    ),
    *(
        (
            "find_label_issues",
            ["--workdir=ROOT/run", "--output=ROOT/o", f"--{flag}={value}"],
            f"--{flag}",
        )
        for flag, value in (
            ("format", "xls"),
            ("split", "all"),
            ("threshold", "2"),
            ("fraction", "-1"),
            ("rank_by", "loss"),
            ("report_rows", "0"),
            ("report_images", "-1"),
        )
    ),
    ("relabel", ["--issues=no.csv", "--output=ROOT/l.csv"], "--issues"),
    (
        "relabel",
        ["--issues=ROOT/labels.csv", "--output=ROOT/l.csv"],
        "--issues",
    ),
    ("relabel", ["--issues=x", "--output=ROOT/labels.csv"], "--output"),
    (
        "relabel",
        ["--issues=ROOT/labels.csv", "--output=ROOT/l", "--weight=2"],
        "--weight",
    ),
    *(
        (
            "relabel",
            [
                "--issues=ROOT/labels.csv",
                f"--decisions=ROOT/{file}",
                "--output=ROOT/l.csv",
            ],
            "--decisions",
        )
        for file in ("no.csv", "labels.csv")
    ),
    ("predict", ["--images=ROOT/photos"], "--model"),
    ("predict", ["--images=ROOT/photos", "--model=ROOT/run"], "--model"),
    ("predict", ["--images=ROOT/photos", "--model=no"], "--model"),
    *(
        (
            "predict",
            ["--images=ROOT/photos", "--server=here:1", f"--{flag}={value}"],
            f"--{flag}",
        )
        for flag, value in (
            ("top", "0"),
            ("batch_size", "0"),
            ("model_name", ""),
        )
    ),
    ("benchmark", ["--output=ROOT/run"], "--output"),
    ("benchmark", ["--output=ROOT/b", "--cases=x"], "--cases"),
    ("benchmark", ["--output=ROOT/b", "--peer=x"], "--peer"),
    ("benchmark", ["--output=ROOT/b", "--label_issues"], "--config"),
    (
        "benchmark_stream",
        ["--records=ROOT/run", "--output=ROOT/b"],
        "--records",
    ),
    (
        "benchmark_stream",
        ["--records=ROOT/records", "--output=ROOT/run"],
        "--output",
    ),
    (
        "benchmark_stream",
        ["--records=ROOT/r", "--output=ROOT/b", "--gigabytes=1e9"],
        "--gigabytes",
    ),
    ("data_service", ["--worker_address=x:1"], "--worker_address"),
    ("data_service", ["--dispatcher=nowhere"], "--dispatcher"),
    ("data_service", ["--port=5050", "--host="], "--host"),
)


def _cases():
    """The command, its arguments, and the key that the line names."""
    return [
        *(
            ("train", [*_TRAINING, f"--workdir=ROOT/n/{i}", *typed], key)
            for i, (typed, key) in enumerate(_OF_CONFIGURATIONS)
        ),
        *_OF_COMMANDS,
    ]


def _write_folders(root):
    """Writes what the commands are pointed at: a run, photos and so on."""
    for name, classes in (
        ("photos", ("cat", "dog")),
        ("broken", ("cat", "dog")),
        ("one_class", ("cat",)),
    ):
        for label in classes:
            folder = root / name / label
            folder.mkdir(parents=True)
            for i in range(10):
                image = np.full((8, 8, 3), 20 * i, np.uint8)
                content = tf.io.encode_png(image).numpy()
                if name == "broken" and i % 3 == 0:
                    content = content[:30]
                (folder / f"{i}.png").write_bytes(content)
    config = testing.tiny_config(root).to_dict()
    (root / "run").mkdir()
    (root / "run" / "config.json").write_text(json.dumps(config))
    (root / "run" / "results.json").write_text(json.dumps({"method": "limit"}))
    (root / "run" / "best_model.keras").write_bytes(b"")
    (root / "comparison" / "limit").mkdir(parents=True)
    (root / "comparison" / "limit" / "config.json").write_text(
        json.dumps({**config, "name": "digits_limit"})
    )
    (root / "issues").mkdir()
    (root / "issues" / "noise.json").write_text("{}")
    (root / "labels.csv").write_text("id,label\n0,1\n")


def _files(root):
    return {
        str(path.relative_to(root)): path.is_file() and path.read_bytes()
        for path in root.rglob("*")
    }


class WrongUsesTest(absltest.TestCase):
    """Each is one line that names the flag, and leaves nothing."""

    @pytest.mark.slow
    def test_all(self):
        self.check(_cases())

    def test_some(self):
        self.check(_cases()[::23])

    def check(self, cases):
        root = pathlib.Path(tempfile.mkdtemp())
        _write_folders(root)
        before = _files(root)
        answers = forked_commands.run_all(
            [
                (
                    f"limit_tf.cli.{name}",
                    [word.replace("ROOT", str(root)) for word in words],
                )
                for name, words, _ in cases
            ],
            imported=_ROOMS,
        )
        for (name, words, key), answer in zip(cases, answers, strict=True):
            with self.subTest(f"{name} {' '.join(words[-2:])}"):
                self.assertEqual(answer.returncode, 2, msg=answer.stderr)
                self.assertNotIn("Traceback", answer.stderr)
                errors = [
                    line
                    for line in answer.stderr.splitlines()
                    if line.startswith("error: ")
                ]
                self.assertLen(errors, 1, msg=answer.stderr)
                self.assertRegex(errors[0], f"`(--)?{re.escape(key)}")
                self.assertEqual(answer.stdout, "")
        self.assertEqual(_files(root), before)


if __name__ == "__main__":
    absltest.main()
