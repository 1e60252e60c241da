"""Several networks that answer as one."""

import keras


@keras.saving.register_keras_serializable(package="limit_tf")
class MeanLogits(keras.layers.Layer):
    """Mean of the logits of networks with the same inputs.

    Args:
        networks: Built Keras models that end in logits
            `(batch, num_classes)`. They may have the same name.
        name: Name of the layer.
    """

    def __init__(self, networks, *, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.networks = list(networks)
        self.built = True

    def call(self, inputs, training=None):
        """Returns the mean logits, `(batch, num_classes)`."""
        logits = [
            network(inputs, training=training) for network in self.networks
        ]
        return sum(logits) / len(logits)

    def compute_output_spec(self, inputs, training=None):
        """Symbolic output: that of any of the networks."""
        return self.networks[0].compute_output_spec(inputs)

    def get_config(self):
        """Returns the constructor's arguments, the networks included."""
        serialize = keras.saving.serialize_keras_object
        networks = [serialize(network) for network in self.networks]
        return {**super().get_config(), "networks": networks}

    @classmethod
    def from_config(cls, config):
        """Builds the layer from `get_config`'s answer."""
        deserialize = keras.saving.deserialize_keras_object
        networks = [deserialize(network) for network in config["networks"]]
        return cls(**{**config, "networks": networks})
