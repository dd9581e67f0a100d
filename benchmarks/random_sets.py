"""Random sets of `families.py` for `fooling.py --random N`, and how often they fool `uomh.verify`.

Half of them are of one dimension in 2 to 5 groups (d 1 to 10; a third as they are, a third with
noise of a level of its own in each group, a third on grids of their own), half are unions (d 1 to
8, the widest gap 2 to 5, a fifth of the groups noisy, a fifth on a grid); 500 to 1,600 points a
group, in 120 coordinates or more. A set depends on its number alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from families import FAMILIES, dimension_of, noisy, rounded, turned, unit
from uomh import verify
from uomh.dimension.claims.dimensions_differ import APART

Array = NDArray[np.float64]
KINDS = ("plain", "noise by group", "on grids")
AMBIENT = 120  # coordinates that every group is turned into
KS = (3, 10, 20)
THRESHOLDS = (1.0, 0.75, 0.5, 0.25, 0.0)  # of the trade-off; the first is today's


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
        matter: status of the claim that labels matter.
        full: how far apart the bands of the deciding pair lie, the least over k; minus infinity
            where no pair could be looked at.
        quarter: the same where the groups are thinned to a quarter.
    """

    kind: str
    dimensions: tuple[int, ...]
    families: tuple[str, ...]
    n: int
    status: str
    noise: bool
    reason: str = ""
    matter: str = "supported"
    full: float = -np.inf
    quarter: float = -np.inf

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


def trial(number: int, nulls: int) -> Trial:
    """What is said of one random set."""
    drawn = random_set(number)
    points, labels = points_and_labels(drawn)
    report = verify(points, labels, k=KS, nulls=nulls, seed=number, name=f"set {number}")
    differ = report.claims.dimensions_differ
    return Trial(
        drawn.kind,
        drawn.dimensions,
        drawn.families,
        n=int(np.bincount(labels).min()),
        status=differ.status,
        noise="noise" in report.verdict,
        reason=differ.reason,
        matter=report.claims.labels_matter.status,
        full=min((gap.gap for gap in differ.k.values()), default=-np.inf),
        quarter=min((gap.coarse_gap for gap in differ.k.values()), default=-np.inf),
    )


def limits(hits: int, of: int) -> tuple[float, float]:
    """95% confidence limits of a share (Clopper & Pearson 1934).

    >>> [round(x, 4) for x in limits(0, 200)]
    [0.0, 0.0183]
    """
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0


def rates(done: list[Trial]) -> Iterator[str]:
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


def trade_off(done: list[Trial]) -> Iterator[str]:
    """Lines of a table: what other thresholds would give, on the pair that decides today.

    Plain, noisy and gridded sets stand apart: no rule may call any of them different more often.
    """
    names = [f"one dimension, {kind}" for kind in KINDS]
    some = [[t for t in done if t.kind == kind] for kind in KINDS]
    unions = [t for t in done if t.kind == "union"]
    names += ["unions", "unions, gap 4 or more"]
    some += [unions, [t for t in unions if t.gap >= 4]]
    yield "| apart by | at | " + " | ".join(names) + " |"
    yield "|---" * (2 + len(names)) + "|"
    for where in ("both sizes", "full size"):
        for apart in THRESHOLDS:
            cells = []
            for sets in some:
                hits = sum(
                    t.matter == "supported"
                    and t.full >= apart
                    and (where == "full size" or t.quarter >= apart)
                    for t in sets
                )
                cells.append(f"{hits} of {len(sets)}")
            yield f"| {apart:g} | {where} | " + " | ".join(cells) + " |"


def refusals(unions: list[Trial]) -> Iterator[str]:
    """Lines: why unions were not recognised, and at which size their bands are too near."""
    refused = [t for t in unions if t.status != "supported"]
    near = [t for t in refused if t.matter == "supported" and np.isfinite(t.full)]
    words = {
        "the labels matter at some k or none": [t for t in refused if t.matter != "supported"],
        "bands less than 1 apart at full size and at a quarter": [
            t for t in near if t.full < APART and t.quarter < APART
        ],
        "at full size alone": [t for t in near if t.full < APART <= t.quarter],
        "at a quarter alone": [t for t in near if t.quarter < APART <= t.full],
    }
    yield f"{len(refused)} unions not recognised:"
    yield from (f"- {name}: {len(some)}" for name, some in words.items())


def _by_size(name: str, some: list[Trial]) -> dict[str, list[Trial]]:
    bounds = ((500, 799), (800, 1600))
    return {
        f"{name}, smallest group {low}-{high}": [t for t in some if low <= t.n <= high]
        for low, high in bounds
    }


def trials(count: int, nulls: int) -> None:
    """Print what was got wrong, set by set, and the table of rates."""
    done = []
    for number in range(count):
        done.append(trial(number, nulls))
        if (done[-1].status == "supported") != (done[-1].kind == "union"):
            print(f"set {number}: {done[-1]}", flush=True)
    unions = [t for t in done if t.kind == "union"]
    print("\n".join([*rates(done), "", *trade_off(done), "", *refusals(unions)]))
