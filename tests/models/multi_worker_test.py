"""Two processes on this machine train as one, by plain `fit`."""

import json
import os
import socket
import subprocess
import sys
import tempfile

import pytest
from absl.testing import absltest

PROGRAM = "LIMIT_TF_TEST_WORKER"  # Set in the environment of a worker.
NUM_EXAMPLES = 26  # Batches of 8: the last one of 2


def train(strategy, folder):
    """Trains, is interrupted, goes on; returns weights and figures."""
    import keras
    import numpy as np
    import tensorflow as tf

    import limit_tf

    rng = np.random.default_rng(0)
    x = rng.normal(size=(NUM_EXAMPLES, 6)).astype("float32")
    y = rng.integers(0, 3, NUM_EXAMPLES)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    for epochs in (1, 3):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            model = limit_tf.LimitModel(
                keras.Sequential(
                    [
                        keras.Input((6,)),
                        keras.layers.Dense(16, activation="relu"),
                        keras.layers.Dense(3),
                    ]
                ),
                gradient_penalty=1.0,
                seed=3,
            )
            model.compile(keras.optimizers.SGD(0.1), metrics=["accuracy"])
        history = model.fit(
            data,
            epochs=epochs,
            verbose=0,
            validation_data=data,
            callbacks=[
                keras.callbacks.BackupAndRestore(
                    folder, delete_checkpoint=False
                )
            ],
        )
    return {
        "weights": [w.tolist() for w in model.get_weights()],
        "history": history.history,
    }


def main():
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if "TF_CONFIG" in os.environ:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    print(json.dumps(train(strategy, sys.argv[1])), flush=True)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def started(folder, config=None):
    env = {**os.environ, PROGRAM: "1", "CUDA_VISIBLE_DEVICES": ""}
    env.pop("TF_CONFIG", None)
    if config is not None:
        env["TF_CONFIG"] = json.dumps(config)
    return subprocess.Popen(
        [sys.executable, __file__, folder],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )


class MultiWorkerTest(absltest.TestCase):
    @pytest.mark.slow
    def test_two_workers_train_as_one_process_and_resume(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
        processes = [started(f"{folder.name}/one")] + [
            started(
                f"{folder.name}/worker_{index}",
                {
                    "cluster": {"worker": workers},
                    "task": {"type": "worker", "index": index},
                },
            )
            for index in range(2)
        ]
        for process in processes:
            self.addCleanup(process.kill)
        outputs = [p.communicate(timeout=300)[0] for p in processes]
        one, *several = [json.loads(out.splitlines()[-1]) for out in outputs]
        for worker in several:
            self.assertEqual(set(worker["history"]), set(one["history"]))
            for name, values in one["history"].items():
                for ours, theirs in zip(
                    worker["history"][name], values, strict=True
                ):
                    self.assertAlmostEqual(ours, theirs, places=5, msg=name)
            self.assertSequenceAlmostEqual(
                flattened(worker["weights"]),
                flattened(one["weights"]),
                places=5,
            )
        self.assertEqual(*(flattened(w["weights"]) for w in several))


def flattened(nested):
    if not isinstance(nested, list):
        return [nested]
    return [value for part in nested for value in flattened(part)]


if __name__ == "__main__":
    if PROGRAM in os.environ:
        main()
    else:
        absltest.main()
