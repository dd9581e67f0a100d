"""What a run's folder holds, read without torch; a piece that is missing or damaged is said.

Nothing is built or loaded: settings are plain values, curves are rows, metrics are values, pictures
and checkpoints are paths. A folder that was copied in part, or whose run was killed, still tells
what it has.
"""

from __future__ import annotations

import html
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from uomh.cost import Cost, Costs, cost_files
from uomh.data.about import About
from uomh.errors import UomhError
from uomh.metrics.values import Value, Values
from uomh.settings import Nested
from uomh.text import counted, shown

Read = TypeVar("Read")

PIECES = ("config.json", "metrics.jsonl", "metrics.json", "checkpoints")
"""that every run has once it is trained and measured"""
LISTED = 5
"""numbers of damaged lines that are named"""
PNG_BEGIN, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"

_settings: TypeAdapter[Nested] = TypeAdapter(dict[str, Any])
_versions: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])
_about: TypeAdapter[About] = TypeAdapter(About)
_value: TypeAdapter[Value] = TypeAdapter(Value)
_device: TypeAdapter[str] = TypeAdapter(str)
_cost: TypeAdapter[Cost] = TypeAdapter(Cost)


class Record(BaseModel):
    """Frozen plain values; what a later version adds to them is left out."""

    # Losses that are not finite are written, and read again, as they were in the folder.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")


class EpochValue(Record):
    """A value of an epoch.

    Attributes:
        path: of the leaf, such as ``model`` or ``model/part3``.
        epoch: from 1.
        step: optimiser steps until then.
        split: ``train`` or ``valid``.
        name: of a loss or a metric.
        value: it.
    """

    path: str
    epoch: int
    step: int
    split: str
    name: str
    value: float


class Problem(Record):
    """A piece of a run that is missing or damaged.

    Attributes:
        piece: a file of the folder, or ``FILE: KEY`` where a part of the file alone is concerned.
        kind: which of the two.
        reason: why it cannot be read, or what makes it.
    """

    piece: str
    kind: Literal["missing", "damaged"]
    reason: str


class Checkpoint(Record):
    """A saved state.

    Attributes:
        path: of the leaf, such as ``model/part3``.
        name: ``best`` or ``last``.
        file: where it stands.
    """

    path: str
    name: str
    file: Path


class RunRecord(Record):
    """A run as its folder tells it; `read` makes it.

    Attributes:
        folder: of the run.
        settings: the resolved settings, nested, as plain values; empty where they cannot be read.
        data: what it was trained on, or None where that cannot be read.
        versions: of Python, the machine and the packages that began the run.
        device: torch device that trains, or None where that is not known.
        rows: values of every epoch, in the order in which they were written.
        metrics: what was measured, by the names of ``metrics.json``.
        pictures: PNG files that are whole.
        checkpoints: that are whole, as far as their archive tells.
        cost: what training cost, by the path of each leaf and in total.
        problems: what is missing or damaged.
    """

    folder: Path
    settings: dict[str, Any] = {}
    data: About | None = None
    versions: dict[str, str] = {}
    device: str | None = None
    rows: tuple[EpochValue, ...] = ()
    metrics: dict[str, Value] = {}
    pictures: tuple[Path, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    cost: Costs = Costs()
    problems: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> RunRecord:
        """What a folder tells of its run; neither torch nor the data are needed.

        Args:
            folder: of the run.

        Raises:
            UomhError: there is no such folder, it cannot be listed, or it has no piece of a run.
        """
        path = Path(folder)
        try:
            names = {entry.name for entry in path.iterdir()}
        except OSError as error:
            raise UomhError(f"cannot read a run from {str(path)!r} ({error.strerror})") from None
        if names.isdisjoint(PIECES):
            raise UomhError(
                f"there is no run in {str(path)!r} (none of {', '.join(PIECES)}); check the path"
            )
        return _Reader(path).record()

    def curves(self) -> dict[tuple[str, str, str], tuple[EpochValue, ...]]:
        """The rows of each (path, split, name), by epoch."""
        found: dict[tuple[str, str, str], list[EpochValue]] = {}
        for row in sorted(self.rows, key=lambda row: row.epoch):
            found.setdefault((row.path, row.split, row.name), []).append(row)
        return {key: tuple(rows) for key, rows in found.items()}

    def _repr_html_(self) -> str:
        """What it is of, what was measured and what is missing, for notebooks."""
        what = f"{self.folder}, of {self.data.name}" if self.data else str(self.folder)
        lines = counted(len(self.rows), "line")
        head = f"<p><b>{html.escape(shown(what))}</b>: {lines} of training curves</p>"
        missing = [f"{p.piece} is {p.kind}: {p.reason}" for p in self.problems]
        listed = "".join(f"<li>{html.escape(shown(line))}</li>" for line in missing)
        return head + Values(self.metrics)._repr_html_() + (f"<ul>{listed}</ul>" if listed else "")


class _Reader:
    """Reads a folder piece by piece, and keeps what is wrong with each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []

    def record(self) -> RunRecord:
        about = self.object("config.json", "repeat `uomh train` to begin the run")
        part = self.part
        settings = part(about, "config", _settings) or {}
        # A run that was begun before its device was kept has the one that was asked for.
        asked = settings.get("device")
        device = part(about, "device", _device) if "device" in (about or {}) else None
        return RunRecord(
            folder=self.folder,
            settings=settings,
            data=part(about, "data", _about),
            versions=part(about, "versions", _versions) or {},
            device=device or (asked if isinstance(asked, str) else None),
            rows=self.rows(),
            metrics=self.metrics(),
            pictures=tuple(
                path for path in sorted(self.folder.glob("*.png")) if self.whole(path, _is_png)
            ),
            checkpoints=self.checkpoints(),
            cost=self.cost(),
            problems=tuple(self.problems),
        )

    def missing(self, piece: str, remedy: str) -> None:
        self.problems.append(Problem(piece=piece, kind="missing", reason=remedy))

    def damaged(self, piece: str, reason: str) -> None:
        self.problems.append(Problem(piece=piece, kind="damaged", reason=reason))

    def content(self, name: str, remedy: str) -> bytes | None:
        """The bytes of a file, or None, which is said."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            self.missing(name, remedy)
        except OSError as error:
            self.damaged(name, f"it cannot be read ({error.strerror})")
        return None

    def object(self, name: str, remedy: str) -> dict[str, Any] | None:
        """The content of a JSON file, an object; None where there is none, which is said."""
        content = self.content(name, remedy)
        if content is None:
            return None
        try:
            values = json.loads(content)
        except (ValueError, RecursionError):
            self.damaged(name, "it is not JSON")
            return None
        if not isinstance(values, dict):
            self.damaged(name, "it is not a JSON object")
            return None
        return values

    def part(
        self, values: dict[str, Any] | None, key: str, shape: TypeAdapter[Read]
    ) -> Read | None:
        """A member of ``config.json``, or None, which is said."""
        piece = f"config.json: {key}"
        if values is None:
            return None
        if key not in values:
            self.missing(piece, "the run was begun by another version, or the file was changed")
            return None
        return self.checked(piece, values[key], shape)

    def checked(self, piece: str, value: Any, shape: TypeAdapter[Read]) -> Read | None:
        """A value of that shape, strictly, or None, which is said."""
        try:
            return shape.validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            self.damaged(piece, f"{where}: {first['msg']}" if where else first["msg"])
            return None

    def rows(self) -> tuple[EpochValue, ...]:
        content = self.content("metrics.jsonl", "no epoch has ended; repeat `uomh train`")
        rows, damaged = [], []
        lines = (content or b"").splitlines()
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                rows.append(EpochValue.model_validate_json(line, strict=True))
            except ValidationError:  # torn by a death or a full disk, or being written just now
                damaged.append(number)
        if damaged:
            numbers = ", ".join(map(str, damaged[:LISTED])) + ", ..." * (len(damaged) > LISTED)
            which = f"{len(damaged)} of {len(lines)} lines cannot be read: {numbers}"
            self.damaged("metrics.jsonl", which)
        return tuple(rows)

    def metrics(self) -> dict[str, Value]:
        entries = self.object("metrics.json", "nothing is measured; run `uomh evaluate`") or {}
        values = {
            name: self.checked(f"metrics.json: {name}", entry, _value)
            for name, entry in entries.items()
        }
        return {name: value for name, value in values.items() if value is not None}

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        root = self.folder / "checkpoints"
        found = sorted(root.rglob("*.pt"))
        if not found:
            self.missing("checkpoints", "no epoch has ended; repeat `uomh train`")
        return tuple(
            Checkpoint(path=file.parent.relative_to(root).as_posix(), name=file.stem, file=file)
            for file in found
            if self.whole(file, zipfile.is_zipfile)
        )

    def cost(self) -> Costs:
        found = []
        for path, file in cost_files(self.folder):
            piece = file.relative_to(self.folder).as_posix()
            values = self.object(piece, "it was there just now")
            cost = None if values is None else self.checked(piece, values, _cost)
            if cost is not None:
                found.append((path, cost))
        return Costs.of(found)

    def whole(self, path: Path, test: Callable[[Path], bool]) -> bool:
        """Whether a file is whole; one that is not is said."""
        try:
            whole = test(path)
            reason = "it is cut off, or of another kind"
        except OSError as error:
            whole, reason = False, f"it cannot be read ({error.strerror})"
        if not whole:
            self.damaged(path.relative_to(self.folder).as_posix(), reason)
        return whole


def _is_png(path: Path) -> bool:
    content = path.read_bytes()
    return content.startswith(PNG_BEGIN) and content.endswith(PNG_END)
