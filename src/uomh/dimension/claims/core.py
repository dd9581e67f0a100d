"""What a claim is, and what it is decided from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from uomh.dimension.nulls import Shuffles
from uomh.dimension.values import Floats, Group, Ints

Status = Literal["supported", "not supported", "undecided"]

LEVEL = 0.05
"""of the p-values"""


@dataclass(frozen=True)
class Evidence:
    """What was measured of a set of m points in two groups or more.

    Attributes:
        groups: the estimates, group by group.
        ks: numbers of neighbours.
        observed: (groups, ks) estimates that compare with those of the shuffles: at fewer points
            than in ``groups`` where these are.
        null: (B, groups, ks) estimates on the groups of every shuffle of the labels.
        shuffles: the shuffles themselves and the labels, for a claim with another statistic.
        nearest: (m,) the nearest neighbour of every point, or of those in ``asked``.
        tree: (m-1, 2) edges of the minimum spanning tree, or of that of a subsample; None if it
            takes points that were not given.
        uncalibrated: why no true dimensions can be told from these estimates; empty where they can.
        from_points: whether the labels were chosen by looking at the points.
        asked: the points whose nearest neighbour is known; None: all.
    """

    groups: Sequence[Group]
    ks: Sequence[int]
    observed: Floats
    null: Floats
    shuffles: Shuffles
    nearest: Ints
    tree: Ints | None
    uncalibrated: str = ""
    from_points: bool = False
    asked: Ints | None = None


class Claim(ABC):
    """A claim about the groups of a set; subclasses are frozen dataclasses.

    Their fields are the claim's part of ``dimension.json``; ``status`` and ``reason`` among them.
    A subclass becomes a claim of ``verify`` by a field of `uomh.dimension.claims.Claims`.
    """

    status: Status
    reason: str

    @classmethod
    @abstractmethod
    def decide(cls, evidence: Evidence) -> Self:
        """The claim as the evidence has it."""

    @abstractmethod
    def row(self) -> str:
        """What it rests on, in a few words, for a table beside its status."""

    def clause(self) -> str:
        """What it adds to the sentence of the verdict, or nothing."""
        return ""

    def caveat(self) -> str:
        """What else may explain it, at the end of that sentence, or nothing."""
        return ""
