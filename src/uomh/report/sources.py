"""What folders hold for a page: verifications, runs, experiments; what cannot be read is said."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uomh.dimension.details import FILE as DETAILS
from uomh.dimension.details import Details
from uomh.dimension.result import FILE as DIMENSION
from uomh.dimension.result import DimensionReport
from uomh.errors import UomhError
from uomh.report.charts import Instrument
from uomh.report.records import PIECES, RunRecord

EXPERIMENT = "experiment.json"
COMMAND = "command.txt"
"""of a run: the command that made it"""
RUNS = "runs"
"""where experiments keep their runs, beside their own folders"""
DEPTH = 3
"""how many folders down results are looked for"""


@dataclass
class Verification:
    """A set and its groups, by one estimator or several.

    Attributes:
        instruments: an estimator each.
        folders: of each.
        missing: what is not there, in sentences.
    """

    instruments: list[Instrument]
    folders: list[Path]
    missing: list[str]

    @property
    def report(self) -> DimensionReport:
        """That of the first estimator."""
        return self.instruments[0].report


@dataclass(frozen=True)
class PageRun:
    """A run: its name in the page, what its folder tells, and the command that made it."""

    name: str
    record: RunRecord
    command: str
    exact: bool


@dataclass(frozen=True)
class PageExperiment:
    """An experiment: its folder, and ``experiment.json`` as plain values."""

    folder: Path
    content: dict[str, Any]


@dataclass
class Sources:
    """All that was found, and in sentences what was not."""

    verifications: list[Verification] = field(default_factory=list)
    runs: list[PageRun] = field(default_factory=list)
    experiments: list[PageExperiment] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.verifications or self.runs or self.experiments)


def found(paths: Sequence[Path]) -> Sources:
    """Read what folders hold, each folder once; a folder of results is looked through.

    Raises:
        UomhError: a path does not exist or has nothing of the kind, or nothing at all can be read.
    """
    sources = Sources()
    seen: set[Path] = set()
    for path in paths:
        folder = path.parent if path.name in (DIMENSION, EXPERIMENT) and path.is_file() else path
        if not folder.is_dir():
            raise UomhError(
                f"there is no folder {str(path)!r}; give folders of uomh verify --out, of runs, or "
                "of experiments"
            )
        places = list(_results(folder, DEPTH))
        if not places:
            raise UomhError(
                f"{str(path)!r} holds no verification, run or experiment; give what uomh verify "
                "--out, uomh train --run-dir or uomh reproduce wrote"
            )
        for place in places:
            if (real := place.resolve()) not in seen:
                seen.add(real)
                _read(place, sources)
    if sources.empty:
        raise UomhError("; ".join(sources.problems))
    sources.runs[:] = _named(sources.runs)
    return sources


def _results(folder: Path, depth: int) -> Iterator[Path]:
    """Folders that hold results, from the top; what stands in a run is the run's."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UomhError(f"cannot read {str(folder)!r} ({error.strerror})") from None
    names = {entry.name for entry in entries}
    if names & {DIMENSION, EXPERIMENT, *PIECES}:
        yield folder
    if depth and names.isdisjoint(PIECES):
        ours = any((entry / EXPERIMENT).is_file() for entry in entries)
        for entry in entries:
            if ours and entry.name == RUNS:  # of the experiments, which tell of them
                continue
            if entry.is_dir() and not entry.name.startswith("."):
                yield from _results(entry, depth - 1)


def _read(folder: Path, sources: Sources) -> None:
    names = {entry.name for entry in folder.iterdir()}
    if DIMENSION in names:
        try:
            _add(folder, DimensionReport.load(folder), sources)
        except UomhError as error:
            sources.problems.append(str(error))
    if EXPERIMENT in names:
        try:
            content = json.loads((folder / EXPERIMENT).read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError
            sources.experiments.append(PageExperiment(folder, content))
        except (OSError, ValueError, RecursionError):
            sources.problems.append(f"{str(folder / EXPERIMENT)!r} cannot be read; it is damaged")
    if names & set(PIECES):
        record = RunRecord.read(folder)
        sources.runs.append(PageRun(folder.resolve().name, record, *_command(folder, record)))


def _add(folder: Path, report: DimensionReport, sources: Sources) -> None:
    """Put a report with those of the same points and groups by other estimators, or by itself."""
    missing, details = [], None
    try:
        details = Details.load(folder)
        if (details.fingerprint, details.estimator) != (report.fingerprint, report.estimator):
            missing.append(
                f"{DETAILS} in {str(folder)!r} is of another verification than {DIMENSION} and is "
                "left out"
            )
            details = None
    except UomhError as error:
        missing.append(str(error))
    instrument = Instrument(report, details)
    for other in sources.verifications:
        known = [(each.report.estimator, list(each.report.whole.k)) for each in other.instruments]
        alike = (other.report.fingerprint, other.report.by) == (report.fingerprint, report.by)
        if alike and report.estimator not in [name for name, _ in known]:
            other.instruments.append(instrument)
            other.folders.append(folder)
            other.missing += missing
            return
    sources.verifications.append(Verification([instrument], [folder], missing))


def _command(folder: Path, record: RunRecord) -> tuple[str, bool]:
    """The command that made a run, and whether it was kept; else one that would make it again."""
    try:
        text = (folder / COMMAND).read_text(encoding="utf-8").strip()
        if text:
            return text, True
    except (OSError, ValueError):
        pass
    settings = record.settings
    try:
        asked = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("asked")
        settings = asked if isinstance(asked, dict) else settings
    except (OSError, ValueError, AttributeError, RecursionError):
        pass
    words = [f"{key}={text}" for key, text in assigned(settings)]
    return shlex.join(["uomh", "train", "--run-dir", str(folder), *words]), False


def assigned(nested: dict[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as ``key=value`` of a command line takes them; those not set are left out.

    >>> list(assigned({"seed": 0, "model": {"name": "ae", "net": None, "dims": [4]}}))
    [('seed', '0'), ('model.name', 'ae'), ('model.dims', '[4]')]
    """
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            yield from assigned(value, f"{where}{key}.")
        elif value is not None:
            yield f"{where}{key}", value if isinstance(value, str) else json.dumps(value)


def _named(runs: Sequence[PageRun]) -> list[PageRun]:
    """Runs with names of their own: the folder's, with the folders above where two are alike."""
    result = []
    for run in runs:
        parts = run.record.folder.resolve().parts
        others = [r.record.folder.resolve().parts for r in runs if r is not run]
        length = next(
            (i for i in range(1, len(parts)) if all(o[-i:] != parts[-i:] for o in others)),
            len(parts),
        )
        result.append(PageRun("/".join(parts[-length:]), run.record, run.command, run.exact))
    return result
