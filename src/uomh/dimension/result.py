"""The answer of ``uomh.verify``: plain frozen values, and how they are written.

The field names are the keys of ``dimension.json``; numbers that are not finite are written as null.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from uomh.files import replacing

_COLUMNS = (
    *("dataset", "group", "n", "duplicates", "k", "dimension", "low", "high"),
    *("calibrated_low", "calibrated_high", "size_matched", "dispersion"),
)

Status = Literal["supported", "not supported", "undecided"]


@dataclass(frozen=True)
class Estimate:
    """A dimension with its 95% interval: of the estimator's own mean, not of the true dimension."""

    dimension: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupEstimate(Estimate):
    """The estimate on a group and what to hold it against.

    Attributes:
        calibrated: the true dimensions that would give this estimate, from torus to ball.
        size_matched: mean estimate on random subsets of the whole set of this group's size.
        dispersion: variance of the pointwise inverse dimension over what one homogeneous manifold
            would show (1.0); more means a mixture of dimensions, densities or boundaries inside.
    """

    calibrated: tuple[float, float]
    size_matched: float
    dispersion: float


@dataclass(frozen=True)
class Coarse:
    """The estimate on a group thinned at random to n points, the mean over its parts."""

    n: int
    k: dict[int, GroupAtScale]


@dataclass(frozen=True)
class GroupAtScale(Estimate):
    """A thinned group's estimate, and the true dimensions that would give it at its size."""

    calibrated: tuple[float, float]


@dataclass(frozen=True)
class Radius:
    """The estimate at one number of neighbours, and the median distance to the last of them."""

    k: int
    radius: float
    dimension: float


@dataclass(frozen=True)
class Group:
    """One group: its size after duplicates were dropped, how many were, and its estimates by k."""

    label: str
    n: int
    duplicates: int
    k: dict[int, GroupEstimate]
    coarse: tuple[Coarse, ...] = ()
    scale: tuple[Radius, ...] = ()


@dataclass(frozen=True)
class Whole:
    """The whole set by k, and its estimate by size: random subsets of n points, the whole last."""

    k: dict[int, Estimate]
    size: tuple[tuple[int, dict[int, float]], ...]


@dataclass(frozen=True)
class SpreadTest:
    """The spread T of the groups beyond their size, and T over its median under shuffled labels.

    Attributes:
        rho: T over its median under the nulls.
        statistic: T, in units of dimension.
        p_value: share of the nulls, T counted in, at least as large.
        nulls: how many shuffles.
        null: 2.5%, 50% and 97.5% quantile of a single group's estimate under the shuffles.
    """

    rho: float
    statistic: float
    p_value: float
    nulls: int
    null: tuple[float, float, float]


@dataclass(frozen=True)
class LabelsMatter:
    """Claim 1: the groups' dimensions are not those of random groups of their sizes."""

    status: Status
    k: dict[int, SpreadTest] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Gap:
    """How far the widened bands of the deciding pair lie apart; negative where they overlap.

    Attributes:
        gap: at the groups' full size.
        lowest: label of the group of lower dimension.
        highest: label of the group of higher dimension.
        coarse_gap: at a quarter of the size.
    """

    gap: float
    lowest: str
    highest: str
    coarse_gap: float


@dataclass(frozen=True)
class DimensionsDiffer:
    """Claim 2: two groups differ by at least 1 in true dimension, whatever their shapes.

    Attributes:
        scale_stable: the calibrated dimension of the deciding pair holds from n to n/4 to n/16;
            None where the groups are too small to tell.
        falls: labels of those of the pair whose calibrated dimension falls as they are thinned.
    """

    status: Status
    scale_stable: bool | None = None
    falls: tuple[str, ...] = ()
    k: dict[int, Gap] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class GroupsSeparated:
    """Claim 3: the groups lie apart.

    Attributes:
        purity: share of points whose nearest neighbour is of their own group.
        lift: purity over that of shuffled labels.
        p_value: the larger of the two shuffle p-values, of the purity and of the crossing edges.
        mst_cross_edges: edges of the minimum spanning tree between different groups.
        mst_cross_expected: their mean under shuffled labels.
    """

    status: Status
    purity: float | None = None
    lift: float | None = None
    p_value: float | None = None
    mst_cross_edges: int | None = None
    mst_cross_expected: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Claims:
    """The three claims, each with the numbers that it rests on."""

    labels_matter: LabelsMatter
    dimensions_differ: DimensionsDiffer
    groups_separated: GroupsSeparated


@dataclass(frozen=True)
class Power:
    """The smallest difference in true dimension that groups of the median size could show."""

    k: dict[int, float]


@dataclass(frozen=True)
class DimensionReport:
    """What ``uomh.verify`` found: estimates by group, three claims and one sentence.

    Attributes:
        dataset: name of the set.
        fingerprint: hash of the points and labels.
        estimator: name of the estimator.
        n: number of points, duplicates dropped.
        ambient_dim: coordinates a point; None where only neighbours were given.
        by: what the groups are: ``class``, a clusterer, or a file of labels.
        groups: one ``Group`` a label; empty for unlabelled data.
        whole: the set as one.
        claims: the three claims.
        power: what these group sizes could show.
        verdict: one sentence.
        unlabelled: points left out because they have no label.
        notes: sentences about the data that a reader of the numbers should know.
    """

    dataset: str
    fingerprint: str
    estimator: str
    n: int
    ambient_dim: int | None
    by: str | None
    groups: tuple[Group, ...]
    whole: Whole
    claims: Claims
    power: Power
    verdict: str
    unlabelled: int = 0
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The content of ``dimension.json``: strings as keys, null for what is not finite."""
        plain = _plain(self)
        assert isinstance(plain, dict)
        return plain

    def to_json(self) -> str:
        """``dimension.json`` as text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_csv(self) -> str:
        """One line for each group and k, and for the whole set, whose ``group`` is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in self._rows():
            writer.writerow([_cell(value) for value in row])
        return text.getvalue()

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write ``dimension.json`` and ``dimension.csv``, each whole or not at all."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("json", self.to_json() + "\n"), ("csv", self.to_csv())):
            with replacing(folder / f"dimension.{name}") as temporary:
                temporary.write_text(text, encoding="utf-8")

    def _rows(self) -> Iterator[list[Any]]:
        for k, e in self.whole.k.items():
            head = [self.dataset, "", self.n, sum(g.duplicates for g in self.groups)]
            yield [*head, k, e.dimension, e.low, e.high, None, None, None, None]
        for group in self.groups:
            for k, g in group.k.items():
                head = [self.dataset, group.label, group.n, group.duplicates]
                numbers = [g.dimension, g.low, g.high, *g.calibrated, g.size_matched, g.dispersion]
                yield [*head, k, *numbers]

    def _repr_html_(self) -> str:
        """A table of the groups and the verdict, for notebooks."""
        ks = list(self.whole.k)
        head = "".join(f"<th>k = {k}</th>" for k in ks)
        lines = [_html_row("all", self.n, list(self.whole.k.values()))]
        lines += [_html_row(g.label, g.n, list(g.k.values())) for g in self.groups]
        return (
            f"<p><b>{html.escape(self.dataset)}</b>: {html.escape(self.verdict)}</p>"
            f"<table><thead><tr><th>group</th><th>n</th>{head}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table>"
        )


def _html_row(label: str, n: int, estimates: list[Any]) -> str:
    cells = "".join(f"<td>{e.dimension:.2f} [{e.low:.2f}, {e.high:.2f}]</td>" for e in estimates)
    return f"<tr><th>{html.escape(label)}</th><td>{n:,}</td>{cells}</tr>"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
