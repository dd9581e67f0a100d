"""Who does independent work elsewhere: processes of this machine, or a Ray cluster.

Each process takes one piece at a time and is a pool of its own: loky gives up every piece of a pool
when one of its processes is killed, and cannot say which piece did it.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from uomh.errors import UomhError
from uomh.memory import OWN_PROCESS

Attempt = Callable[..., Any]

OBJECT_STORE_BYTES = 78 * 2**20
"""the least that Ray takes, for what travels is small"""

HTTP2_SETTINGS = b"\x04"
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + HTTP2_SETTINGS + bytes(5)
"""RFC 9113, 3.4: each side of gRPC, which Ray speaks, begins with a frame of settings"""
ANSWER_SECONDS = 10.0

GPUS_STAY_VISIBLE = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""to pieces that ask Ray for processors alone; they share GPUs by their number"""


@dataclass(frozen=True)
class Workers:
    """Who takes pieces.

    Attributes:
        room: pieces at a time.
        submit: begins a piece, given the arguments of the function that they call.
        death: what the future of a piece raises whose worker died.
    """

    room: float
    submit: Callable[..., Future[Any]]
    death: tuple[type[BaseException], ...]


def _environment(threads: int) -> dict[str, str]:
    """Of a worker, before it loads anything; torch itself is told by `computing_with`."""
    spin = os.environ.get("GOMP_SPINCOUNT", "10000")  # as the command line sets it
    return {"OMP_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": spin, OWN_PROCESS: "1"}


def _processors(threads: int) -> int:
    import joblib

    return max(1, int(joblib.cpu_count()) // threads)  # those that this process may use


@contextmanager
def processes(attempt: Attempt, jobs: int | None, threads: int, pieces: int) -> Iterator[Workers]:
    """Processes of this machine, gone when the block ends.

    Args:
        attempt: what they call on a piece, their number its last argument; it raises nothing.
        jobs: pieces at a time; None: as many as there are processors for.
        threads: of a piece.
        pieces: in all.
    """
    from joblib.externals.loky.process_executor import BrokenProcessPool

    room = min(jobs or _processors(threads), pieces)
    slots = [_Process(number, attempt, _environment(threads)) for number in range(room)]

    def submit(*arguments: Any) -> Future[Any]:
        return next(slot for slot in slots if slot.free()).submit(*arguments)

    try:
        yield Workers(room, submit, (BrokenProcessPool,))
    finally:
        for process in slots:
            process.kill()


class _Process:
    """A process that takes one piece at a time, and is replaced when it died."""

    def __init__(self, number: int, attempt: Attempt, environment: dict[str, str]) -> None:
        self.number = number
        self.attempt = attempt
        self.environment = environment
        self.pool: Any = None
        self.future: Future[Any] | None = None

    def free(self) -> bool:
        return self.future is None or self.future.done()

    def submit(self, *arguments: Any) -> Future[Any]:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        if self.future is not None and self.future.exception() is not None:
            self.kill()
        try:
            self.future = self._pool().submit(self.attempt, *arguments, self.number)
        except BrokenProcessPool:  # it died between two pieces, which costs nothing
            self.kill()
            self.future = self._pool().submit(self.attempt, *arguments, self.number)
        return self.future

    def _pool(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        if self.pool is None:
            self.pool = ProcessPoolExecutor(
                1, initializer=_begin_process, initargs=(os.getpid(),), env=self.environment
            )
        return self.pool

    def kill(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, kill_workers=True)
            self.pool = None


def _begin_process(parent: int) -> None:
    """Leave Ctrl-C to the parent, and do not outlive it: the next run wants the folder alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # modules stay, and loky collects garbage after each piece

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def ray_cluster(
    attempt: Attempt, jobs: int | None, threads: int, address: str | None, pieces: int
) -> Iterator[Workers]:
    """Workers of a Ray cluster, or of a Ray that lives as long as the block.

    Args:
        attempt: what they call on a piece, its number the last argument; it raises nothing.
        jobs: pieces at a time; None: as many as there is room for.
        threads: of a piece.
        address: of the cluster; None starts Ray on this machine.
        pieces: in all.

    Raises:
        UomhError: Ray is missing, its cluster cannot be reached, or no node is large enough.
    """
    try:
        import ray
    except ImportError:
        raise UomhError(
            "the backend 'ray' needs Ray; install it by `pip install 'uomh[ray]'`"
        ) from None
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, jobs or min(_processors(threads), pieces), threads, address)
    refs: list[Any] = []
    try:
        most = max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"])
        if most < threads:
            raise UomhError(
                f"no node of the Ray cluster has the {threads} processors that each piece asks "
                f"for; the largest has {most:g}; lower the number of threads"
            )
        remote = ray.remote(attempt).options(
            num_cpus=threads,
            scheduling_strategy="SPREAD",
            max_retries=0,  # deaths are counted by `resumable_map`, alike for all backends
            runtime_env={"env_vars": {**_environment(threads), **GPUS_STAY_VISIBLE}},
        )

        def submit(*arguments: Any) -> Future[Any]:
            refs.append(remote.remote(*arguments, len(refs)))
            future: Future[Any] = refs[-1].future()
            return future

        errors = ray.exceptions
        death = (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
        )
        yield Workers(jobs or float("inf"), submit, death)
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
        with _without_statistics():
            ray.init(
                "local",
                num_cpus=jobs * threads,
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,
                **quiet,
            )
        return
    look_for_cluster(address)
    try:
        ray.init(address, **quiet)
    except Exception as error:  # whatever layer notices
        raise _no_cluster(address, error) from error


def look_for_cluster(address: str) -> None:
    """See that a server such as Ray's answers at an address, which Ray itself tries for minutes.

    Args:
        address: of a Ray cluster; only HOST:PORT is looked at.

    Raises:
        UomhError: none does.
    """
    host, colon, port = address.rpartition(":")
    if not colon or "/" in address:
        return
    try:
        with socket.create_connection((host, int(port)), ANSWER_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "0":  # what it says is for Ray alone
                return
            connection.sendall(HTTP2_GREETING)
            answer = connection.makefile("rb").read(9)
        if answer[3:4] != HTTP2_SETTINGS:
            raise ConnectionError("what answers there is no Ray")
    except Exception as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> UomhError:
    return UomhError(
        f"there is no Ray cluster at {address!r} ({' '.join(str(error).split())}); start one "
        "by `ray start --head`, or leave out its address to use this machine"
    )


@contextmanager
def _without_statistics() -> Iterator[None]:
    """A Ray that starts in this block sends none, unless the environment says otherwise."""
    name = "RAY_USAGE_STATS_ENABLED"
    ours = name not in os.environ
    os.environ.setdefault(name, "0")
    try:
        yield
    finally:
        if ours:
            del os.environ[name]  # the environment is the host's
