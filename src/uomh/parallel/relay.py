"""Progress told across processes and machines: workers append lines to files, one reader tells.

A file is what works alike for processes and for the nodes of a cluster, which share the run's
folder anyway. A line is the name of a method of `Progress` and its arguments, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from uomh.errors import UomhError
from uomh.parallel.progress import Progress

QUIET_SECONDS = 0.5
"""between two words of a worker on points within an epoch"""


class FileProgress(Progress):
    """Tells a file; it travels to a worker, who may die and be followed by another.

    Args:
        path: of the file, in a folder that exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._points: dict[str, int] = {}
        self._stages: dict[str, tuple[int, int]] = {}
        self._written = 0.0

    def start(self, path: str, done: int, epochs: int, points: int) -> None:
        """Write at once."""
        self._write("start", path, done, epochs, points)

    def advance(self, path: str, points: int) -> None:
        """Write now and then: a file on another machine is too slow for every batch."""
        self._points[path] = self._points.get(path, 0) + points
        if time.monotonic() - self._written > QUIET_SECONDS:
            self._write()

    def epoch(
        self, path: str, epoch: int, values: Mapping[str, Mapping[str, float]], seconds: float
    ) -> None:
        """Write at once."""
        self._write("epoch", path, epoch, values, seconds)

    def stop(self, path: str, why: str) -> None:
        """Write at once."""
        self._write("stop", path, why)

    def stage(self, name: str, done: int, total: int) -> None:
        """Write the end at once, and what comes before it now and then."""
        self._stages[name] = (done, total)
        if done >= total or time.monotonic() - self._written > QUIET_SECONDS:
            self._write()

    def _write(self, *event: Any) -> None:
        """Append the points and stages that are due, then this event.

        Raises:
            UomhError: this machine does not see the folder.
        """
        events: list[tuple[Any, ...]] = [("advance", *due) for due in self._points.items()]
        events += [("stage", name, *reached) for name, reached in self._stages.items()]
        events += [event] if event else []
        # A line break first: the line before may have been torn by a death.
        lines = "".join("\n" + json.dumps(line) for line in events)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(lines + "\n")
        except FileNotFoundError:
            raise UomhError(
                f"the machine {socket.gethostname()} does not see {str(self.path.parent)!r}; the "
                "run's folder must be at the same path for every worker, on a shared file system"
            ) from None
        self._points.clear()
        self._stages.clear()
        self._written = time.monotonic()


class Relay:
    """Tells a progress what workers wrote; a context that makes and removes their files.

    Args:
        folder: where the workers' files may stand; None, and workers tell nothing.
        progress: is told what they wrote.
    """

    def __init__(self, folder: Path | None, progress: Progress) -> None:
        self.folder = None if folder is None else folder.resolve() / ".progress"
        self.progress = progress
        self._read: dict[int, int] = {}

    def __enter__(self) -> Self:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)  # of a process that was killed
            self.folder.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def worker(self, i: int) -> Progress:
        """What the worker of piece ``i`` tells of."""
        return Progress() if self.folder is None else FileProgress(self.folder / f"{i}.jsonl")

    def pass_on(self, i: int) -> None:
        """Tell what the worker of piece ``i`` wrote since the last time."""
        if self.folder is None:
            return
        path = self.folder / f"{i}.jsonl"
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(self._read.get(i, 0))
            whole = file.read().rpartition(b"\n")
        self._read[i] = self._read.get(i, 0) + len(whole[0]) + len(whole[1])
        for line in whole[0].splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # empty, or torn by a death
                name, *arguments = json.loads(line)
                getattr(self.progress, name)(*arguments)
