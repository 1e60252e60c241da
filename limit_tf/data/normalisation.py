"""How pixels are normalised where a data set does not say."""

# By number of channels: the mean and the standard deviation with which the
# LIMIT experiments normalise grey images (MNIST) and RGB images (CIFAR).
NORMALISATION = {
    1: ((0.456,), (0.224,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
