"""The figures of a benchmark as tables for people."""

_LIMIT = "limit"


def markdown(outcome: dict) -> str:
    """Formats what `benchmark.json` holds.

    Args:
        outcome: The command, the machine and the parts of a `Suite`.

    Returns:
        Markdown: the machine, then a table of modes, of the default mode's
        figures, and of memory.
    """
    machine = outcome["machine"]
    rates = machine["matmul_flops_per_second"]
    timed = [part for part in outcome["parts"] if "overhead" in part]
    default = [part for part in timed if part["is_default"]]
    memory = [p for p in outcome["parts"] if "host_bytes" in p]
    lines = [
        "```sh",
        outcome["command"],
        "```",
        "",
        f"{machine['num_cores']} cores, {machine['processor']}; accelerators: "
        f"{', '.join(machine['accelerators']) or 'none'}. "
        + ", ".join(
            f"{name} {machine['versions'][name]}"
            for name in ("tensorflow", "keras", "python")
        )
        + ". Matrix products: "
        + ", ".join(
            f"{dtype} {rate / 1e9:.0f} GFLOP/s" for dtype, rate in rates.items()
        )
        + ".",
        "",
        "Medians over the rounds (least to most). The overhead is LIMIT's step "
        "over the cross-entropy steps of its two networks, in the same mode.",
        "",
        *_table(
            ("case", "mode", "examples/s", "overhead", "first round"),
            [
                (
                    part["case"],
                    part["mode"],
                    _figure(part["examples_per_second"][_LIMIT], ",.0f"),
                    _figure(part["overhead"][_LIMIT], ".2f"),
                    f"{part['first_round_seconds'][_LIMIT]:.1f} s",
                )
                for part in timed
            ],
        ),
        "",
        "In the default mode:",
        "",
        *_table(
            ("case", "figure", "value"),
            [
                (part["case"], name, value)
                for part in default
                for name, value in _details(part, rates["float32"])
            ],
        ),
    ]
    if memory:
        lines += ["", "Peak memory, each run in a process of its own:", ""]
        lines += _table(
            ("case", "LIMIT", "classifier + predictor", "ratio"),
            [_memory_row(part) for part in memory],
        )
    return "\n".join(lines) + "\n"


def _details(part, matmul_rate):
    for method, overhead in part["overhead"].items():
        if method != _LIMIT:
            yield f"overhead of {method}", _figure(overhead, ".2f")
    if "times_as_fast_as_peer" in part:
        yield (
            "peer, examples/s",
            _figure(part["examples_per_second"]["peer"], ",.0f"),
        )
        yield (
            "times as fast as the peer",
            _figure(part["times_as_fast_as_peer"], ".2f"),
        )
    yield (
        "pipeline alone, examples/s",
        f"{part['pipeline_examples_per_second']:,.0f}",
    )
    if "share_waiting_for_data" in part:
        yield (
            "waiting for data",
            _figure(part["share_waiting_for_data"], ".1%"),
        )
    yield (
        "arithmetic",
        f"{part['flops_per_second'] / 1e9:.0f} GFLOP/s, "
        f"{part['flops_per_second'] / matmul_rate:.0%} of a matrix product's",
    )
    if "small_epoch_over_its_steps" in part:
        yield (
            "epoch of 1,000 examples over its steps",
            f"{part['small_epoch_over_its_steps']:.2f}",
        )
    for name, value in part.get("inference_milliseconds", {}).items():
        yield f"{name}, ms", _figure(value, ".1f")


def _memory_row(part):
    where = "device" if "device_bytes" in part else "host"
    sizes = part[f"{where}_bytes"]
    return (
        part["case"],
        f"{sizes['limit'] / 2**20:.0f} MiB",
        f"{sizes['classifier'] / 2**20:.0f} + "
        f"{sizes['gradient_predictor'] / 2**20:.0f} MiB",
        f"{part[f'{where}_memory_over_both_runs']:.2f}",
    )


def _figure(summary, form):
    return (
        f"{summary['median']:{form}} ({summary['min']:{form}} to "
        f"{summary['max']:{form}})"
    )


def _table(header, rows):
    return [
        f"| {' | '.join(row)} |"
        for row in (header, ("---",) * len(header), *rows)
    ]
