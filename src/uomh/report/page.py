"""One self-contained HTML page of verifications, runs and experiments; made without torch.

Everything stands in the file: styles, scripts, plotly.js once, pictures as data. Its content
security policy forbids the browser to fetch anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from uomh import __version__
from uomh.dimension.claims.core import Claim
from uomh.dimension.values import Estimate
from uomh.files import replacing
from uomh.metrics.values import Value
from uomh.report import charts, runcharts
from uomh.report.charts import Chart, Instrument, number
from uomh.report.compare import Comparison, Setting, compared, differing
from uomh.report.pictures import (
    Album,
    Ends,
    Picture,
    absent,
    extremes_of,
    pairs_of,
    pictures_of,
)
from uomh.report.sources import Experiment, Run, Sources, Verification, found
from uomh.text import shown

TITLES = {
    "labels_matter": "Labels matter",
    "dimensions_differ": "Dimensions differ",
    "groups_separated": "Groups are separated",
}
MEANINGS = {
    "labels_matter": "The groups' dimensions are not those of random groups of their sizes.",
    "dimensions_differ": "Two groups differ by at least 1 in true dimension, whatever their shape.",
    "groups_separated": "Points have neighbours of their own group, beyond chance.",
}


def write_page(paths: Sequence[str | os.PathLike[str]], target: str | os.PathLike[str]) -> Path:
    """Write the page of what folders hold, whole or not at all.

    Args:
        paths: folders of verifications, runs and experiments, or folders of such folders.
        target: the HTML file.

    Returns:
        Its path.

    Raises:
        UomhError: a path holds nothing of the kind, or nothing can be read.
    """
    text = page([Path(path) for path in paths])
    file = Path(target)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return file


def page(paths: Sequence[Path]) -> str:
    """The page of what folders hold, as text; see `write_page`."""
    return rendered(found(paths))


def rendered(sources: Sources) -> str:
    """The page of what was found."""
    album = Album()
    environment = Environment(
        loader=PackageLoader("uomh.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"json": as_json, "line": shown, "number": number, "value": in_words}
    sections = [
        VerificationSection.of(f"set{i}", verification, album)
        for i, verification in enumerate(sources.verifications, start=1)
    ]
    several = [each.report for s in sources.verifications for each in s.instruments]
    return environment.get_template("page.html").render(
        title=title_of(sources),
        version=__version__,
        verifications=sections,
        all_sets=charts.all_sets(several) if len(sections) > 1 else None,
        runs=RunsSection.of(sources.runs, album) if sources.runs else None,
        experiments=[ExperimentSection.of(experiment, album) for experiment in sources.experiments],
        problems=sources.problems,
        style=_resource("page.css"),
        script=_resource("page.js"),
        plotly=_plotly(),
    )


def title_of(sources: Sources) -> str:
    """The title of a page: of one thing its name, of several their numbers."""
    parts = []
    if sources.verifications:
        names = list(dict.fromkeys(shown(v.report.dataset) for v in sources.verifications))
        parts.append(", ".join(names[:4]) + ", ..." * (len(names) > 4))
    for what, things in {"run": sources.runs, "experiment": sources.experiments}.items():
        if things:
            parts.append(f"{len(things)} {what}{'s' * (len(things) > 1)}")
    return " · ".join(parts)


@dataclass(frozen=True)
class ClaimCard:
    """A claim in words and numbers."""

    title: str
    meaning: str
    status: str
    sentences: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, name: str, claim: Claim) -> ClaimCard:
        """Of any claim: what is a value by k is a table, the rest are facts."""
        by_k: dict[int, Any] = getattr(claim, "k", {})
        facts, columns, rows = [], [], []
        for entry in fields(claim):  # type: ignore[arg-type]  # claims are dataclasses
            value = getattr(claim, entry.name)
            if entry.name not in ("status", "reason", "k") and value not in (None, ()):
                facts.append((_words(entry.name), in_words(value)))
        for k, numbers in by_k.items():
            columns = ["k", *(_words(entry.name) for entry in fields(numbers))]
            values = (getattr(numbers, entry.name) for entry in fields(numbers))
            rows.append((str(k), *(in_words(value) for value in values)))
        sentences = dict.fromkeys(
            text for text in (claim.row(), claim.reason, claim.caveat()) if text
        )
        return cls(
            TITLES.get(name, _words(name).capitalize()),
            MEANINGS.get(name, ""),
            claim.status,
            tuple(_sentence(text) for text in sentences),
            tuple(facts),
            tuple(columns),
            tuple(rows),
        )


@dataclass(frozen=True)
class VerificationSection:
    """What the page shows of a verification."""

    id: str
    verification: Verification
    claims: list[ClaimCard]
    charts: list[Chart]
    ends: list[Ends]
    pairs: list[Picture]
    missing: list[str]

    @classmethod
    def of(cls, name: str, verification: Verification, album: Album) -> VerificationSection:
        """Charts and pictures of a verification."""
        instruments, report = verification.instruments, verification.report
        drawn = [charts.boxes(name, instruments)]
        if report.groups:
            drawn.append(charts.forest(name, instruments))
        more = (charts.nulls, charts.scales, charts.purities, charts.sizes)
        drawn += [chart for make in more if (chart := make(name, instruments)) is not None]
        folder, details = next(
            (
                (folder, each.details)
                for folder, each in zip(verification.folders, instruments, strict=True)
                if each.details is not None
            ),
            (verification.folders[0], None),
        )
        ends = [] if details is None else extremes_of(folder, details, album)
        return cls(
            name,
            verification,
            [ClaimCard.of(claim, value) for claim, value in vars(report.claims).items()],
            drawn,
            ends,
            [] if details is None else pairs_of(folder, details, album),
            verification.missing,
        )

    @property
    def details(self) -> Any:
        """What stands behind the first estimator that has it kept, or None."""
        return next((i.details for i in self.verification.instruments if i.details), None)

    def odd_rows(self) -> list[tuple[str, str, str]]:
        """Groups and their rows of lowest and highest dimension, where there are no images."""
        if self.ends or self.details is None:
            return []
        return [
            (
                group.label or "the set",
                *(
                    ", ".join(f"{p.row} ({number(p.dimension, 1)})" for p in end)
                    for end in (group.lowest, group.highest)
                ),
            )
            for group in self.details.groups
            if group.lowest
        ]

    def rows(self) -> Iterator[tuple[str, Instrument, int, Any, Estimate]]:
        """Rows of the table: a state, its instrument and k, a group or None for the whole."""
        for instrument in self.verification.instruments:
            report = instrument.report
            for state, k in zip(instrument.states, report.whole.k, strict=True):
                yield state, instrument, k, None, report.whole.k[k]
                for group in report.groups:
                    yield state, instrument, k, group, group.k[k]


@dataclass(frozen=True)
class RunCard:
    """What the page shows of one run."""

    id: str
    run: Run
    pictures: list[Picture]
    missing: list[str]
    chart: Chart | None
    groups: list[str]
    group_metrics: list[str]
    facts: list[tuple[str, str]]

    def of_group(self, metric: str, group: str) -> Value | None:
        """The number of a group."""
        return self.run.record.metrics.get(f"{metric}[{group}]")


@dataclass(frozen=True)
class RunsSection:
    """What the page shows of runs."""

    cards: list[RunCard]
    comparison: Comparison
    curves: Chart | None
    differ: list[Setting]
    partial: list[Setting]

    @classmethod
    def of(cls, runs: Sequence[Run], album: Album) -> RunsSection:
        """Runs side by side, and each by itself."""
        records = [run.record for run in runs]
        differ, partial = differing([record.settings for record in records])
        return cls(
            [run_card(f"run{i}", run, album) for i, run in enumerate(runs, start=1)],
            compared(records),
            runcharts.curves({run.name: run.record for run in runs}),
            differ,
            partial,
        )


def run_card(name: str, run: Run, album: Album) -> RunCard:
    """What the page shows of one run."""
    record = run.record
    by_group = [v for v in record.metrics.values() if v.group is not None and v.value is not None]
    missing = [f"{p.piece} is {p.kind}: {p.reason}." for p in record.problems]
    facts = [("Folder", str(record.folder))]
    if record.data is not None:
        shape = " x ".join(map(str, record.data.shape))
        counts = ", ".join(f"{n:,} {split}" for split, n in record.data.sizes.items())
        facts.append(("Data", f"{record.data.name}: {shape}; {counts}"))
    if record.device:
        facts.append(("Device", record.device))
    if record.cost.total.epochs:
        facts.append(("Cost", _sentence(record.cost.total.sentence())))
    facts.append(("Versions", ", ".join(f"{k} {v}" for k, v in record.versions.items())))
    return RunCard(
        name,
        run,
        list(pictures_of(record, run.name, album)),
        missing + absent(record),
        runcharts.real_against_generated(name, record),
        list(dict.fromkeys(v.group for v in by_group if v.group is not None)),
        list(dict.fromkeys(v.name for v in by_group)),
        [(key, value) for key, value in facts if value],
    )


@dataclass(frozen=True)
class ExperimentSection:
    """What the page shows of an experiment: its tables and pictures, whatever they are."""

    name: str
    facts: list[tuple[str, str]]
    tables: list[tuple[str, list[str], list[list[str]]]]
    pictures: list[Picture]

    @classmethod
    def of(cls, experiment: Experiment, album: Album) -> ExperimentSection:
        """Plain values are facts, lists of objects are tables."""
        facts, tables = [], []
        for key, value in experiment.content.items():
            if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
                columns = list(dict.fromkeys(name for row in value for name in row))
                cells = [[in_words(row.get(name)) for name in columns] for row in value]
                tables.append((_words(key), [_words(name) for name in columns], cells))
            elif isinstance(value, str | int | float | bool):
                facts.append((_words(key), in_words(value)))
        name = str(experiment.content.get("name") or experiment.folder.name)
        pictures = [
            album.file(path, path.stem.replace("_", " "), f"figure {path.stem} of {name}", "")
            for path in sorted(experiment.folder.glob("*.png"))
        ]
        return cls(name, facts, tables, [picture for picture in pictures if picture is not None])


def in_words(value: Any) -> str:
    """Any plain value for a person.

    >>> in_words(True), in_words(None), in_words(0.12345), in_words(12345), in_words((1.5, 2.0))
    ('yes', 'n/a', '0.1234', '12,345', '1.5, 2')
    """
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {in_words(entry)}" for key, entry in value.items())
    return str(value)


def as_json(value: Any) -> str:
    """A value as JSON that may stand in a script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _words(name: str) -> str:
    return name.replace("_", " ")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))


def _resource(name: str) -> str:
    return files("uomh.report").joinpath("templates", name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("</script", "<\\/script")
