"""What is known of the labels that judge a search's trials."""

import ml_collections


def are_noisy(config: ml_collections.ConfigDict) -> bool:
    """Whether validation labels may be wrong, as far as is known.

    Args:
        config: Configuration, see `configs/digits.py`.

    Returns:
        A boolean. Labels of data that comes with noise of its own are called
        noisy by no configuration.
    """
    return not (config.data.clean_validation or config.noise.kind == "none")


def validation_labels(config: ml_collections.ConfigDict) -> str:
    """Names the validation labels, and the noise in them if there is any.

    Args:
        config: Configuration, see `configs/digits.py`.

    Returns:
        Words in the plural, without an article.
    """
    return f"{'noisy ' if are_noisy(config) else ''}validation labels"
