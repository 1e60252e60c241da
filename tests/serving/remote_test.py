"""Predictions of a server, asked over the network's loopback.

The server is a stand-in with the interfaces of TensorFlow Serving, in a process
of its own, on TensorFlow's C library. It is not TensorFlow Serving.
"""

import contextlib
import csv
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from limit_tf.serving import model_folder
from limit_tf.serving.inputs import Inputs
from limit_tf.serving.prediction_job import PredictionJob
from limit_tf.serving.remote import Server
from limit_tf.serving.remote import ServerError
from limit_tf.serving.rest import RestPredictor
from tests.serving import small_model
from tests.serving import stand_in

ROOT = pathlib.Path(__file__).parents[2]
VERSION = 3

folder = None
server = None
number = 0


def setUpModule():
    global folder, server
    if stand_in.missing:
        raise unittest.SkipTest(stand_in.missing)
    temporary = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(temporary.cleanup)
    folder = pathlib.Path(temporary.name)
    small_model.write(folder / "small", VERSION)
    environment = mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"})
    environment.start()
    unittest.addModuleCleanup(environment.stop)
    running = contextlib.ExitStack()
    unittest.addModuleCleanup(running.close)
    server = running.enter_context(
        stand_in.running(folder / "small" / str(VERSION))
    )


def tearDownModule():
    # pytest does not do it by itself.
    unittest.doModuleCleanups()


def saved(num_images=9):
    path = str(pathlib.Path(tempfile.mkdtemp(dir=folder), "images.npy"))
    np.save(path, small_model.images(num_images))
    return path


def files(num_images=9):
    return small_model.write_files(
        tempfile.mkdtemp(dir=folder), small_model.images(num_images)
    )


def named(kind):
    """Returns a model's name that was not used before."""
    global number
    number += 1
    return f"{kind}.{number}"


def rows(images, **arguments):
    """Returns the lines of the CSV file that a job writes."""
    output = pathlib.Path(tempfile.mkdtemp(dir=folder)) / "predictions.csv"
    PredictionJob(images, output=output, **arguments).run()
    with open(output, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def ask(protocol, images, model_name="small", **arguments):
    return rows(
        images,
        server=server.address(protocol),
        protocol=protocol,
        model_name=model_name,
        **arguments,
    )


def quick_retries():
    return mock.patch("limit_tf.serving.remote.time.sleep")


PROTOCOLS = parameterized.parameters("grpc", "rest")


class RemoteTest(parameterized.TestCase):
    def test_the_stand_in_runs_without_python_tensorflow(self):
        self.assertFalse(server.has_python)

    @PROTOCOLS
    def test_answers_are_those_of_the_model_in_this_process(self, protocol):
        for images in ([saved()], files()):
            there = ask(protocol, images, batch_size=4)
            here = rows(images, model=folder / "small", batch_size=4)
            for one, other in zip(there, here, strict=True):
                self.assertAlmostEqual(
                    float(one.pop("probability")),
                    float(other.pop("probability")),
                    delta=1e-6,
                )
            self.assertEqual(there, here)

    @PROTOCOLS
    def test_all_outputs_of_a_batch_are_those_of_this_process(self, protocol):
        job = PredictionJob(
            [saved()],
            server=server.address(protocol),
            protocol=protocol,
            model_name="small",
        )
        here = PredictionJob([saved()], model=folder / "small")
        there, here = job._predictor(), here._predictor()
        self.assertEqual(there.spec, here.spec)
        self.assertEqual(there.server.version, VERSION)
        for images in ([saved()], files(1)):
            (batch,) = Inputs(images).batches(9)
            one, other = there.answer(batch), here.answer(batch)
            self.assertEqual(one.class_names, other.class_names)
            np.testing.assert_array_equal(one.class_ids, other.class_ids)
            np.testing.assert_allclose(
                one.probabilities, other.probabilities, rtol=1e-5
            )

    @PROTOCOLS
    def test_names_of_further_classes_come_from_the_folder(self, protocol):
        images = [saved(2)]
        (first, _) = ask(protocol, images, num_top=2)
        self.assertEqual(first["class_name_2"], "")
        (first, _) = ask(
            protocol, images, num_top=2, model=folder / "small", version=VERSION
        )
        self.assertEqual(
            first["class_name_2"],
            small_model.CLASS_NAMES[int(first["class_id_2"])],
        )

    @PROTOCOLS
    def test_a_server_that_is_not_ready_is_asked_again(self, protocol):
        name = named("fail.2.UNAVAILABLE")
        with self.assertLogs("absl", "WARNING") as logs, quick_retries():
            self.assertLen(ask(protocol, [saved()], name, num_retries=2), 9)
        self.assertEqual(server.num_requests(name), 3)
        self.assertLen(logs.output, 2)
        self.assertRegex(logs.output[1], "failure 2.*Retry 2 of 2 in")

    @PROTOCOLS
    def test_a_server_that_stays_unready_is_given_up(self, protocol):
        name = named("fail.9.UNAVAILABLE")
        with (
            self.assertRaisesRegex(ServerError, "in 3 attempts.*failure 3"),
            quick_retries(),
        ):
            ask(protocol, [saved()], name, num_retries=2)
        self.assertEqual(server.num_requests(name), 3)

    @PROTOCOLS
    def test_wrong_requests_are_not_sent_again(self, protocol):
        for images in ([saved()], files(1)):
            name = named("fail.9.INVALID_ARGUMENT")
            with self.assertRaisesRegex(ValueError, "`images`.*failure 1"):
                ask(protocol, images, name)
            self.assertEqual(server.num_requests(name), 1)

    @PROTOCOLS
    def test_other_refusals_are_final(self, protocol):
        name = named("fail.9.NOT_FOUND")
        with self.assertRaisesRegex(ServerError, "failure 1"):
            ask(protocol, [saved()], name)
        self.assertEqual(server.num_requests(name), 1)

    def test_too_many_requests_are_retried_by_rest(self):
        name = named("fail.1.RESOURCE_EXHAUSTED")
        with quick_retries():
            self.assertLen(ask("rest", [saved()], name), 9)
        self.assertEqual(server.num_requests(name), 2)

    @PROTOCOLS
    def test_a_slow_server_meets_the_deadline(self, protocol):
        name = named("slow.3")
        start = time.monotonic()
        with (
            self.assertRaisesRegex(
                ServerError, "in 2 attempts: .*no answer within 0.3 s"
            ),
            quick_retries(),
        ):
            ask(protocol, [saved()], name, timeout=0.3, num_retries=1)
        self.assertLess(time.monotonic() - start, 2.5)
        self.assertEqual(server.num_requests(name), 2)

    @PROTOCOLS
    def test_a_server_that_is_not_there(self, protocol):
        with socket.socket() as listener:  # Its port is free once it is closed.
            listener.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        with (
            self.assertRaisesRegex(
                ServerError, f"at {address} gave no answer in 2 attempts"
            ),
            quick_retries(),
        ):
            rows(
                [saved()],
                server=address,
                protocol=protocol,
                model_name="small",
                num_retries=1,
                timeout=5.0,
            )

    @PROTOCOLS
    def test_a_model_that_is_not_there(self, protocol):
        with self.assertRaisesRegex(ServerError, "'missing'.*Servable not"):
            ask(protocol, [saved()], "missing")
        with self.assertRaisesRegex(ServerError, "version 4.*Servable not"):
            ask(protocol, [saved()], version=4)

    @PROTOCOLS
    def test_an_array_of_another_shape_is_not_sent(self, protocol):
        path = saved()
        np.save(path, np.zeros((2, 5, 5, 1)))
        name = named("small")
        with self.assertRaisesRegex(ValueError, r"\(n, 4, 4, 1\).*5, 5, 1"):
            ask(protocol, [path], name)
        self.assertEqual(server.num_requests(name), 0)

    @PROTOCOLS
    def test_a_corrupt_file_is_named(self, protocol):
        paths = files()
        content = pathlib.Path(paths[6]).read_bytes()
        pathlib.Path(paths[6]).write_bytes(content[:40])
        with self.assertRaisesRegex(ValueError, "decode. Received: .*006.png"):
            ask(protocol, paths, fail_fast=True)

    def test_a_port_of_another_protocol(self):
        with self.assertRaisesRegex(ServerError, "model 'small' at"):
            rows(
                [saved()],
                server=server.grpc,
                protocol="rest",
                model_name="small",
                num_retries=0,
            )

    def test_rest_needs_no_tensorflow(self):
        script = f"""
import sys, types
for name in ("tensorflow", "keras", "grpc", "tensorflow_serving"):
    sys.modules[name] = None  # cannot be imported
limit_tf = sys.modules["limit_tf"] = types.ModuleType("limit_tf")
limit_tf.__path__ = ["{ROOT}/limit_tf"]
from limit_tf.serving.prediction_job import PredictionJob
PredictionJob(
    [sys.argv[1]], server=sys.argv[2], protocol="rest", model_name="small"
).run()
"""
        done = subprocess.run(
            [sys.executable, "-c", script, saved(2), server.rest],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, msg=done.stderr)
        self.assertLen(done.stdout.splitlines(), 3)


@contextlib.contextmanager
def answering(*pieces):
    """Yields the address of a server that sends such pieces to all."""

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), connection:
                    connection.recv(2**16)
                    for piece in pieces:
                        connection.sendall(piece)
                        time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


class OddServerTest(parameterized.TestCase):
    def assert_error(self, pattern, *pieces):
        with (
            answering(*pieces) as address,
            self.assertRaisesRegex(ServerError, pattern),
        ):
            RestPredictor(
                Server(
                    address,
                    "small",
                    timeout=0.5,
                    num_retries=1,
                    first_delay=0.0,
                )
            )

    def test_an_answer_that_drips_meets_the_deadline(self):
        head = b"HTTP/1.0 200 OK\r\n\r\n"
        start = time.monotonic()
        self.assert_error(
            "2 attempts: no answer within 0.5 s", head, *[b"1"] * 20
        )
        self.assertLess(time.monotonic() - start, 3.0)

    def test_an_answer_that_is_cut_off_is_asked_for_again(self):
        head = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"
        self.assert_error("2 attempts: the answer was cut off", head, b"{}")

    def test_a_connection_that_ends_is_made_again(self):
        self.assert_error("2 attempts: no connection")

    def test_an_answer_of_something_else(self):
        head = b"HTTP/1.0 200 OK\r\n\r\n"
        self.assert_error("something else than JSON", head, b"<html>")
        self.assert_error("does not say what it takes", head, b"{}")

    def test_an_error_without_json(self):
        self.assert_error(
            "^model 'small' at .*: HTTP 403, Forbidden$",
            b"HTTP/1.0 403 Forbidden\r\n\r\n<html>",
        )


class ServerTest(parameterized.TestCase):
    @parameterized.parameters(
        "localhost", "http://localhost:8501", "localhost:0", "localhost:99999"
    )
    def test_an_address_without_host_and_port(self, address):
        with self.assertRaisesRegex(ValueError, "`server` must be host:port"):
            Server(address, "small")

    def test_values_out_of_range(self):
        with self.assertRaisesRegex(ValueError, "`timeout`"):
            Server("localhost:1", "small", timeout=0.0)
        with self.assertRaisesRegex(ValueError, "`retries`"):
            Server("localhost:1", "small", num_retries=-1)
        with self.assertRaisesRegex(ValueError, "`model_name`"):
            Server("localhost:1", "")
        with self.assertRaisesRegex(ValueError, "`server` needs `model_name`"):
            PredictionJob([saved()], server="localhost:1")

    def test_delays_double_up_to_a_limit_and_vary(self):
        server = Server(
            "localhost:1", "small", num_retries=8, first_delay=1, max_delay=16
        )

        def request():
            raise ServerError("busy", is_temporary=True)

        with (
            mock.patch("limit_tf.serving.remote.time.sleep") as sleep,
            self.assertRaisesRegex(ServerError, "in 9 attempts: busy"),
        ):
            server.ask(request)
        delays = [call.args[0] for call in sleep.call_args_list]
        for delay, limit in zip(
            delays, (1, 2, 4, 8, 16, 16, 16, 16), strict=True
        ):
            self.assertBetween(delay, limit / 2, limit)
        self.assertLen(set(delays), 8)

    def test_grpc_without_its_packages(self):
        with (
            mock.patch.dict(sys.modules, {"tensorflow_serving.apis": None}),
            self.assertRaisesRegex(RuntimeError, r"pip install .*\[serving\]"),
        ):
            rows([saved()], server="localhost:1", model_name="small")


class ModelFolderTest(absltest.TestCase):
    def test_names_of_classes(self):
        path = folder / "small" / str(VERSION)
        self.assertEqual(
            model_folder.read_class_names(path), small_model.CLASS_NAMES
        )
        self.assertIsNone(model_folder.read_class_names(folder))


if __name__ == "__main__":
    absltest.main()
