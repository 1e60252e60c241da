"""Models whose training step differs from Keras's own."""

import keras

from limit_tf.models.classifier_model import ClassifierModel
from limit_tf.models.elr_model import ElrModel
from limit_tf.models.elr_plus_model import ElrPlusModel
from limit_tf.models.limit_model import LimitModel
from limit_tf.models.noisy_gradient_model import NoisyGradientModel
from limit_tf.models.soft_regularization_model import SoftRegularizationModel
from limit_tf.models.weight_copy import copy_weights

__all__ = [
    "ClassifierModel",
    "ElrModel",
    "ElrPlusModel",
    "LimitModel",
    "NoisyGradientModel",
    "SoftRegularizationModel",
    "copy_weights",
]

# Keras looks the classes of an HDF5 file up by their bare names.
keras.saving.get_custom_objects().update(
    {
        model.__name__: model
        for model in (
            ClassifierModel,
            ElrModel,
            ElrPlusModel,
            LimitModel,
            NoisyGradientModel,
            SoftRegularizationModel,
        )
    }
)
