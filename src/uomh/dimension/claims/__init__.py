"""The claims of ``verify``, one in each file, and the sentence that they make together.

A claim (`Claim`) is a frozen dataclass: what it computes from the `Evidence`, when it is supported,
its row and its part of the sentence. To add one, write its file and give it a field in `Claims`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, get_type_hints

from uomh.dimension.claims.core import Claim, Evidence
from uomh.dimension.claims.dimensions_differ import DimensionsDiffer
from uomh.dimension.claims.groups_separated import GroupsSeparated
from uomh.dimension.claims.labels_matter import CHOSEN, LabelsMatter
from uomh.dimension.values import Group


@dataclass(frozen=True)
class Claims:
    """All claims, by name, each with the numbers that it rests on."""

    labels_matter: LabelsMatter
    dimensions_differ: DimensionsDiffer
    groups_separated: GroupsSeparated

    @classmethod
    def decide(cls, evidence: Evidence) -> Self:
        """Every claim as the evidence has it."""
        return cls(**{name: claim.decide(evidence) for name, claim in get_type_hints(cls).items()})

    @classmethod
    def undecided(cls, reason: str) -> Self:
        """Every claim undecided, for the same reason."""
        hints = get_type_hints(cls)
        return cls(**{name: claim("undecided", reason=reason) for name, claim in hints.items()})

    def by_name(self) -> dict[str, Claim]:
        """The claims in their order; a name is that of the field, in words."""
        return {name.replace("_", " "): claim for name, claim in vars(self).items()}

    def verdict(self, name: str, groups: Sequence[Group], *, from_points: bool = False) -> str:
        """One sentence on whether a set looks like a union of manifolds of different dimension.

        Args:
            name: of the set.
            groups: what was measured of each.
            from_points: whether the groups were chosen by looking at the points; the sentence then
                says what that means.
        """
        if len(groups) < 2:
            return (
                f"{name} has no groups to compare, and a verdict needs at least two: give labels, "
                "or name a clusterer or a file of labels with --by."
            )
        claims = self.by_name().values()
        parts = [self._answer(name, groups, from_points)]
        parts += [claim.clause() for claim in claims] + [claim.caveat() for claim in claims]
        parts += [f"but {CHOSEN}"] if from_points else []
        return "; ".join(filter(None, parts)) + "."

    def _answer(self, name: str, groups: Sequence[Group], from_points: bool) -> str:
        differ, matter = self.dimensions_differ, self.labels_matter
        if differ.status == "supported":
            separated = self.groups_separated.status == "supported" and not from_points
            what = "looks like a union of manifolds" if separated else "has groups"
            return f"{name} {what} of different dimension: {differ.pair(groups)} ({matter.p()})"
        if matter.status == "not supported":
            return (
                f"{name} gives no evidence of groups of different dimension: shuffled labels "
                f"differ as much ({matter.p()})"
            )
        some = "at some numbers of neighbours only " if matter.status == "undecided" else ""
        but = f", but {differ.reason}" if matter.status == "supported" else ""
        return (
            f"Whether {name} is a union of manifolds of different dimension is open: the labels "
            f"matter {some}({matter.p()}){but}"
        )
