"""Claim 3: the groups lie apart, by nearest neighbours and by the minimum spanning tree.

Supported if both p <= 0.05 and both kinds of mixing, neighbours of other groups and crossing edges,
are at most half of what shuffled labels give: nearer to complete separation than to chance.
Undecided if p is small but groups mix more than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from uomh.dimension.claims.core import LEVEL, Claim, Evidence, Status
from uomh.dimension.nulls import p_value
from uomh.dimension.values import Above, Floats, Ints

_MIXED = "the groups lean apart, but mix more than half as much as shuffled ones would"


@dataclass(frozen=True)
class GroupsSeparated(Claim):
    """Claim 3: the groups lie apart.

    Attributes:
        purity: share of points whose nearest neighbour is of their own group.
        chance: the purity expected of shuffled labels; None in files that did not keep it.
        lift: purity over chance.
        p_value: the larger of the two shuffle p-values, of the purity and of the crossing edges.
        mst_cross_edges: edges of the minimum spanning tree between different groups.
        mst_cross_expected: their mean under shuffled labels.
    """

    status: Status
    purity: float | None = None
    lift: Above | None = None
    p_value: float | None = None
    mst_cross_edges: int | None = None
    mst_cross_expected: float | None = None
    reason: str = ""
    chance: float | None = None

    @classmethod
    def decide(cls, evidence: Evidence) -> Self:
        """By both kinds of mixing, against the same shuffles."""
        nearest, tree, asked = evidence.nearest, evidence.tree, evidence.asked

        def mixing(labels: Ints) -> tuple[float, int]:
            return purity(nearest, labels, asked), crossing(tree, labels)

        draws = np.array(evidence.shuffles(mixing), dtype=np.float64)
        return cls.of(nearest, tree, evidence.shuffles.labels, draws, asked)

    @classmethod
    def of(
        cls, nearest: Ints, tree: Ints | None, labels: Ints, null: Floats, asked: Ints | None = None
    ) -> Self:
        """From the points' labels.

        Args:
            nearest: (m,) nearest neighbours.
            tree: (m-1, 2) edges, or None.
            labels: (m,) groups, 0 to C-1.
            null: (B, 2) purity and crossing edges of the shuffles.
            asked: whose nearest neighbours these are; None: of all points.
        """
        share, chance = purity(nearest, labels, asked), chance_purity(labels)
        p = p_value(share, null[:, 0])
        half = 1 - share <= (1 - chance) / 2
        edges = expected = None
        if tree is not None:
            edges, expected = crossing(tree, labels), len(tree) * (1 - chance)
            p = max(p, p_value(-edges, -null[:, 1]))
            half = half and edges <= expected / 2
        status: Status = "not supported" if p > LEVEL else "supported" if half else "undecided"
        lift = share / chance if chance > 0 else float("inf")
        reason = _MIXED if status == "undecided" else ""
        return cls(status, share, lift, p, edges, expected, reason, chance)

    def row(self) -> str:
        """The share of nearest neighbours, and its multiple of chance."""
        if self.purity is None:
            return self.reason
        return f"{self.purity:.1%} of neighbours of the own group, {self.lift:.1f} times chance"

    def clause(self) -> str:
        """Whether they lie apart, and what share of neighbours says so."""
        share = f"{100 * (self.purity or 0):.0f}% of nearest neighbours share the group"
        if self.chance is not None:
            share += f", {100 * self.chance:.0f}% by chance"
        state = {
            "supported": "the groups are separated",
            "undecided": "the groups lean apart but mix",
            "not supported": "the groups are not separated",
        }[self.status]
        return f"{state} ({share})"


def purity(nearest: Ints, labels: Ints, asked: Ints | None = None) -> float:
    """Share of the points, or of those asked about, whose nearest neighbour bears their label."""
    mine = labels if asked is None else labels[asked]
    return float(np.mean(labels[nearest] == mine))


def chance_purity(labels: Ints) -> float:
    """The purity expected of shuffled labels: sum_c n_c (n_c - 1) / (n (n - 1))."""
    sizes = np.bincount(labels).astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / (sizes.sum() * (sizes.sum() - 1)))


def crossing(tree: Ints | None, labels: Ints) -> int:
    """Edges of the tree that join different labels (Friedman & Rafsky 1979); 0 without a tree.

    Few of them mean separated groups; shuffled labels give (n - 1) (1 - ``chance_purity``) of
    them on average, whatever the tree.
    """
    if tree is None:
        return 0
    return int(np.count_nonzero(labels[tree[:, 0]] != labels[tree[:, 1]]))
