"""Independent work in one small function: in this process, in processes, or on a Ray cluster.

The parts of a disconnected model and the runs of a grid know nothing of each other, so all that is
needed is a map that survives: what travels is a configuration of plain values and paths, a worker
writes to the folder that its configuration names, and going on is calling again, since the
function resumes from its folder. A piece whose worker died is therefore just submitted again, and
there is no state here to save. Every piece computes with the same number of threads wherever it
runs, so that sums are taken in the same order and results are the same to the bit.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from uomh.devices import as_worker
from uomh.errors import UomhError, unknown
from uomh.parallel.progress import Progress
from uomh.parallel.relay import Relay
from uomh.parallel.workers import processes, ray_cluster

C = TypeVar("C")
R = TypeVar("R")

BACKENDS = ("serial", "processes", "ray")
POLL_SECONDS = 0.2
"""between two looks at what workers tell"""
SHOWN_FAILURES = 3
"""named in the one sentence of several"""


@dataclass(frozen=True)
class Parallel:
    """Where independent work is done, as a command is told.

    Attributes:
        backend: ``serial``, ``processes`` or ``ray``.
        jobs: pieces at a time; None: as many as there is room for.
        address: of a Ray cluster; None starts Ray on this machine.
    """

    backend: str = "serial"
    jobs: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        """See that they have a meaning.

        Raises:
            UomhError: they have none.
        """
        if self.backend not in BACKENDS:
            raise unknown("backend", self.backend, BACKENDS)
        if self.jobs is not None and self.jobs < 1:
            raise UomhError(f"jobs is {self.jobs}; it must be at least 1")
        if self.backend == "serial" and (self.jobs or 1) > 1:
            raise UomhError(
                "the backend 'serial' does one piece at a time; for several choose the backend "
                "'processes' or 'ray'"
            )
        if self.address is not None and self.backend != "ray":
            raise UomhError(
                f"the address of a Ray cluster has no meaning to the backend {self.backend!r}"
            )


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """How one piece of work ended.

    Attributes:
        value: what the function returned; None where it failed.
        error: one sentence, of a `UomhError` as it is, of others with their type before it; None
            where the function returned.
        trace: the traceback or what is known of a worker's death, for a log.
    """

    value: R | None = None
    error: str | None = None
    trace: str = ""


def resumable_map(
    function: Callable[[C, Progress], R],
    configs: Sequence[C],
    *,
    backend: str = "serial",
    jobs: int | None = None,
    threads: int = 1,
    address: str | None = None,
    retries: int = 3,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> list[Outcome[R]]:
    """Call a function on each configuration; one that fails leaves the others alone.

    Args:
        function: of a configuration and the progress to tell; of a module's top level, and going
            on where a call before it stopped. What it returns travels back, so is small.
        configs: small plain values; paths in them are absolute, and mean the same to all workers.
        backend: ``serial`` one after another in this process, ``processes`` on this machine,
            ``ray`` on a Ray cluster.
        jobs: pieces at a time; by default as many as this machine has processors for, or the
            cluster at ``address``.
        threads: that each piece computes with, the same for every backend.
        address: of a Ray cluster (``HOST:PORT``, or ``auto`` on one of its nodes); by default Ray
            is started on this machine and stopped again.
        retries: how often a piece is begun again after its worker died.
        folder: through which workers tell of their progress, that all of them see; by default
            those of other processes tell nothing.
        progress: is told how all pieces go. After a worker's death its leaves start once more.

    Returns:
        An outcome for each configuration, in their order.

    Raises:
        UomhError: an argument has no meaning, Ray is missing or its cluster cannot be reached.
    """
    Parallel(backend, jobs, address)  # raises what is wrong with them
    if threads < 1:
        raise UomhError(f"threads is {threads}; it must be at least 1")
    progress = progress or Progress()
    if backend == "serial":
        return [_attempt(function, config, threads, progress) for config in configs]
    outcomes: list[Outcome[R]] = [Outcome() for _ in configs]
    if not configs:
        return outcomes
    open_workers = (
        processes(_attempt, jobs, threads, len(configs))
        if backend == "processes"
        else ray_cluster(_attempt, jobs, threads, address, len(configs))
    )
    with Relay(folder, progress) as relay, open_workers as workers:
        waiting, running = deque(range(len(configs))), dict[Future[Outcome[R]], int]()
        deaths = [0] * len(configs)
        while waiting or running:
            while waiting and len(running) < workers.room:
                i = waiting.popleft()
                running[workers.submit(function, configs[i], threads, relay.worker(i))] = i
            done, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
            for i in running.values():
                relay.pass_on(i)
            for future in done:
                i = running.pop(future)
                error = future.exception()
                if error is None:
                    outcomes[i] = future.result()
                elif not isinstance(error, workers.death):
                    outcomes[i] = failure(error)
                elif deaths[i] == retries:
                    outcomes[i] = Outcome(
                        error=f"its worker died {retries + 1} times, as when memory runs out",
                        trace=str(error),
                    )
                else:
                    deaths[i] += 1
                    waiting.append(i)
    return outcomes


def raise_failures(outcomes: Sequence[Outcome[Any]], names: Sequence[str]) -> None:
    """Say in one error which pieces failed, and why.

    Args:
        outcomes: from `resumable_map`.
        names: of the pieces.

    Raises:
        UomhError: a piece failed.

    >>> raise_failures([Outcome(1), Outcome(error="no data")], ["part 0", "part 1"])
    Traceback (most recent call last):
    uomh.errors.UomhError: 1 of 2 failed: part 1: no data; the others finished and are kept, ...
    """
    pairs = zip(names, outcomes, strict=True)
    failed = [f"{name}: {outcome.error}" for name, outcome in pairs if outcome.error is not None]
    if failed:
        shown = "; ".join(failed[:SHOWN_FAILURES])
        more = len(failed) - SHOWN_FAILURES
        shown += f"; and {more} more" if more > 0 else ""
        kept = "the others finished and are kept, " if len(failed) < len(outcomes) else ""
        raised = UomhError(
            f"{len(failed)} of {len(outcomes)} failed: {shown}; {kept}"
            "repeat the command to go on once the cause is mended"
        )
        for trace in filter(None, (outcome.trace for outcome in outcomes)):
            raised.add_note(trace)  # a traceback shows it, the sentence does not
        raise raised


@contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Compute with so many threads in this block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _attempt(
    function: Callable[[C, Progress], R],
    config: C,
    threads: int,
    progress: Progress,
    number: int | None = None,
) -> Outcome[R]:
    """One piece, in whatever process; its errors are data, so that no backend retries them.

    Args:
        function: of the configuration and the progress.
        config: of the piece.
        threads: that it computes with.
        progress: is told how it goes.
        number: of the worker, by which workers share devices; None: as around the call.
    """
    try:
        with computing_with(threads), as_worker(number):
            return Outcome(function(config, progress))
    except Exception as error:
        return failure(error)


def failure(error: BaseException) -> Outcome[Any]:
    """How a piece ended that raised this."""
    text = " ".join(str(error).split())
    if not isinstance(error, UomhError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return Outcome(error=text, trace="".join(traceback.format_exception(error)))
