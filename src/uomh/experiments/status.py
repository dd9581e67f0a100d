"""How far an experiment is: what is done, running, failed, and the time left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from uomh.experiments.plan import Planned
from uomh.experiments.running import RunState, state_of


class Status(NamedTuple):
    """How far an experiment is.

    Attributes:
        states: of its runs, in their order.
        counts: how many there are of each state; runs that arms share are counted once.
        seconds_left: until all are done, None where no run tells how long one takes.
    """

    states: tuple[RunState, ...]
    counts: dict[str, int]
    seconds_left: float | None


def status(out: Path, runs: Sequence[Planned], jobs: int = 1) -> Status:
    """How far the runs of a plan are.

    A run that is not done is taken to need what done runs of its arm took, or else what others
    took, by their training images.

    Args:
        out: folder of the experiments.
        runs: from `uomh.experiments.plan.plan`.
        jobs: runs at a time.
    """
    states = tuple(state_of(out, run) for run in runs)
    once = {run.key or run.label: (run, state) for run, state in zip(runs, states, strict=True)}
    counts = Counter[str](state.state for _, state in once.values())
    done = [(run, state.seconds) for run, state in once.values() if state.state == "done"]
    if not done:
        return Status(states, dict(counts), None)
    left = 0.0
    for run, state in once.values():
        if state.state in ("done", "failed"):
            continue
        needed = _needed(run, done)
        if state.state == "running":
            needed = max(0.0, needed - (time.time() - state.began))
        left += needed
    busy = max(jobs, counts["running"], 1)
    return Status(states, dict(counts), left / busy)


def _needed(run: Planned, done: Sequence[tuple[Planned, float]]) -> float:
    """Seconds that a run is taken to need."""
    alike = [(other, seconds) for other, seconds in done if other.arm == run.arm] or done
    passes = [other.prepared.passes if other.prepared else 0 for other, _ in alike]
    mine = run.prepared.passes if run.prepared else 0
    total = sum(seconds for _, seconds in alike)
    return total * mine / sum(passes) if sum(passes) and mine else total / len(alike)
