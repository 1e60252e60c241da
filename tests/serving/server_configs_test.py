"""The files for `tensorflow_model_server`, read by its own messages."""

import importlib.util
import pathlib
import tempfile
import unittest

from absl.testing import absltest
from absl.testing import parameterized
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format
from google.protobuf import wrappers_pb2

from limit_tf.serving import server_configs

# Messages of TensorFlow Serving that its package leaves out, as in
# session_bundle_config.proto and monitoring_config.proto; in text, fields go by
# their names alone.
_INT64 = ".google.protobuf.Int64Value"
_MESSAGES = {
    "BatchingParameters": [
        ("max_batch_size", _INT64, False),
        ("batch_timeout_micros", _INT64, False),
        ("max_enqueued_batches", _INT64, False),
        ("num_batch_threads", _INT64, False),
        ("allowed_batch_sizes", "int64", True),
    ],
    "PrometheusConfig": [("enable", "bool", False), ("path", "string", False)],
    "MonitoringConfig": [("prometheus_config", ".PrometheusConfig", False)],
}


def message(name):
    """Returns an empty message of one of the types above."""
    field_type = descriptor_pb2.FieldDescriptorProto
    kinds = {
        "int64": field_type.TYPE_INT64,
        "bool": field_type.TYPE_BOOL,
        "string": field_type.TYPE_STRING,
    }
    file = descriptor_pb2.FileDescriptorProto(
        name="serving.proto",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    for type_name, fields in _MESSAGES.items():
        described = file.message_type.add(name=type_name)
        for number, (field, kind, is_repeated) in enumerate(fields, 1):
            added = described.field.add(name=field, number=number)
            added.label = 3 if is_repeated else 1
            added.type = kinds.get(kind, field_type.TYPE_MESSAGE)
            if kind not in kinds:
                added.type_name = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


def parsed_models(text):
    """Parses a `models.config` by the message of `tensorflow-serving-api`."""
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise unittest.SkipTest("tensorflow-serving-api is not installed")
    from tensorflow_serving.config import model_server_config_pb2  # noqa: PLC0415

    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(text, config)
    return [
        (model.name, model.base_path, model.model_platform)
        for model in config.model_config_list.config
    ]


class ServerConfigsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.models = self.folder / "models.config"

    def write(self, name):
        server_configs.write_server_configs(self.folder, name)

    def test_models_are_listed_where_the_container_has_them(self):
        self.write("digits")
        self.write("photos")
        self.assertEqual(
            parsed_models(self.models.read_text()),
            [
                ("digits", "/models/digits", "tensorflow"),
                ("photos", "/models/photos", "tensorflow"),
            ],
        )

    def test_batches_have_sizes_that_the_server_allows(self):
        self.write("digits")
        batching = message("BatchingParameters")
        text_format.Parse(
            (self.folder / "batching.config").read_text(), batching
        )
        sizes = list(batching.allowed_batch_sizes)
        self.assertEqual(sizes, sorted(set(sizes)))
        self.assertEqual(sizes[-1], batching.max_batch_size.value)
        self.assertGreaterEqual(batching.num_batch_threads.value, 1)

    def test_monitoring_is_on(self):
        self.write("digits")
        monitoring = message("MonitoringConfig")
        text_format.Parse(
            (self.folder / "monitoring.config").read_text(), monitoring
        )
        self.assertTrue(monitoring.prometheus_config.enable)

    def test_what_was_edited_stays(self):
        for name in ("batching.config", "monitoring.config"):
            (self.folder / name).write_text("# mine\n")
        mine = (
            "# my models: digits, {not closed\n"
            'model_config_list: { config: { name: "old" base_path: "/a}b" '
            'model_version_policy { specific { versions: 7 } } } }\n# end "\n'
        )
        self.models.write_text(mine)
        self.models.chmod(0o640)
        self.write("digits")
        text = self.models.read_text()
        for line in ("# my models: digits, {not closed\n", '# end "\n'):
            self.assertIn(line, text)
        self.assertIn("versions: 7", text)
        self.assertEqual(self.models.stat().st_mode & 0o777, 0o640)
        self.assertEqual(
            parsed_models(text),
            [
                ("old", "/a}b", ""),
                ("digits", "/models/digits", "tensorflow"),
            ],
        )
        for name in ("batching.config", "monitoring.config"):
            self.assertEqual((self.folder / name).read_text(), "# mine\n")

    @parameterized.parameters(
        'model_config_list { config { name: "digits" base_path: "/mine" } }',
        "model_config_list { config { base_path: '/mine' name: 'digits' } }",
        "custom_model_config { }",
        "model_config_list {",
        "# model_config_list {}",
    )
    def test_a_file_is_left_as_it_is(self, text):
        self.models.write_text(text)
        self.write("digits")
        self.assertEqual(self.models.read_text(), text)

    def test_a_name_in_a_comment_is_none(self):
        text = 'model_config_list {\n# name: "digits"\n}\n'
        self.models.write_text(text)
        self.write("digits")
        self.assertLen(parsed_models(self.models.read_text()), 1)


if __name__ == "__main__":
    absltest.main()
