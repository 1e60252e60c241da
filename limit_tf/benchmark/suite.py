"""The order in which things are timed, and the ratios between them."""

import contextlib
import statistics
from collections.abc import Iterator

from limit_tf.benchmark.cases import Case
from limit_tf.benchmark.cases import Mode
from limit_tf.benchmark.cases import modes
from limit_tf.benchmark.worker import Worker

_FLOOR = ("limit", "classifier", "gradient_predictor")
# Costs of methods against the cross-entropy steps that they cannot do without.
_OVERHEADS = {
    "limit": ("classifier", "gradient_predictor"),
    "elr": ("classifier",),
    "elr_plus": ("classifier", "classifier"),
}


class Suite:
    """Times cases side by side.

    Subjects that are compared take turns, a round each, so that a machine that
    slows down slows all of them; figures are medians over the rounds.

    Args:
        cases: What to time.
        repeats: Timed rounds of each subject.
        quick: Whether to leave out all modes but the first, the methods beside
            LIMIT, inference and memory.
        peer: `"module:function"` of another implementation, see
            `limit_tf.cli.benchmark`.

    Attributes:
        cases: What to time.
        on_gpu: Whether TensorFlow sees a GPU.
        machine: The machine, and how fast it multiplies matrices.
    """

    def __init__(
        self,
        cases: list[Case],
        repeats: int,
        quick: bool = False,
        peer: str | None = None,
    ):
        self.cases = cases
        self._repeats = repeats
        self._quick = quick
        self._peer = peer
        with Worker(_environment(Mode())) as worker:
            self.on_gpu = worker.call("has_gpu")
            size = 8192 if self.on_gpu else 2048 if quick else 4096
            self.machine = worker.call("machine", size, 5)
        self._modes = modes(self.on_gpu)[: 1 if quick else None]

    def num_parts(self) -> int:
        """Number of results that `run` gives."""
        return sum(
            len(self._modes_of(case)) + (not self._quick) for case in self.cases
        )

    def run(self) -> Iterator[dict]:
        """Times part after part.

        Yields:
            The figures of a case in a mode, or of its memory.
        """
        for case in self.cases:
            for mode in self._modes_of(case):
                yield self._case(case, mode, mode is self._modes[0])
            if not self._quick:
                yield self._memory(case)

    def _is_small(self, case):
        """Whether a step takes less than seconds."""
        return self.on_gpu or case.num_steps > 1

    def _modes_of(self, case):
        return self._modes if self._is_small(case) else self._modes[:1]

    def _case(self, case, mode, is_first):
        steps = case.gpu_num_steps if self.on_gpu else case.num_steps
        examples = case.batch_size * steps
        is_small = self._is_small(case)
        subjects = list(_FLOOR)
        if is_first and not self._quick and is_small:
            subjects += ["elr", "elr_plus"]
        with Worker(_environment(mode)) as worker:
            worker.call("set_threads", mode)
            facts = {
                subject: worker.call("prepare", subject, case, mode, steps)
                for subject in subjects
            }
            repeats = self._repeats
            if not is_small:
                repeats = max(1, repeats // 5)
            elif not is_first:
                repeats = max(1, repeats // 2)
            seconds = self._rounds(
                worker, subjects, case, steps, repeats, self._peer and is_first
            )
            part = {
                "case": case.name,
                "mode": mode.name,
                "is_default": is_first,
                "steps_a_round": steps,
                "examples_a_round": examples,
                "first_round_seconds": {
                    subject: fact["first_seconds"]
                    for subject, fact in facts.items()
                },
                "step_milliseconds": {
                    name: _summary([1e3 * s / steps for s in values])
                    for name, values in seconds.items()
                },
                "examples_per_second": {
                    name: _summary(
                        [case.batch_size * steps / s for s in values]
                    )
                    for name, values in seconds.items()
                },
                "overhead": _overheads(seconds),
            }
            if "peer" in seconds:
                part["times_as_fast_as_peer"] = _summary(
                    [
                        theirs / ours
                        for theirs, ours in zip(
                            seconds["peer"], seconds["limit"], strict=True
                        )
                    ]
                )
            if is_first:
                part |= self._details(worker, case, mode, seconds, is_small)
        return part

    def _rounds(self, worker, subjects, case, steps, repeats, with_peer):
        """Seconds of every round, the subjects and the peer in turns."""
        seconds = {subject: [] for subject in subjects}
        with contextlib.ExitStack() as stack:
            if with_peer:
                peer = stack.enter_context(Worker({}))
                peer.call("prepare_peer", self._peer, case, steps)
                seconds["peer"] = []
            for _ in range(repeats):
                for subject in subjects:
                    seconds[subject].append(
                        worker.call("measure", subject, "round")
                    )
                if with_peer:
                    seconds["peer"].append(peer.call("peer_round"))
        return seconds

    def _details(self, worker, case, mode, seconds, is_small):
        """Figures that one mode is enough for."""
        limit = statistics.median(seconds["limit"])
        pipeline = [
            worker.call("measure", "limit", "pipeline_round")
            for _ in range(self._repeats)
        ]
        flops = worker.call("measure", "limit", "flops_per_example")
        examples = case.batch_size * (
            case.gpu_num_steps if self.on_gpu else case.num_steps
        )
        details = {
            "pipeline_examples_per_second": examples
            / statistics.median(pipeline),
            "flops_per_example": flops,
            "flops_per_second": flops * examples / limit,
        }
        if is_small:
            details["share_waiting_for_data"] = _summary(
                [
                    1.0
                    - worker.call("measure", "limit", "repeated_batch_round")
                    / worker.call("measure", "limit", "round")
                    for _ in range(self._repeats)
                ]
            )
            epochs = [
                worker.call("measure", "limit", "small_epoch")
                for _ in range(max(1, self._repeats // 2))
            ]
            details["seconds_of_an_epoch_of_1000"] = _summary(epochs)
            details["small_epoch_over_its_steps"] = statistics.median(
                epochs
            ) / (1000 * limit / examples)
        if not self._quick and is_small:
            calls = worker.call("inference", case, mode, 4 * self._repeats)
            details["inference_milliseconds"] = {
                name: _summary([1e3 * s for s in values])
                for name, values in calls.items()
            }
        return details

    def _memory(self, case):
        """Peak memory of each subject in a process of its own."""
        mode = self._modes[0]
        facts = {}
        for subject in _FLOOR:
            with Worker(_environment(mode)) as worker:
                worker.call("set_threads", mode)
                facts[subject] = worker.call("prepare", subject, case, mode, 1)
        part = {"case": case.name, "mode": mode.name}
        for key, where in (
            ("added_host_bytes", "host"),
            ("peak_device_bytes", "device"),
        ):
            sizes = {name: fact[key] for name, fact in facts.items()}
            if None in sizes.values():
                continue
            part[f"{where}_bytes"] = sizes
            part[f"{where}_memory_over_both_runs"] = sizes["limit"] / (
                sizes["classifier"] + sizes["gradient_predictor"]
            )
        return part


def _environment(mode: Mode) -> dict[str, str]:
    return {"TF_ENABLE_ONEDNN_OPTS": str(int(mode.onednn))}


def _overheads(seconds):
    """Time of each method over that of its parts, round by round."""
    overheads = {}
    for method, parts in _OVERHEADS.items():
        if method in seconds:
            rounds = zip(
                seconds[method], *(seconds[part] for part in parts), strict=True
            )
            overheads[method] = _summary(
                [whole / sum(floor) for whole, *floor in rounds]
            )
    return overheads


def _summary(values):
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }
