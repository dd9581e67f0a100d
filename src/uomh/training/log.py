"""What training writes down epoch by epoch: ``metrics.jsonl``, and where it is shown beside it.

Several leaves of one run may write at once, from several processes, so lines are appended under a
lock. On resumption a leaf's log is cut back to the epoch of its checkpoint; what follows repeats
what was cut, so an interrupted run leaves the lines of an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from uomh.files import replacing
from uomh.settings import Nested
from uomh.training.sinks import SINKS, Sink


class Log:
    """The log of one leaf in a run's folder.

    Args:
        folder: of the run; None logs nowhere.
        path: of the leaf.
        shown: where it is shown beside ``metrics.jsonl``, as `TrainConfig.log` has it.
    """

    def __init__(
        self, folder: Path | None, path: str, shown: Sequence[str] = ("tensorboard",)
    ) -> None:
        self.folder = folder
        self.path = path
        self.shown = tuple(shown)
        self._sinks: list[Sink] = []

    def start(self, epoch: int, step: int) -> None:
        """Begin after so many epochs and steps; what was logged beyond them is cut away.

        Raises:
            UomhError: a place where it is to be shown cannot be had.
        """
        if self.folder is None:
            return
        self._cut(epoch)
        settings = _settings(self.folder)
        for name in dict.fromkeys(self.shown):
            self._sinks.append(SINKS[name](self.folder, self.path, step, settings))

    def epoch(
        self, epoch: int, step: int, values: Mapping[str, Mapping[str, float]], speed: float
    ) -> None:
        """Write the values of an epoch, by split and name; speed is in points a second."""
        if self.folder is None:
            return
        rows = [
            {"path": self.path, "epoch": epoch, "step": step, "split": split, "name": name}
            | {"value": value}
            for split, named in values.items()
            for name, value in named.items()
        ]
        with self._locked() as file, file.open("a", encoding="utf-8") as out:
            out.write("".join(json.dumps(row) + "\n" for row in rows))
        tags = {
            f"{self.path}/{split}/{name}": value
            for split, named in values.items()
            for name, value in named.items()
        }
        tags[f"{self.path}/points_per_second"] = speed
        for sink in self._sinks:
            sink.values(tags, step)

    def image(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        """Show an image (H, W, C)."""
        for sink in self._sinks:
            sink.image(f"{self.path}/{name}", pixels, step)

    def close(self) -> None:
        """Write what is not written; no more can be shown."""
        while self._sinks:
            self._sinks.pop().close()

    def _cut(self, epoch: int) -> None:
        with self._locked() as file:
            if not file.is_file():
                return
            kept = []
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                # A killed process, or a full disk, tears a line.
                with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
                    row = json.loads(line)
                    if row["path"] != self.path or row["epoch"] <= epoch:
                        kept.append(line + "\n")
            with replacing(file) as temporary:
                temporary.write_text("".join(kept), encoding="utf-8")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Path]:
        assert self.folder is not None
        with FileLock(self.folder / ".metrics.lock"):
            yield self.folder / "metrics.jsonl"


def _settings(folder: Path) -> Nested:
    """The settings of the run in a folder; none where it was trained without."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content.get("config") or content.get("asked") or {}
