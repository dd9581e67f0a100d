"""The claims as one sentence, hedged as they are."""

from __future__ import annotations

from collections.abc import Sequence

from uomh.dimension.result import Claims, Group

CHOSEN = (
    "the groups were chosen by looking at these points, which by itself can make them differ and "
    "lie apart, so that no p-value holds as such"
)


def verdict(
    name: str, groups: Sequence[Group], claims: Claims, *, from_points: bool = False
) -> str:
    """One sentence on whether the set looks like a union of manifolds of different dimension.

    Args:
        name: of the set.
        groups: what was measured of each.
        claims: about them.
        from_points: whether the groups were chosen by looking at the points; the sentence then says
            what that means.
    """
    if len(groups) < 2:
        return (
            f"{name} has no groups to compare, and a verdict needs at least two: give labels, or "
            "name a clusterer or a file of labels with --by."
        )
    differ, matter = claims.dimensions_differ, claims.labels_matter
    if differ.status == "supported":
        separated = claims.groups_separated.status == "supported" and not from_points
        what = "looks like a union of manifolds" if separated else "has groups"
        answer = f"{name} {what} of different dimension: {_pair(claims, groups)}"
    elif matter.status == "supported":
        open_ = f"Whether {name} is a union of manifolds of different dimension is open: the labels"
        answer = f"{open_} matter ({_p(claims)}), but {differ.reason}"
    elif matter.status == "undecided":
        answer = (
            f"Whether {name} is a union of manifolds of different dimension is open: the labels "
            f"matter at some numbers of neighbours only ({_p(claims)})"
        )
    else:
        answer = (
            f"{name} gives no evidence of groups of different dimension: shuffled labels differ "
            f"as much ({_p(claims)})"
        )
    chosen = f"; but {CHOSEN}" if from_points else ""
    return f"{answer}; {_separation(claims)}{_noise(claims)}{chosen}."


def _pair(claims: Claims, groups: Sequence[Group]) -> str:
    gaps = claims.dimensions_differ.k
    k = sorted(gaps)[len(gaps) // 2]
    by_label = {group.label: group for group in groups}
    low, high = by_label[gaps[k].lowest], by_label[gaps[k].highest]
    return (
        f"about {_band(low.k[k].calibrated)} for {low.label!r} and {_band(high.k[k].calibrated)} "
        f"for {high.label!r} at k = {k}, beyond what group size, shape and chance explain "
        f"({_p(claims)})"
    )


def _band(band: tuple[float, float]) -> str:
    low, high = (f"{end:.1f}" for end in band)
    return low if low == high else f"{low} to {high}"


def _p(claims: Claims) -> str:
    values = [test.p_value for test in claims.labels_matter.k.values()]
    low, high = (f"{value:.2g}" for value in (min(values), max(values)))
    return f"p = {low}" if low == high else f"p = {low} to {high}"


def _separation(claims: Claims) -> str:
    apart = claims.groups_separated
    share = f"{100 * (apart.purity or 0):.0f}% of nearest neighbours share the group"
    chance = f"{100 * (apart.purity or 0) / (apart.lift or 1):.0f}% by chance"
    state = {
        "supported": "the groups are separated",
        "undecided": "the groups lean apart but mix",
        "not supported": "the groups are not separated",
    }[apart.status]
    return f"{state} ({share}, {chance})"


def _noise(claims: Claims) -> str:
    differ = claims.dimensions_differ
    if differ.status != "supported" or differ.scale_stable is True:
        return ""
    if differ.scale_stable is None:
        return "; the groups are too small to follow their dimension to coarser scale"
    if differ.falls:
        which = " and ".join(repr(label) for label in differ.falls)
        return (
            f"; but the dimension of {which} falls at coarser scale, so noise in the data is "
            "another explanation"
        )
    return "; but the dimensions rise at coarser scale, as those of curved sets do"
