"""Runs the runs of a plan, wherever there is room; what stands in their folders is not repeated.

Beside the folder ``runs/KEY`` of a run stands ``runs/KEY.json``, its state: that it is running, or
how it ended and what was measured. A run whose process was killed is found unfinished and goes on
from its checkpoints, so repeating the command finishes what is missing and nothing else.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from uomh import registry
from uomh.errors import UomhError
from uomh.experiments.core import Work
from uomh.experiments.plan import RUNS, Planned, measured_hash
from uomh.files import replacing, writable, write_json
from uomh.parallel.core import Outcome, Parallel, resumable_map
from uomh.parallel.progress import Progress

LOOKED_AT = 1.0
"""seconds to wait for a lock that may be held by `state_of` alone, for a moment"""
State = Literal["missing", "running", "interrupted", "failed", "done"]


class RunState(BaseModel):
    """What is known of a run.

    Attributes:
        state: ``interrupted``: its process is gone, and it goes on where the command is repeated.
        measured: hash of what was asked to be measured.
        seconds: that it took, of all sittings that ended.
        error: why it failed, in a sentence.
        values: what was measured, as in ``metrics.json``.
        host: machine that began it last.
        began: seconds since 1970 when that was.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: State
    measured: str = ""
    seconds: float = Field(0.0, ge=0)
    error: str | None = None
    values: dict[str, dict[str, Any]] = {}
    host: str = ""
    began: float = 0.0


def state_of(out: Path, run: Planned) -> RunState:
    """What the folder of an experiment tells of a run; a damaged file tells nothing."""
    if run.prepared is None:
        return RunState(state="failed", error=run.error)
    path = _state_file(out, run.key)
    try:
        found = RunState.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return RunState(state="missing")
    if found.state == "done" and found.measured != measured_hash(run.prepared):
        return found.model_copy(update={"state": "missing", "values": {}})
    if found.state == "running" and not _is_held(path.with_suffix(".lock")):
        return found.model_copy(update={"state": "interrupted"})
    return found


def carry_out(
    out: Path,
    runs: Sequence[Planned],
    work: str,
    parallel: Parallel,
    progress: Progress,
) -> None:
    """Do the runs that are missing, interrupted or failed, each once; their states tell how.

    Args:
        out: folder of the experiments.
        runs: from `uomh.experiments.plan.plan`.
        work: ``module:class`` of their `Work`.
        parallel: where.
        progress: is told, as a stage for each run, of the training points it has seen.

    Raises:
        UomhError: the folder cannot be written, or the backend is not there.
    """
    wanted = {run.key: run for run in runs if run.key and state_of(out, run).state != "done"}
    if not wanted:
        return
    folder = out / RUNS
    writable(folder)
    tasks = [_task(folder, run, work) for run in wanted.values()]
    outcomes: list[Outcome[None]] = resumable_map(
        perform,
        tasks,
        backend=parallel.backend,
        jobs=parallel.jobs,
        threads=1,
        address=parallel.address,
        folder=folder,
        progress=progress,
    )
    for (key, run), outcome in zip(wanted.items(), outcomes, strict=True):
        # What another process does, or has done since, is no failure.
        if outcome.error is not None and state_of(out, run).state not in ("running", "done"):
            _record_failure(_state_file(out, key), outcome)


def _task(folder: Path, run: Planned, work: str) -> dict[str, Any]:
    assert run.prepared is not None
    return {
        "folder": str((folder / run.key).absolute()),
        "label": run.label,
        "work": work,
        "settings": run.prepared.settings,
        "measured": measured_hash(run.prepared),
        "passes": run.prepared.passes,
        "command": run.prepared.command,
    }


def perform(task: Mapping[str, Any], progress: Progress) -> None:
    """Do one run, or go on with it; its state says so.

    Args:
        task: plain values; ``folder`` of the run.
        progress: is told of the run as a stage.

    Raises:
        UomhError: it failed, or another process does it.
    """
    folder = Path(task["folder"])
    path = folder.with_suffix(".json")
    lock = FileLock(path.with_suffix(".lock"), timeout=LOOKED_AT)
    try:
        lock.acquire()
    except Timeout:
        raise UomhError(
            "another process is doing it; wait until that has ended, then repeat the command"
        ) from None
    try:
        before = _seconds(path)
        state = RunState(
            state="running",
            measured=task["measured"],
            seconds=before,
            host=socket.gethostname(),
            began=time.time(),
        )
        write_json(path, state.model_dump())
        work: type[Work] = registry.attribute(task["work"])
        told = _OneStage(progress, task["label"], task["passes"])
        start = time.monotonic()
        values = work.perform(task["settings"], folder, told)
        with replacing(folder / "command.txt") as temporary:  # as `uomh train` leaves it
            temporary.write_text(task["command"] + "\n", encoding="utf-8")
        done = {
            "state": "done",
            "seconds": before + time.monotonic() - start,
            "values": {name: value.to_dict() for name, value in values.items()},
        }
        write_json(path, state.model_copy(update=done).model_dump())
        told.end()
    finally:
        lock.release()


def _record_failure(path: Path, outcome: Outcome[None]) -> None:
    """Keep why a run failed, where the disk has room for it; the run is tried again anyway."""
    failed = RunState(state="failed", error=outcome.error, seconds=_seconds(path))
    with contextlib.suppress(OSError):
        write_json(path, failed.model_dump())


def _seconds(path: Path) -> float:
    try:
        return RunState.model_validate_json(path.read_bytes()).seconds
    except (OSError, ValueError):
        return 0.0


def _state_file(out: Path, key: str) -> Path:
    return out / RUNS / f"{key}.json"


def _is_held(path: Path) -> bool:
    """Whether a process holds a lock."""
    if not path.is_file():
        return False
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


class _OneStage(Progress):
    """Tells of all that a run trains as one stage, in training points.

    Args:
        progress: is told.
        label: of the run.
        total: points that it sees in all, where nothing stops it early.
    """

    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self.progress, self.label, self.total = progress, label, max(total, 1)
        self.seen = 0
        progress.stage(label, 0, self.total)

    def start(self, path: str, done: int, epochs: int, points: int) -> None:
        """Count what a leaf has behind it."""
        self.advance(path, done * points)

    def advance(self, path: str, points: int) -> None:
        """Count points; the last is kept for the end of the run, which measures after training."""
        self.seen = min(self.seen + points, self.total - 1)
        self.progress.stage(self.label, self.seen, self.total)

    def end(self) -> None:
        """The run is done."""
        self.progress.stage(self.label, self.total, self.total)
