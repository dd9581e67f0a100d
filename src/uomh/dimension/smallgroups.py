"""Sets and groups that are too small to be measured: refused, or left out by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.values import Ints
from uomh.errors import UomhError
from uomh.text import counted

NAMED = 10
"""groups left out that a sentence names; the report has them all"""


def require_size(what: str, n: int, dropped: int, k: int, fewest: int) -> None:
    """Raise unless n points are as many as k neighbours need."""
    if n < fewest:
        after = f" after {dropped} duplicates were dropped" if dropped else ""
        raise UomhError(
            f"{what} has {n} points{after}, and k = {k} needs at least {fewest}; "
            "use a smaller k, add points, or leave a small group out"
        )


def large_groups(
    labels: Ints, names: Sequence[str], dropped: Ints, least: int
) -> tuple[NDArray[np.bool_], dict[str, int], dict[str, int]]:
    """Which groups have so many points, and what the others had.

    Args:
        labels: (m,) groups 0 to C-1 of the points, duplicates dropped.
        names: of the groups; none where the data have no groups.
        dropped: (C,) duplicates that each group lost.
        least: points that a group needs.

    Returns:
        One truth value a group, (C,); points of each small group by its name; and the duplicates of
        those small groups that lost any.

    Raises:
        UomhError: no group has so many.
    """
    sizes = np.bincount(labels, minlength=len(names))
    large = sizes >= least
    if names and not large.any():
        most = int(sizes.argmax())
        after = f" after {dropped[most]} duplicates were dropped" if dropped[most] else ""
        raise UomhError(
            f"no group has the {least} points that can be measured; the largest, {names[most]!r}, "
            f"has {sizes[most]}{after}; use a smaller k, or larger groups"
        )
    small = [i for i in range(len(names)) if not large[i]]
    lost = {names[i]: int(dropped[i]) for i in small if dropped[i]}
    return large, {names[i]: int(sizes[i]) for i in small}, lost


def groups_left_out(left_out: Mapping[str, int], duplicates: Mapping[str, int]) -> str:
    """Which groups were too small, as a sentence for the report; empty where none was.

    Args:
        left_out: points of each by name, duplicates dropped.
        duplicates: how many each lost, where it lost any.

    >>> groups_left_out({"yeti": 3}, {})
    'The group yeti (3 points) is too small to be measured and was left out.'
    >>> groups_left_out({"yeti": 1}, {"yeti": 2})
    'The group yeti (1 point and 2 duplicates) is too small to be measured and was left out.'
    """
    if not left_out:
        return ""
    points = counted(sum(left_out.values()), "point")
    if duplicates:
        points += f" and {counted(sum(duplicates.values()), 'duplicate')}"
    if len(left_out) == 1:
        [name] = left_out
        return f"The group {name} ({points}) is too small to be measured and was left out."
    names = [f"{name} ({size:,})" for name, size in left_out.items()]
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return (
        f"{len(names):,} groups with {points} in all are too small to be measured and were left "
        f"out: {', '.join(names[:NAMED])}{more}."
    )
