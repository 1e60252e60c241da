"""Servers that answer this machine alone."""

import socket

import tensorflow as tf
from absl.testing import absltest

from limit_tf.data.listening import listen_on_loopback


def is_answered(host, port):
    try:
        socket.create_connection((host, port), 5.0).close()
    except OSError:
        return False
    return True


def other_address():
    """An address of this machine that is not the loopback's, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


class ListeningTest(absltest.TestCase):
    def test_a_dispatcher_is_reached_by_the_loopback_alone(self):
        service = tf.data.experimental.service
        server = service.DispatchServer(service.DispatcherConfig(port=0))
        port = int(server.target.rpartition(":")[2])
        address = other_address()
        if address is None:
            self.skipTest("The machine has no other address")
        self.assertTrue(is_answered(address, port))  # TensorFlow's own way
        listen_on_loopback(port)
        self.assertFalse(is_answered(address, port))
        self.assertTrue(is_answered("localhost", port))

    def test_a_port_of_nobody_is_refused(self):
        with socket.create_server(("localhost", 0)) as own:
            port = own.getsockname()[1]
        with self.assertRaisesRegex(RuntimeError, f"listens on port {port}"):
            listen_on_loopback(port)


if __name__ == "__main__":
    absltest.main()
