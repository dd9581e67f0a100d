"""Gathers what stands behind a report (``details``) from the neighbours that ``verify`` has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uomh.dimension.claims.labels_matter import spreads
from uomh.dimension.details import Extreme, GroupDetails, Pair
from uomh.dimension.mle import inverse_dimension
from uomh.dimension.values import Floats, Group, Ints
from uomh.errors import UomhError
from uomh.neighbours import Neighbours

KEPT = 8
"""points of lowest, and of highest, dimension that are kept of a group"""
PAIRS = 12
"""nearest pairs that are kept"""

Ends = tuple[tuple[Extreme, ...], tuple[Extreme, ...]]
"""the points of lowest and of highest dimension of a set"""


def extremes(found: Neighbours, rows: Ints, k: int) -> Ends:
    """The points of lowest and of highest dimension of a set, from neighbours within it.

    Args:
        found: neighbours of points among n.
        rows: (n,) what the points are called.
        k: number of neighbours.

    Returns:
        The lowest and the highest, at most half of the points each; none where some point has
        fewer than k neighbours at positive distance in its list.
    """
    try:
        inverse = inverse_dimension(found.distances, k)
    except UomhError:
        return (), ()
    order = np.argsort(-inverse, kind="stable")
    count = min(KEPT, len(order) // 2)
    with np.errstate(divide="ignore"):  # all k neighbours of a point may be equally far
        dimensions = 1 / inverse
    ends = order[:count], order[::-1][:count]
    lowest, highest = (
        tuple(Extreme(int(rows[found.rows[i]]), float(dimensions[i])) for i in end.tolist())
        for end in ends
    )
    return lowest, highest


def nearest_pairs(found: Neighbours, rows: Ints) -> tuple[Pair, ...]:
    """The nearest pairs of points that are nearest neighbours, each once."""
    first, other = found.distances[:, 0], found.indices[:, 0]
    pairs: dict[tuple[int, int], Pair] = {}
    for i in np.argsort(first, kind="stable").tolist():
        if len(pairs) == PAIRS:
            break
        a, b = sorted((int(rows[found.rows[i]]), int(rows[other[i]])))
        pairs.setdefault((a, b), Pair(a, b, float(first[i])))
    return tuple(pairs.values())


def group_details(
    groups: Sequence[Group],
    ends: Sequence[Ends],
    labels: Ints,
    nearest: Ints,
    null: Floats | None,
    asked: Ints | None = None,
) -> tuple[GroupDetails, ...]:
    """What stands behind every group.

    Args:
        groups: of the report.
        ends: of every group, from `extremes`.
        labels: (m,) group of every point.
        nearest: position of the nearest neighbour of every point that was asked about.
        null: (B, groups, ks) estimates on the groups of the shuffles; None for a single group.
        asked: positions of the points that were asked about; None: all.
    """
    m = len(labels)
    mine = labels if asked is None else labels[asked]
    result = []
    for i, (group, (lowest, highest)) in enumerate(zip(groups, ends, strict=True)):
        near = labels[nearest[mine == i]]
        shares = np.bincount(near, minlength=len(groups)) / max(1, len(near))
        own, shares[i] = float(shares[i]), -1.0
        most = int(shares.argmax())
        share = max(0.0, float(shares[most]))
        bands = {}
        if null is not None:
            for j, k in enumerate(group.k):
                low, middle, high = np.quantile(null[:, i, j], [0.025, 0.5, 0.975]).tolist()
                bands[k] = (low, middle, high)
        other = groups[most].label if share else None
        chance = (group.n - 1) / (m - 1)
        result.append(GroupDetails(group.label, own, chance, other, share, bands, lowest, highest))
    return tuple(result)


def null_spreads(
    groups: Sequence[Group], observed: Floats | None, null: Floats | None
) -> dict[int, tuple[float, ...]]:
    """By k, the statistic T of every shuffle; of the groups (groups, ks) and (B, groups, ks)."""
    if null is None or observed is None:
        return {}
    sizes = np.array([group.n for group in groups])
    return {
        k: tuple(spreads(observed[:, j], null[:, :, j], sizes)[1].tolist())
        for j, k in enumerate(groups[0].k)
    }
