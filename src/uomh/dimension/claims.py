"""The three claims, decided from numbers that stand beside them in the report.

*Labels matter* asks whether the labels could be shuffled without anyone noticing
(``uomh.dimension.nulls``). Exchangeable labels are not equal dimension, though: shape, curvature
and density move an estimate too. *Dimensions differ* therefore asks for more: two groups whose
calibrated bands, from the dimension of a flat torus to that of a ball with the same estimate and
each widened by its interval, lie at least 1 apart at every k, at the groups' full size and again
at a quarter of it. The one pair that is widest apart at its worst k and size decides.

*Curvature* bends distances so that a set fills its ambient space faster than r^d, by a factor
1 + O(r^2). It can lift an estimate above the torus's band, and it shows: the calibrated dimension
rises as the set is thinned and r grows. As r^2 goes as n^(-2/d), a rise from t at n to t' at n/16
means that (t' - t) / (16^(2/d) - 1) of t is curvature. So much, for the largest rise within the
intervals, is taken off the lower end of the band of the higher group.

*Scale.* Noise of size s adds dimension below the scale s, so that thinning, which widens the
neighbourhoods, makes a noisy group's dimension fall. So does a boundary, but on a ball, nearly all
of it boundary, the calibrated dimension holds by construction. A group falls if it falls even when
calibrated as a ball, by more than its intervals at both sizes; it rises if it rises even when
calibrated as a torus.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.calibration import calibrated_band, expected_estimate
from uomh.dimension.groups import widened
from uomh.dimension.nulls import Nulls, chance_purity, crossing_edges, p_value, purity, spreads
from uomh.dimension.result import (
    DimensionsDiffer,
    Estimate,
    Gap,
    Group,
    GroupsSeparated,
    LabelsMatter,
    SpreadTest,
    Status,
)
from uomh.dimension.thinning import Floats, Ints

LEVEL = 0.05  # of the p-values
APART = 1.0  # of a dimension: how far apart bands must lie
_LOCAL = 8  # neighbourhoods of k points are local among this many times k


def labels_matter(observed: Floats, null: Floats, sizes: Ints, ks: Sequence[int]) -> LabelsMatter:
    """Claim 1: supported if p <= 0.05 at every k, undecided if only at some.

    Args:
        observed: (groups, ks) estimates.
        null: (B, groups, ks) estimates on the groups of the shuffles.
        sizes: (groups,) numbers of points.
        ks: numbers of neighbours.
    """
    tests = {}
    for j, k in enumerate(ks):
        spread, spread_null = spreads(observed[:, j], null[:, :, j], sizes)
        median = float(np.median(spread_null))
        low, middle, high = np.quantile(null[:, :, j], [0.025, 0.5, 0.975]).tolist()
        tests[k] = SpreadTest(
            rho=spread / median if median > 0 else float("inf"),
            statistic=spread,
            p_value=p_value(spread, spread_null),
            nulls=len(null),
            null=(low, middle, high),
        )
    small = [test.p_value <= LEVEL for test in tests.values()]
    status: Status = "supported" if all(small) else "undecided" if any(small) else "not supported"
    return LabelsMatter(status, tests)


def dimensions_differ(
    groups: Sequence[Group], ks: Sequence[int], matter: LabelsMatter
) -> DimensionsDiffer:
    """Claim 2, from the widened bands, at full size and a quarter, of groups large enough."""
    able = [g for g in groups if g.coarse and set(ks) <= set(g.coarse[0].k)]
    if len(able) < 2:
        small = min(groups, key=lambda group: group.n)
        return DimensionsDiffer(
            "undecided",
            reason=f"group {small.label!r} has {small.n} points, too few to look at a quarter of "
            f"them with k = {max(ks)}; give {8 * (max(ks) + 1)} or more, or a smaller k",
        )
    bands = np.array(
        [[_bands(g.n, g.k, ks), _bands(g.coarse[0].n, g.coarse[0].k, ks)] for g in able]
    )
    bands[:, 0, :, 0] -= [[curvature(group, k) for k in ks] for group in able]
    gaps = bands[None, ..., 0] - bands[:, None, ..., 1]  # (lower, higher, sizes, ks)
    worst = gaps.min(axis=(2, 3))
    lower, higher = divmod(int(worst.argmax()), len(able))
    pair = able[lower], able[higher]
    falls, rises, followed = zip(*(moves(group, ks) for group in pair), strict=True)
    moved = any(falls) or any(rises)
    apart = bool(worst[lower, higher] >= APART)
    status: Status = "undecided"
    reason = ""
    if matter.status == "not supported":
        status, reason = "not supported", "shuffled labels give groups that differ as much"
    elif apart and matter.status == "supported":
        status = "supported"
    elif not apart:
        reason = (
            "no two groups' dimensions are at least 1 apart whatever their shape, curvature and "
            "density"
        )
    else:
        reason = "the labels matter at some k only"
    return DimensionsDiffer(
        status,
        scale_stable=not moved if moved or all(followed) else None,
        falls=tuple(group.label for group, fall in zip(pair, falls, strict=True) if fall),
        k={
            k: Gap(
                gap=float(gaps[lower, higher, 0, j]),
                lowest=pair[0].label,
                highest=pair[1].label,
                coarse_gap=float(gaps[lower, higher, 1, j]),
            )
            for j, k in enumerate(ks)
        },
        reason=reason,
    )


def _bands(
    n: int, estimates: Mapping[int, Estimate], ks: Sequence[int]
) -> list[tuple[float, float]]:
    return [widened(estimates[k].low, estimates[k].high, n, k) for k in ks]


def curvature(group: Group, k: int) -> float:
    """How much of the calibrated dimension at full size may be curvature, by its rise on thinning.

    The rise is the largest that the intervals allow, to the coarsest size at which k neighbours
    are local.
    """
    full = group.k[k]
    local = [c for c in group.coarse if k in c.k and c.n >= _LOCAL * k]
    if not local or full.low <= 0:
        return 0.0
    flat = calibrated_band(full.low, group.n, k)[0]
    rise = calibrated_band(local[-1].k[k].high, local[-1].n, k)[0] - flat
    spread: float = (group.n / local[-1].n) ** (2 / flat) - 1
    return max(0.0, rise / spread)


def moves(group: Group, ks: Sequence[int]) -> tuple[bool, bool, bool]:
    """Whether a group's calibrated dimension falls, rises, and could be followed to n/16.

    Falls: as a ball, the low end at full size lies above the high end of a thinned group at some
    k. Rises: as a torus, the high end lies below the low one.
    """
    falls = rises = False
    for coarse in group.coarse:
        for k, thin in coarse.k.items():
            full = group.k[k]
            if full.low <= 0:  # no interval is known
                continue
            fine_low, fine_high = (
                calibrated_band(end, group.n, k) for end in (full.low, full.high)
            )
            thin_low, thin_high = (
                calibrated_band(end, coarse.n, k) for end in (thin.low, thin.high)
            )
            falls = falls or fine_low[1] > thin_high[1]
            rises = rises or fine_high[0] < thin_low[0]
    return falls, rises, len(group.coarse) > 1 and set(ks) <= set(group.coarse[-1].k)


def groups_separated(
    nearest: Ints, tree: NDArray[np.int64] | None, labels: Ints, nulls: Nulls
) -> GroupsSeparated:
    """Claim 3, from nearest neighbours and from the spanning tree.

    Supported if both p <= 0.05 and both kinds of mixing, neighbours of other groups and crossing
    edges, are at most half of what shuffled labels give: nearer to complete separation than to
    chance. Undecided if p is small but groups mix more than that.
    """
    share, chance = purity(nearest, labels), chance_purity(labels)
    p = p_value(share, nulls.purity)
    half = 1 - share <= (1 - chance) / 2
    crossing = expected = None
    if tree is not None:
        crossing, expected = crossing_edges(tree, labels), len(tree) * (1 - chance)
        p = max(p, p_value(-crossing, -nulls.crossing))
        half = half and crossing <= expected / 2
    status: Status = "not supported" if p > LEVEL else "supported" if half else "undecided"
    reason = "the groups lean apart, but mix more than half as much as shuffled ones would"
    return GroupsSeparated(
        status,
        purity=share,
        lift=share / chance if chance > 0 else float("inf"),
        p_value=p,
        mst_cross_edges=crossing,
        mst_cross_expected=expected,
        reason=reason if status == "undecided" else "",
    )


def detectable_difference(groups: Sequence[Group], k: int) -> float:
    """The smallest difference that claim 2 could show at one k between groups of median size.

    Two groups of one shape, as precise as the median group here, one of its dimension d (the
    middle of its band), the other of d + delta: the least delta at which the widened bands are
    1 apart at n and at n/4, for tori and for balls, whichever needs more. Infinite beyond the
    calibration table.
    """
    group = sorted(groups, key=lambda g: g.n)[len(groups) // 2]
    estimate = group.k[k]
    if estimate.low <= 0 or math.isinf(estimate.high):
        return math.inf  # groups too small for an interval show no difference
    below, above = estimate.low / estimate.dimension, estimate.high / estimate.dimension
    sizes = [group.n] + [c.n for c in group.coarse[:1] if k in c.k]
    d = float(np.clip(np.mean(estimate.calibrated), 1.0, 1000.0))

    def shown(delta: float) -> bool:
        for n in sizes:
            for shape in ("torus", "ball"):
                low, high = (expected_estimate(x, n, k, shape) for x in (d, d + delta))
                top = calibrated_band(low * above, n, k)[1]
                if calibrated_band(high * below, n, k)[0] - top < APART:
                    return False
        return True

    low, high = 0.0, 1024.0 - d
    if not shown(high):
        return float("inf")
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
