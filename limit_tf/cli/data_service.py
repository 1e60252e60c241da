"""Runs a part of a `tf.data` service, which prepares data for training.

    python -m limit_tf.cli.data_service --port=5050 [--host=0.0.0.0]
    python -m limit_tf.cli.data_service --dispatcher=HOST:5050 [--port=PORT]
        [--worker_address=HOST:PORT] [--host=0.0.0.0]

The first one is the dispatcher. The second one, on as many machines as one
likes, is a worker: it reads and decodes images, which it must see under the
same paths as the training. That is started with `--config.data.service=
grpc://HOST:5050 --config.training.deterministic=False`.

Both run until they are killed, and answer this machine alone unless told
`--host=0.0.0.0`, which lets other machines in. The connections are not
encrypted and nobody is asked who they are: for a private network only.
"""

import signal

from absl import flags
from absl import logging

from limit_tf.cli import running

PORT = flags.DEFINE_integer(
    "port",
    None,
    "Port to listen on; a free one if it is left out.",
    lower_bound=1,
    upper_bound=65535,
)
DISPATCHER = flags.DEFINE_string(
    "dispatcher",
    None,
    "HOST:PORT of the dispatcher, for a worker. Left out for the dispatcher.",
)
WORKER_ADDRESS = flags.DEFINE_string(
    "worker_address",
    None,
    "HOST:PORT by which the training reaches this worker. By default "
    "localhost, for a worker on the same machine.",
)
HOST = flags.DEFINE_string(
    "host",
    "localhost",
    "Who is answered: localhost, this machine alone; or 0.0.0.0, all machines.",
)
_HOSTS = ("localhost", "0.0.0.0")


def main(argv):
    """Runs the command."""
    del argv
    with running.errors_in_one_line({"service": "dispatcher"}):
        if HOST.value not in _HOSTS:
            raise ValueError(
                f"`host` must be one of {', '.join(_HOSTS)}. Received: "
                f"host={HOST.value!r}"
            )
        server = _worker() if DISPATCHER.value else _dispatcher()
    while server:  # until it is killed: `server.join` would let no signal in
        signal.pause()


def _dispatcher():
    if WORKER_ADDRESS.value is not None:
        raise ValueError(
            "`worker_address` is for a worker, which needs `dispatcher`. "
            f"Received: worker_address={WORKER_ADDRESS.value!r}"
        )
    import tensorflow as tf

    service = tf.data.experimental.service
    server = service.DispatchServer(
        service.DispatcherConfig(port=PORT.value or 0)
    )
    _restrict(server.target)
    logging.info("The dispatcher listens on %s", server.target)
    return server


def _worker():
    import tensorflow as tf

    from limit_tf import data

    data.check_service(f"grpc://{DISPATCHER.value}")
    service = tf.data.experimental.service
    server = service.WorkerServer(
        service.WorkerConfig(
            dispatcher_address=DISPATCHER.value,
            worker_address=WORKER_ADDRESS.value,
            port=PORT.value or 0,
        )
    )
    _restrict(server._address)
    logging.info("The worker serves the dispatcher %s", DISPATCHER.value)
    return server


def _restrict(address):
    """Keeps a server to this machine, if that is wanted."""
    if HOST.value == "0.0.0.0":
        return
    from limit_tf.data.listening import listen_on_loopback

    try:
        listen_on_loopback(int(address.rpartition(":")[2]))
    except RuntimeError as error:
        raise RuntimeError(
            f"`host` must be 0.0.0.0 here: {error}. Received: host=localhost"
        ) from error


if __name__ == "__main__":
    running.run(main, interrupted="Trainings lose this part of the service.")
