"""What training writes down epoch by epoch: ``metrics.jsonl`` and TensorBoard events.

Several leaves of one run may write at once, from several processes, so lines are appended under a
lock. On resumption a leaf's log is cut back to the epoch of its checkpoint; what follows repeats
what was cut, so an interrupted run leaves the lines of an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from uomh.files import replacing


class Log:
    """The log of one leaf in a run's folder.

    Args:
        folder: of the run; None logs nowhere.
        path: of the leaf.
    """

    def __init__(self, folder: Path | None, path: str) -> None:
        self.folder = folder
        self.path = path
        self._writer: Any = None

    def start(self, epoch: int, step: int) -> None:
        """Begin after so many epochs and steps; what was logged beyond them is cut away."""
        if self.folder is None:
            return
        self._cut(epoch)
        from torch.utils.tensorboard import SummaryWriter  # heavy, and not needed in memory

        # TensorBoard drops, of the events that stand in the folder, those from purge_step on.
        suffix = "." + self.path.replace("/", ".")
        purge = {"purge_step": step + 1} if step else {}
        self._writer = SummaryWriter(str(self.folder), filename_suffix=suffix, **purge)

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
        for row in rows:
            tag = f"{self.path}/{row['split']}/{row['name']}"
            self._writer.add_scalar(tag, row["value"], step)
        self._writer.add_scalar(f"{self.path}/points_per_second", speed, step)
        self._writer.flush()

    def image(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        """Show an image (H, W, C) in TensorBoard."""
        if self._writer is not None:
            self._writer.add_image(f"{self.path}/{name}", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Close the events file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

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
