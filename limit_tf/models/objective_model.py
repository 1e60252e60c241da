"""A model whose networks descend the gradient of one objective."""

import dataclasses

import tensorflow as tf

from limit_tf.models.network_model import NetworkModel
from limit_tf.ops import label_distribution
from limit_tf.ops import sum_of_losses


@dataclasses.dataclass
class Batch:
    """One batch, as an objective sees it.

    Attributes:
        inputs: What the networks see, augmented in training.
        example_ids: Integers `(batch,)`, or None.
        y: Labels as they were given.
        labels: The same as distributions `(batch, num_classes)`.
        sample_weight: Weights `(batch,)`, or None.
    """

    inputs: tf.Tensor
    example_ids: tf.Tensor | None
    y: tf.Tensor
    labels: tf.Tensor
    sample_weight: tf.Tensor | None


class ObjectiveModel(NetworkModel):
    """Updates all networks by the gradient of one objective.

    A subclass implements `objective`.
    """

    LOSS_IS_FIXED = True

    def objective(self, batch: Batch, training: bool):
        """Computes what is minimised.

        Args:
            batch: The batch.
            training: Whether this is a training step.

        Returns:
            Three things: the logits `(batch, num_classes)` that metrics see;
            the objective, a scalar that is this replica's part of the mean
            over the global batch; and the figures to report, by name.
        """
        raise NotImplementedError

    def after_update(self, batch: Batch, figures: dict):
        """Runs after the optimizer's update of a training step.

        Args:
            batch: The batch.
            figures: What the objective gave.
        """

    def train_step(self, data):
        """Updates the networks on one batch `(x, y[, sample_weight])`."""
        batch = self._batch(data, training=True)
        gradients, logits, figures = self.on_replica(
            self._gradients, *vars(batch).values()
        )
        self.optimizer.apply(gradients, self.trainable_variables)
        # TensorFlow 2.21's dependency optimizer loses the order of a forward
        # pass and a later assignment that no data ties together: averages
        # would at times predict with weights they are yet to get.
        with tf.control_dependencies(tf.nest.flatten([logits, figures])):
            self.after_update(batch, figures)
            self.train_steps.assign_add(1)
        return self._reported(batch, logits, figures)

    def _gradients(self, *fields):
        """Gradients of the networks, the logits and the figures of a step."""
        with tf.GradientTape() as tape:
            logits, objective, figures = self.objective(
                Batch(*fields), training=True
            )
            networks = [getattr(self, name) for name in self.NETWORKS]
            losses = [loss for network in networks for loss in network.losses]
            scaled = self.optimizer.scale_loss(
                objective + sum_of_losses(losses)
            )
        gradients = tape.gradient(scaled, self.trainable_variables)
        return gradients, logits, figures

    def test_step(self, data):
        """Evaluates one batch `(x, y[, sample_weight])`."""
        batch = self._batch(data, training=False)
        logits, _, figures = self.objective(batch, training=False)
        logs = self._reported(batch, logits, figures)
        absent = set(self.FIGURES) - set(figures)
        return {k: v for k, v in logs.items() if k not in absent}

    def get_metrics_result(self):
        """Returns the metrics by name, without figures that have no value."""
        results = super().get_metrics_result()
        if not tf.executing_eagerly():
            return results
        absent = {
            name
            for name, metric in self._trackers.items()
            if _number_of_updates(metric) == 0
        }
        return {k: v for k, v in results.items() if k not in absent}

    def _batch(self, data, training):
        x, y, sample_weight = self.checked_tensors(data)
        inputs, example_ids = self.split_inputs(x)
        return Batch(
            inputs=self.augmented(inputs) if training else inputs,
            example_ids=example_ids,
            y=y,
            labels=label_distribution(y, self.num_classes),
            sample_weight=sample_weight,
        )

    def _reported(self, batch, logits, figures):
        self.report(figures, tf.shape(batch.labels)[0])
        return self.compute_metrics(
            batch.inputs, batch.y, logits, batch.sample_weight
        )


def _number_of_updates(metric):
    # Under tf.distribute the conversion adds up the replicas' counts.
    return float(tf.convert_to_tensor(metric.count.value))
