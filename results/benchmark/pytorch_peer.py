"""LIMIT's step in PyTorch, for `limit_tf.cli.benchmark --peer`.

    PYTHONPATH=results/benchmark python -m limit_tf.cli.benchmark \
        --cases=mnist_cnn --peer=pytorch_peer:limit --output=FOLDER

The step does what that of the paper's authors does (`methods/limit.py` and
`modules/training.py` of github.com/hrayrhar/limit-label-memorization), on
`mnist_cnn`: eager mode, one optimizer, the gradient replaced in a function of
its own, the sum of three losses, whose values are read after each step. It
leaves out their data loader: the batches lie in memory, scaled. Needs PyTorch,
which `limit_tf` does not.
"""

import torch
from torch import nn
from torch.nn import functional


class _ReplaceGradient(torch.autograd.Function):
    @staticmethod
    def forward(context, logits, gradient):
        context.save_for_backward(gradient)
        return logits.clone()

    @staticmethod
    def backward(context, _):
        (gradient,) = context.saved_tensors
        return gradient, None


def _mnist_cnn(num_classes, is_predictor):
    layers, channels = [], 1
    for filters, kernel_size, stride, padding in (
        (32, 4, 2, 1),
        (32, 4, 2, 1),
        (64, 3, 2, 0),
        (256, 3, 1, 0),
    ):
        layers += [
            nn.Conv2d(channels, filters, kernel_size, stride, padding),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
        ]
        channels = filters
    layers += [nn.Flatten(), nn.Linear(channels, 128)]
    if is_predictor:
        layers.append(nn.BatchNorm1d(128))
    return nn.Sequential(*layers, nn.ReLU(), nn.Linear(128, num_classes))


def limit(images, labels, batch_size, num_classes):
    """Builds a function that trains one pass over the images."""
    if images.shape[1:] != (28, 28, 1):
        raise ValueError(
            "`cases` must be mnist_cnn for this peer. Received: images of "
            f"shape {images.shape[1:]}"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pixels = torch.tensor(images, device=device).permute(0, 3, 1, 2)
    pixels = ((pixels / 255.0 - 0.5) / 0.25).contiguous()
    targets = torch.tensor(labels, device=device)
    classifier = _mnist_cnn(num_classes, False).to(device)
    predictor = _mnist_cnn(num_classes, True).to(device)
    optimizer = torch.optim.Adam(
        [*classifier.parameters(), *predictor.parameters()], lr=1e-3
    )

    def step(x, y):
        optimizer.zero_grad()
        logits = classifier(x)
        predicted_labels = torch.softmax(predictor(x), dim=1)
        probs = torch.softmax(logits, dim=1).detach()
        predicted = probs - predicted_labels
        replaced = _ReplaceGradient.apply(logits, predicted)
        actual = probs - functional.one_hot(y, num_classes).float()
        losses = [
            functional.cross_entropy(replaced, y),
            (predicted - actual).abs().sum(dim=1).mean(),
            (predicted**2).sum(dim=1).mean(),
        ]
        total = sum(losses)
        total.backward()
        optimizer.step()
        return [float(loss.detach()) for loss in (*losses, total)]

    def train():
        for start in range(0, len(pixels), batch_size):
            batch = slice(start, start + batch_size)
            step(pixels[batch], targets[batch])

    return train
