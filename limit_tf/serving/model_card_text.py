"""The model card as a page to read."""

from typing import Any

FILE = "model_card.md"
# What the accuracies of the card are measured against.
_AGAINST = {
    "test_accuracy": "test labels, taken as they are",
    "last_test_accuracy": "test labels, after the last epoch",
    "held_out_accuracy": "held-out labels, which nobody has checked",
    "last_held_out_accuracy": "held-out labels, after the last epoch",
    "valid_accuracy": "validation labels, by which the epoch was chosen",
    "train_accuracy_noisy": "training labels as given",
    "train_accuracy_clean": "true labels of the training images",
}


def as_markdown(card: dict[str, Any]) -> str:
    """Writes a model card for people.

    Args:
        card: What `model_card` returns.

    Returns:
        Markdown.
    """
    sections = (
        ("", _head(card)),
        ("Classes", [", ".join(map(_plain, card["class_names"]))]),
        ("Accuracy", _accuracies(card)),
        ("Training", _training(card)),
        ("Not known", [f"- {text}" for text in card["not_known"]]),
    )
    text = f"# {card['name']}, version {card['version']}\n"
    for title, lines in sections:
        heading = f"\n## {title}\n" if title else ""
        text += f"{heading}\n" + "".join(f"{line}\n" for line in lines)
    return text


def _head(card):
    shape = " x ".join(map(str, card["input"]["shape"]))
    check = card["check"]
    return [
        f"A classifier of {len(card['class_names'])} classes, trained by "
        f"`{card['method']}`, with {card['num_params']:,} parameters. Input: "
        f"{shape}. Signatures: {', '.join(card['signatures'])}.",
        f"Exported {card['created']} as {card['format']}; probabilities of "
        f"{check['num_examples']} test examples within "
        f"{check['largest_difference']:.2g} of the trained network's.",
    ]


def _accuracies(card):
    rows = [
        f"| {_AGAINST.get(name, name.replace('_', ' '))} | {value:.1%} |"
        for name, value in card["accuracies"].items()
        if isinstance(value, float) and "accuracy" in name
    ]
    return ["| against | accuracy |", "|---|---|", *rows]


def _training(card):
    data, noise, training = card["data"], card["noise"], card["training"]
    lines = [
        f"- data: {data['name']}"
        + (f", {data['data_dir']}" if data["data_dir"] else "")
        + f"; {data['num_train_examples']} training, "
        f"{data['num_valid_examples']} validation and "
        f"{data['num_test_examples']} test examples",
        f"- noise added to the labels: {noise['added_kind']}, rate "
        f"{noise['added_rate']}",
        f"- epoch {training['epoch']} of {training['num_epochs']}, chosen by "
        f"{training['epoch_was_chosen_by']}",
    ]
    wrong = noise["share_of_wrong_training_labels"]
    if wrong is not None:
        lines.insert(2, f"- wrong training labels: {wrong:.1%}")
    if training["command"] is not None:
        lines.append(f"- command: `{training['command']}`")
    return [*lines, *(f"- {note}" for note in data["notes"])]


def _plain(name):
    """A name that Markdown does not take for its own signs."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in str(name))
