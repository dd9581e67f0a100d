"""Random sets of `families.py` for `fooling.py --random N`, and how often they fool `uomh.verify`.

Half of them are of one dimension in 2 to 5 groups (d 1 to 10; a third as they are, a third with
noise of a level of its own in each group, a third on grids of their own), half are unions (d 1 to
8, the widest gap 2 to 5, a fifth of the groups noisy, a fifth on a grid); 500 to 1,600 points a
group, in 120 coordinates or more. A set depends on its number alone. Everything is said twice: with
the shipped references, and without those of the set's own families, as of shapes nobody has seen.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from families import FAMILIES, dimension_of, noisy, rounded, turned, unit
from make_references import one_thread
from uomh import verify
from uomh.dimension import references
from uomh.dimension.claims import dimensions_differ
from uomh.dimension.claims.core import Status
from uomh.dimension.claims.dimensions_differ import LEARNED_APART, DimensionsDiffer
from uomh.dimension.values import Group, Learned
from uomh.parallel.core import computing_with

Array = NDArray[np.float64]
KINDS = ("plain", "noise by group", "on grids")
AMBIENT = 120  # coordinates that every group is turned into
KS = (3, 10, 20)
ERRORS = (2.0, 2.5, 3.0, 3.25, 4.0)  # of the trade-off
RULES = ("bands alone", *(f"{errors:g} errors" for errors in ERRORS))


@dataclass(frozen=True)
class Drawn:
    """A random set: its groups, of unit size and about zero, and what they are."""

    kind: str
    dimensions: tuple[int, ...]
    families: tuple[str, ...]
    parts: tuple[Array, ...]


@dataclass(frozen=True)
class Trial:
    """What was said of a random set.

    Attributes:
        kind: one of `KINDS`, or ``"union"``.
        dimensions: of the groups.
        families: of the groups.
        n: points of the smallest group.
        status: of the claim that dimensions differ.
        noise: whether the sentence names noise.
        reason: why the claim is not supported; empty where it is.
        gaps: how far the learned dimensions of the deciding pair lie apart, and its bands, the
            least over k; minus infinity where nothing is known.
        matter: status of the claim that labels matter.
        by: of `RULES`, those by which the claim would be supported.
    """

    kind: str
    dimensions: tuple[int, ...]
    families: tuple[str, ...]
    n: int
    status: str
    noise: bool
    reason: str = ""
    gaps: tuple[float, float] = (-np.inf, -np.inf)
    matter: str = "supported"
    by: tuple[str, ...] = ()

    @property
    def gap(self) -> int:
        """Between the lowest and the highest dimension."""
        return max(self.dimensions) - min(self.dimensions)


def random_set(number: int) -> Drawn:
    """The set of this number: even ones are of one dimension, odd ones unions."""
    rng = np.random.default_rng((11, number))
    groups = int(rng.integers(2, 6))
    union = number % 2 == 1
    kind = "union" if union else KINDS[(number // 2) % 3]
    dimensions = (int(rng.integers(1, 11)),) * groups
    if union:
        low = int(rng.integers(1, 7))
        gap = int(rng.integers(2, min(5, 8 - low) + 1))
        dimensions = (low, low + gap, *rng.integers(low, low + gap + 1, groups - 2).tolist())
    families, parts = [], []
    for d in dimensions:
        fit = [name for name in FAMILIES if dimension_of(name, rng, d, d)]
        families.append(str(rng.choice(fit)))
        x = unit(FAMILIES[families[-1]].sampler(int(rng.integers(500, 1601)), d, rng))
        x = turned(x, AMBIENT, rng)
        if kind == "noise by group" or (union and rng.random() < 0.2):
            x = noisy(x, float(np.exp(rng.uniform(np.log(1e-3), np.log(0.3)))), AMBIENT, rng)
        if kind == "on grids" or (union and rng.random() < 0.2):
            x = rounded(x, int(rng.choice([16, 64, 256])))
        parts.append(x)
    return Drawn(kind, dimensions, tuple(families), tuple(parts))


def points_and_labels(drawn: Drawn) -> tuple[Array, NDArray[np.int64]]:
    """The groups in one space, each on a hyperplane of its own, far from the others.

    Each is brought to unit size first; one on a grid stays on one.
    """
    widest = max(part.shape[1] for part in drawn.parts)
    placed = []
    for i, x in enumerate(drawn.parts):
        wide = np.pad(unit(x), ((0, 0), (0, widest - x.shape[1])))
        placed.append(np.column_stack([wide, np.full(len(x), 8 * i)]))
    labels = np.repeat(np.arange(len(placed)), [len(part) for part in placed])
    return np.concatenate(placed), labels


@contextmanager
def unseen(families: Sequence[str]) -> Iterator[None]:
    """Learned dimensions rest on the references of other families."""
    others = references.shipped().without(families)
    with patch.object(references, "shipped", lambda: others):
        yield


class Recorder:
    """The shipped references, and what they were asked: the torus dimension and the traits."""

    def __init__(self) -> None:
        self.shipped, self.asked = references.shipped(), list[tuple[float, Array]]()

    def learned(self, torus_dimension: float, traits: Array) -> Learned:
        """As the references say; asked for later."""
        self.asked.append((torus_dimension, traits))
        return self.shipped.learned(torus_dimension, traits)


def trial(number: int, nulls: int) -> tuple[Trial, Trial]:
    """What is said of one random set; and without the references of its own families."""
    drawn = random_set(number)
    points, labels = points_and_labels(drawn)
    recorder = Recorder()
    with patch.object(references, "shipped", lambda: recorder), computing_with(1):
        report = verify(points, labels, k=KS, nulls=nulls, seed=number, name=f"set {number}")
    asked, others = iter(recorder.asked), recorder.shipped.without(drawn.families)
    unseen_groups = [
        replace(group, learned=others.learned(*next(asked))) if group.learned else group
        for group in report.groups
    ]
    matter = report.claims.labels_matter.status
    known, unseen = (_trial(drawn, groups, matter) for groups in (report.groups, unseen_groups))
    assert known.status == report.claims.dimensions_differ.status
    return known, unseen


def _trial(drawn: Drawn, groups: Sequence[Group], matter: Status) -> Trial:
    differ = DimensionsDiffer.of(groups, KS, matter)
    bands = min((gap.gap for gap in differ.k.values()), default=-np.inf)
    return Trial(
        drawn.kind,
        drawn.dimensions,
        drawn.families,
        n=min(len(part) for part in drawn.parts),
        status=differ.status,
        noise="noise" in differ.caveat(),
        reason=differ.reason,
        gaps=(-np.inf if differ.learned_gap is None else differ.learned_gap, bands),
        matter=matter,
        by=tuple(rule for rule in RULES if _supported(groups, matter, rule)),
    )


def _supported(groups: Sequence[Group], matter: Status, rule: str) -> bool:
    """Whether one of `RULES` would call the groups different."""
    if rule == RULES[0]:
        groups = [replace(group, learned=None) for group in groups]
    errors = dict(zip(RULES[1:], ERRORS, strict=True)).get(rule, 0.0)
    with patch.object(dimensions_differ, "ERRORS_APART", errors):
        return DimensionsDiffer.of(groups, KS, matter).status == "supported"


def limits(hits: int, of: int) -> tuple[float, float]:
    """95% confidence limits of a share (Clopper & Pearson 1934).

    >>> [round(x, 4) for x in limits(0, 200)]
    [0.0, 0.0183]
    """
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0


def rates(done: Sequence[Trial]) -> Iterator[str]:
    """Lines of a table: how often "dimensions differ" is supported, by what the sets are."""
    one = [t for t in done if t.kind != "union"]
    unions = [t for t in done if t.kind == "union"]
    rows = {"one dimension": one}
    rows |= {f"one dimension, {kind}": [t for t in one if t.kind == kind] for kind in KINDS}
    for low, high in ((1, 3), (4, 6), (7, 10)):
        some = [t for t in one if low <= t.dimensions[0] <= high]
        rows[f"one dimension, d {low}-{high}"] = some
    rows |= _by_size("one dimension", one) | {"unions": unions}
    rows["unions, gap 4 or more"] = [t for t in unions if t.gap >= 4]
    rows |= {f"unions, gap {gap}": [t for t in unions if t.gap == gap] for gap in (2, 3, 4, 5)}
    for low, high in ((1, 2), (3, 4), (5, 6)):
        some = [t for t in unions if low <= min(t.dimensions) <= high]
        rows[f"unions, lowest d {low}-{high}"] = some
    rows |= _by_size("unions", unions)
    yield "| sets | called different | of | share | 95% limits | of those, noise named |"
    yield "|---|---|---|---|---|---|"
    for name, some in rows.items():
        if some:
            hits = [t for t in some if t.status == "supported"]
            low_end, high_end = limits(len(hits), len(some))
            yield (
                f"| {name} | {len(hits)} | {len(some)} | {len(hits) / len(some):.1%} "
                f"| {low_end:.1%}-{high_end:.1%} | {sum(t.noise for t in hits)} |"
            )


def trade_off(done: Sequence[Trial]) -> Iterator[str]:
    """Lines of a table: what other rules would support.

    Plain, noisy and gridded sets stand apart: no rule may call any of them different more often.
    """
    names = [f"one dimension, {kind}" for kind in KINDS]
    some = [[t for t in done if t.kind == kind] for kind in KINDS]
    unions = [t for t in done if t.kind == "union"]
    names += ["unions", "unions, gap 4 or more"]
    some += [unions, [t for t in unions if t.gap >= 4]]
    yield "| rule | " + " | ".join(names) + " |"
    yield "|---" * (1 + len(names)) + "|"
    for rule in RULES:
        cells = [f"{sum(rule in t.by for t in sets)} of {len(sets)}" for sets in some]
        yield f"| {rule} | " + " | ".join(cells) + " |"


def refusals(unions: list[Trial]) -> Iterator[str]:
    """Lines: why unions were not recognised."""
    refused = [t for t in unions if t.status != "supported"]
    near = [t for t in refused if t.matter == "supported"]
    words = {
        "the labels matter at some k or none": [t for t in refused if t.matter != "supported"],
        "bands overlap in every pair, or no learned dimension is known": [
            t for t in near if t.gaps[1] < 0 or np.isneginf(t.gaps[0])
        ],
        "learned dimensions too near": [
            t for t in near if t.gaps[1] >= 0 and -np.inf < t.gaps[0] < LEARNED_APART
        ],
    }
    yield f"{len(refused)} unions not recognised:"
    yield from (f"- {name}: {len(some)}" for name, some in words.items())


def _by_size(name: str, some: list[Trial]) -> dict[str, list[Trial]]:
    bounds = ((500, 799), (800, 1600))
    return {
        f"{name}, smallest group {low}-{high}": [t for t in some if low <= t.n <= high]
        for low, high in bounds
    }


def trials(count: int, nulls: int, jobs: int) -> None:
    """Print what was got wrong, set by set, and the tables of rates."""
    done = []
    with multiprocessing.get_context("spawn").Pool(jobs, one_thread) as pool:
        for number, found in enumerate(pool.imap(partial(trial, nulls=nulls), range(count))):
            done.append(found)
            for name, said in zip(("", ", unseen"), found, strict=True):
                if (said.status == "supported") != (said.kind == "union"):
                    print(f"set {number}{name}: {said}", flush=True)
    heads = ("References of all families", "Without those of the set's own families")
    for head, some in zip(heads, zip(*done, strict=True), strict=True):
        print(f"\n{head}:\n")
        unions = [t for t in some if t.kind == "union"]
        print("\n".join([*rates(some), "", *trade_off(some), "", *refusals(unions)]))
