"""What is timed: networks with their batches, and ways to run them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    """A network and the batches it is trained on.

    Attributes:
        net: Name of a network, see `limit_tf.nets.get`.
        input_shape: Shape of one image.
        num_classes: Number of classes.
        batch_size: Examples in a batch.
        num_steps: Steps in a round, that is an epoch, on a CPU.
        gpu_num_steps: Steps in a round on a GPU.
        needs_gpu: Whether a CPU would take minutes.
    """

    net: str
    input_shape: tuple[int, int, int]
    num_classes: int
    batch_size: int
    num_steps: int
    gpu_num_steps: int
    needs_gpu: bool = False

    @property
    def name(self) -> str:
        """The network and the size of its batches."""
        return f"{self.net}, batch {self.batch_size}"


@dataclasses.dataclass(frozen=True)
class Mode:
    """A way to run the steps.

    Attributes:
        xla: Whether XLA compiles them.
        precision: Keras dtype policy of the networks.
        steps_per_execution: Most steps a call; None takes as many as pay.
        onednn: Whether TensorFlow uses oneDNN on a CPU.
        split_cores: Whether two operations run at a time, on half of the
            cores each.
        device_resident: Whether the device holds the training images.
    """

    xla: bool = False
    precision: str = "float32"
    steps_per_execution: int | None = None
    onednn: bool = True
    split_cores: bool = True
    device_resident: bool = False

    @property
    def name(self) -> str:
        """The mode in words."""
        words = ["XLA" if self.xla else "graph", self.precision]
        if self.steps_per_execution is not None:
            words.append(f"{self.steps_per_execution} step a call")
        if not self.onednn:
            words.append("oneDNN off")
        if not self.split_cores:
            words.append("cores not split")
        if self.device_resident:
            words.append("data on the device")
        return ", ".join(words)


_CIFAR = ("resnet34_cifar", (32, 32, 3), 10)

CASES = {
    "digits_cnn": Case("digits_cnn", (8, 8, 1), 10, 128, 18, 108),
    "mnist_cnn": Case("mnist_cnn", (28, 28, 1), 10, 256, 12, 180),
    "mlp": Case("mlp", (28, 28, 1), 10, 256, 12, 180),
    "resnet34_cifar": Case(*_CIFAR, 128, 1, 48),
    "resnet34_cifar_256": Case(*_CIFAR, 256, 1, 24, needs_gpu=True),
    "resnet50": Case("resnet50", (224, 224, 3), 14, 64, 1, 12, needs_gpu=True),
}


def modes(on_gpu: bool) -> list[Mode]:
    """The modes of a machine, the default of the training command first."""
    if not on_gpu:
        return [
            Mode(),
            Mode(split_cores=False),
            Mode(steps_per_execution=1),
            Mode(xla=True, split_cores=False),
            Mode(precision="mixed_bfloat16"),
            Mode(onednn=False),
            Mode(device_resident=True),
        ]
    default = Mode(xla=True, split_cores=False, device_resident=True)
    return [
        dataclasses.replace(default, xla=xla, precision=precision)
        for xla in (True, False)
        for precision in ("float32", "mixed_bfloat16", "mixed_float16")
    ] + [
        dataclasses.replace(default, steps_per_execution=1),
        dataclasses.replace(default, device_resident=False),
    ]
