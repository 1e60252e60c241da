"""`tf.data` service: other processes, or machines, that prepare the data."""

import socket

import tensorflow as tf

_PROTOCOL = "grpc://"
_SECONDS_TO_CONNECT = 10.0


def check_service(service: str) -> None:
    """Checks the address of a dispatcher, and that something answers there.

    Args:
        service: `"grpc://host:port"`.

    Raises:
        ValueError: If it is not of that form, or nothing answers.
    """
    host, _, port = str(service).removeprefix(_PROTOCOL).rpartition(":")
    if not (
        isinstance(service, str)
        and service.startswith(_PROTOCOL)
        and host
        and port.isdecimal()
    ):
        raise ValueError(
            "`service` must be the address of a tf.data service dispatcher, "
            f"grpc://HOST:PORT. Received: service={service!r}"
        )
    try:
        socket.create_connection(
            (host.strip("[]"), int(port)), _SECONDS_TO_CONNECT
        ).close()
    except (OSError, OverflowError) as error:
        raise ValueError(
            "`service` must be the address of a dispatcher that answers. "
            f"Received: service={service!r} ({error})"
        ) from error


def distributed(dataset: tf.data.Dataset, service: str) -> tf.data.Dataset:
    """Lets the workers of a service run a data set, each a part of it.

    Args:
        dataset: Data set that starts from a range; an element of the range is
            given to one worker.
        service: As `check_service` takes it.

    Returns:
        The same elements, in the order in which the workers finish them.
    """
    return dataset.apply(
        tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.DYNAMIC, service
        )
    )
