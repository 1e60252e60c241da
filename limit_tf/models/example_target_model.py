"""What ELR and ELR+ have in common: targets kept for every example."""

from limit_tf.models import example_inputs
from limit_tf.models import network_checks
from limit_tf.models.objective_model import ObjectiveModel
from limit_tf.models.target_table import TargetTable
from limit_tf.models.target_table import check_table

# Among the figures of a step: the new targets of each table.
TARGETS = "targets"
_ROWS = "the rows of the targets"


class ExampleTargetModel(ObjectiveModel):
    """Reads the ids of examples from `{"inputs": ..., "example_ids": ...}`.

    Args:
        networks: See `NetworkModel`.
        num_examples: Number of training examples.
        num_classes: Number of classes; None takes it from the classifier.
        regularization: Weight of the regulariser.
        target_momentum: Weight of the past in the targets.
        num_tables: Number of target tables.
        **kwargs: Further arguments of `NetworkModel`.
    """

    FIGURES = ("regularization",)

    def __init__(
        self,
        networks,
        *,
        num_examples,
        num_classes,
        regularization,
        target_momentum,
        num_tables,
        **kwargs,
    ):
        super().__init__(networks, **kwargs)
        known = self._num_classes
        if num_classes is None and known is None:
            raise ValueError(
                "`num_classes` must be given where the classifier is not "
                "built yet. Received: num_classes=None"
            )
        if None not in (num_classes, known) and num_classes != known:
            raise ValueError(
                "`num_classes` must be that of the classifier, "
                f"{known}. Received: num_classes={num_classes}"
            )
        num_classes = known if num_classes is None else num_classes
        check_table(num_examples, num_classes, target_momentum)
        if not 0.0 <= regularization < float("inf"):
            raise ValueError(
                "`regularization` must be a finite number >= 0. Received: "
                f"regularization={regularization}"
            )
        self.num_examples = int(num_examples)
        self.regularization = float(regularization)
        self.target_momentum = float(target_momentum)
        self.target_tables = [
            TargetTable(
                self.num_examples,
                int(num_classes),
                self.target_momentum,
                name=f"target_table_{index}",
            )
            for index in range(num_tables)
        ]

    def split_inputs(self, x):
        """Separates the networks' inputs from the ids of the examples."""
        inputs, ids = example_inputs.split(x)
        return super().split_inputs(x) if ids is None else (inputs, ids)

    def check_batch(self, x, y, sample_weight=None, prefix=""):
        """Refuses wrong data, and ids outside the targets."""
        super().check_batch(x, y, sample_weight, prefix)
        example_inputs.check_ids(_ids(x), self.num_examples, _ROWS)

    def batch_assertions(self, x, y, sample_weight=None):
        """Assertions on the tensors of a data set, as `check_batch`."""
        return [
            *super().batch_assertions(x, y, sample_weight),
            *example_inputs.id_assertions(_ids(x), self.num_examples, _ROWS),
        ]

    def after_update(self, batch, figures):
        """Keeps the targets that the step has moved."""
        for table, targets in zip(
            self.target_tables, figures[TARGETS], strict=True
        ):
            table.write(batch.example_ids, targets)

    def _finish_build(self, inputs, logits):
        network_checks.check_logits_shape(logits, self._network_names[0])
        columns = self.target_tables[0].targets.shape[-1]
        if logits.shape[-1] != columns:
            raise ValueError(
                "`num_classes` must be that of the classifier, "
                f"{logits.shape[-1]}. Received: num_classes={columns}"
            )
        super()._finish_build(inputs, logits)

    def get_config(self):
        """Returns the constructor's arguments, the networks included."""
        return {
            **super().get_config(),
            "num_examples": self.num_examples,
            "num_classes": int(self.target_tables[0].targets.shape[-1]),
            "regularization": self.regularization,
            "target_momentum": self.target_momentum,
        }


def _ids(x):
    ids = example_inputs.ids_alone(x)
    return example_inputs.split(x)[1] if ids is None else ids
