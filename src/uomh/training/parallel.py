"""Independent work in one small function: in this process, in processes, or on a Ray cluster.

The parts of a disconnected model and the runs of a grid know nothing of each other, so all that is
needed is a map that survives: what travels is a configuration of plain values and paths, a worker
writes to the folder that its configuration names, and going on is calling again, since the
function resumes from its folder. A piece whose worker died is therefore just submitted again, and
there is no state here to save. Every piece computes with the same number of threads wherever it
runs, so that sums are taken in the same order and results are the same to the bit.

Each process takes one piece at a time and is a pool of its own: loky gives up every piece of a pool
when one of its processes is killed, and cannot say which piece did it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from uomh.errors import UomhError, unknown
from uomh.progress import Progress
from uomh.training.relay import Relay

C = TypeVar("C")
R = TypeVar("R")

BACKENDS = ("serial", "processes", "ray")
POLL_SECONDS = 0.2
"""between two looks at what workers tell"""
SHOWN_FAILURES = 3
OBJECT_STORE_BYTES = 78 * 2**20
"""the least that Ray takes, for what travels is small"""


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
    _check(backend, jobs, threads, address)
    told = progress or Progress()
    if backend == "serial":
        return [_attempt(function, config, threads, told) for config in configs]
    outcomes: list[Outcome[R]] = [Outcome() for _ in configs]
    if not configs:
        return outcomes
    open_workers = (
        _processes(jobs, threads, len(configs))
        if backend == "processes"
        else _ray(jobs, threads, address, len(configs))
    )
    with Relay(folder, told) as relay, open_workers as workers:
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
    failed = [f"{name}: {each.error}" for name, each in pairs if each.error is not None]
    if failed:
        shown = "; ".join(failed[:SHOWN_FAILURES])
        more = len(failed) - SHOWN_FAILURES
        shown += f"; and {more} more" if more > 0 else ""
        kept = "the others finished and are kept, " if len(failed) < len(outcomes) else ""
        raised = UomhError(
            f"{len(failed)} of {len(outcomes)} failed: {shown}; {kept}"
            "repeat the command to go on once the cause is mended"
        )
        for trace in filter(None, (each.trace for each in outcomes)):
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


def _check(backend: str, jobs: int | None, threads: int, address: str | None) -> None:
    if backend not in BACKENDS:
        raise unknown("backend", backend, BACKENDS)
    for name, value in (("jobs", jobs), ("threads", threads)):
        if value is not None and value < 1:
            raise UomhError(f"{name} is {value}; it must be at least 1")
    if address is not None and backend != "ray":
        raise UomhError(f"the address of a Ray cluster has no meaning to the backend {backend!r}")


def _attempt(
    function: Callable[[C, Progress], R], config: C, threads: int, progress: Progress
) -> Outcome[R]:
    """One piece, in whatever process; its errors are data, so that no backend retries them."""
    try:
        with computing_with(threads):
            return Outcome(function(config, progress))
    except Exception as error:
        return failure(error)


def failure(error: BaseException) -> Outcome[Any]:
    """How a piece ended that raised this."""
    text = " ".join(str(error).split())
    if not isinstance(error, UomhError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return Outcome(error=text, trace="".join(traceback.format_exception(error)))


@dataclass(frozen=True)
class _Workers:
    """Who takes pieces.

    Attributes:
        room: pieces at a time.
        submit: begins a piece, given the arguments of `_attempt`.
        death: what the future of a piece raises whose worker died.
    """

    room: float
    submit: Callable[..., Future[Outcome[Any]]]
    death: tuple[type[BaseException], ...]


def _environment(threads: int) -> dict[str, str]:
    """Of a worker, before it loads anything; torch itself is told by `computing_with`."""
    spin = os.environ.get("GOMP_SPINCOUNT", "10000")  # as the command line sets it
    return {"OMP_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": spin}


def _processors(threads: int) -> int:
    import joblib

    return max(1, int(joblib.cpu_count()) // threads)  # those that this process may use


@contextmanager
def _processes(jobs: int | None, threads: int, pieces: int) -> Iterator[_Workers]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    room = min(jobs or _processors(threads), pieces)
    processes = [_Process(_environment(threads)) for _ in range(room)]

    def submit(*arguments: Any) -> Future[Outcome[Any]]:
        return next(each for each in processes if each.free()).submit(*arguments)

    try:
        yield _Workers(room, submit, (BrokenProcessPool,))
    finally:
        for process in processes:
            process.kill()


class _Process:
    """A process that takes one piece at a time, and is replaced when it died."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.pool: Any = None
        self.future: Future[Outcome[Any]] | None = None

    def free(self) -> bool:
        return self.future is None or self.future.done()

    def submit(self, *arguments: Any) -> Future[Outcome[Any]]:
        from joblib.externals.loky import ProcessPoolExecutor

        if self.future is not None and self.future.exception() is not None:
            self.kill()
        if self.pool is None:
            self.pool = ProcessPoolExecutor(
                1, initializer=_begin_process, initargs=(os.getpid(),), env=self.environment
            )
        self.future = self.pool.submit(_attempt, *arguments)
        return self.future

    def kill(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, kill_workers=True)
            self.pool = None


def _begin_process(parent: int) -> None:
    """Leave Ctrl-C to the parent, and do not outlive it: the next run wants the folder alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def _ray(jobs: int | None, threads: int, address: str | None, pieces: int) -> Iterator[_Workers]:
    try:
        import ray
    except ImportError:
        raise UomhError(
            "the backend 'ray' needs Ray; install it by `pip install 'uomh[ray]'`"
        ) from None
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, jobs or min(_processors(threads), pieces), threads, address)
    refs = []
    try:
        most = max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"])
        if most < threads:
            raise UomhError(
                f"no node of the Ray cluster has the {threads} processors that each piece asks "
                f"for; the largest has {most:g}; lower the number of threads"
            )
        remote = ray.remote(_attempt).options(
            num_cpus=threads,
            scheduling_strategy="SPREAD",
            max_retries=0,  # deaths are counted by `resumable_map`, alike for all backends
            runtime_env={"env_vars": _environment(threads)},
        )

        def submit(*arguments: Any) -> Future[Outcome[Any]]:
            refs.append(remote.remote(*arguments))
            future: Future[Outcome[Any]] = refs[-1].future()
            return future

        errors = ray.exceptions
        death = (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
        )
        yield _Workers(jobs or float("inf"), submit, death)
    except BaseException:
        for ref in refs:
            ray.cancel(ref, force=True)
        raise
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, jobs: int, threads: int, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            "local",
            num_cpus=jobs * threads,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            **quiet,
        )
        return
    try:
        host, colon, port = address.rpartition(":")
        if colon and "/" not in address:  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address, **quiet)
    except Exception as error:  # whatever layer notices
        raise UomhError(
            f"there is no Ray cluster at {address!r} ({' '.join(str(error).split())}); start one "
            "by `ray start --head`, or leave out its address to use this machine"
        ) from error
