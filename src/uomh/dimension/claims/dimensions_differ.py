"""Claim 2: two groups differ in true dimension, whatever their shapes.

Exchangeable labels are not equal dimension: shape, curvature and density move an estimate too. This
claim therefore asks for more than that the labels matter. Each group has two kinds of evidence.

*Learned dimensions* (``uomh.dimension.references``) decide wherever two groups have one: the claim
is supported where the learned dimensions of a pair lie a quarter apart beyond three of their
standard errors each (more among 13 groups or more, as there are more pairs), and the bands of the
pair do not overlap at any k. A group that is like no reference is of no known dimension.

*Bands* of true dimension, from a flat torus to a ball with the same estimate and each widened by
its interval, decide where nothing was learned (no coordinates, other k, anchors): they must lie at
least 1 apart at every k, at the groups' full size and again at a quarter of it. The one pair that
is widest apart at its worst k and size decides. What may be curvature is taken off first
(``bands``). Without a calibration the claim is undecided.

*Other instruments* (`uomh.dimension.instruments`) may be heard on the order of the pair. One agrees
where its interval of the higher group lies above that of the lower, and contradicts where it lies
below. A contradiction leaves the claim undecided: of two biases, one at least is mistaken for a
difference. Agreement lowers no threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
from scipy.special import ndtri

from uomh.dimension.calibration import calibrated_band, expected_estimate
from uomh.dimension.claims.bands import band_gaps, moves
from uomh.dimension.claims.core import Claim, Evidence, Status
from uomh.dimension.claims.labels_matter import LabelsMatter
from uomh.dimension.values import Below, Floats, Group, Learned

Opinion = Literal["agrees", "contradicts", "open"]
_WORDS: dict[Opinion, str] = {
    "agrees": "agrees on their order",
    "contradicts": "finds the opposite order",
    "open": "finds neither higher",
}
DecidedBy = Literal["learned dimensions", "bands"]
APART = 1.0  # of a dimension: how far apart bands must lie
LEARNED_APART = 0.25  # of a dimension, beyond the errors of both
ERRORS_APART = 3.0  # standard errors, among few groups
_FALSE_PAIRS = 0.1  # of all pairs: what chance may set apart, were errors normal
_TOO_NEAR = (
    "no two groups' dimensions are at least 1 apart whatever their shape, curvature and density"
)
_LEARNED_TOO_NEAR = (
    "no two groups' learned dimensions lie apart beyond their errors with bands that do not overlap"
)


@dataclass(frozen=True)
class Gap:
    """How far the widened bands of the deciding pair lie apart; negative where they overlap.

    Attributes:
        gap: at the groups' full size.
        lowest: label of the group of lower dimension.
        highest: label of the group of higher dimension.
        coarse_gap: at a quarter of the size.
    """

    gap: Below
    lowest: str
    highest: str
    coarse_gap: Below


@dataclass(frozen=True)
class DimensionsDiffer(Claim):
    """Claim 2: two groups differ in true dimension, whatever their shapes.

    Attributes:
        decided_by: which evidence decided: ``"learned dimensions"`` or ``"bands"``.
        learned_gap: how far the learned dimensions of the pair lie apart, beyond their errors;
            None where bands decided.
        scale_stable: the calibrated dimension of the deciding pair holds from n to n/4 to n/16;
            None where the groups are too small to tell.
        falls: labels of those of the pair whose calibrated dimension falls as they are thinned.
        opinions: of other instruments on the order of the pair, by their name: ``"agrees"``,
            ``"contradicts"``, or ``"open"`` where their intervals overlap.
    """

    status: Status
    scale_stable: bool | None = None
    falls: tuple[str, ...] = ()
    k: dict[int, Gap] = field(default_factory=dict)
    reason: str = ""
    opinions: dict[str, Opinion] = field(default_factory=dict)
    decided_by: DecidedBy = "bands"
    learned_gap: Below | None = None

    @classmethod
    def decide(cls, evidence: Evidence) -> Self:
        """By the bands of the groups; undecided without a calibration."""
        if evidence.uncalibrated:
            return cls("undecided", reason=evidence.uncalibrated)
        return cls.of(evidence.groups, evidence.ks, LabelsMatter.decide(evidence).status)

    @classmethod
    def of(cls, groups: Sequence[Group], ks: Sequence[int], matter: Status) -> Self:
        """From the learned dimensions and the widened bands of groups large enough.

        Args:
            groups: with calibrated bands.
            ks: numbers of neighbours.
            matter: status of the claim that the labels matter.
        """
        able = [g for g in groups if g.coarse and set(ks) <= set(g.coarse[0].k)]
        if len(able) < 2:
            small = min(groups, key=lambda group: group.n)
            return cls(
                "undecided",
                reason=f"group {small.label!r} has {small.n} points, too few to look at a quarter "
                f"of them with k = {max(ks)}; give {8 * (max(ks) + 1)} or more, or a smaller k",
            )
        told = [g for g in able if g.learned is not None]
        decided_by: DecidedBy = "learned dimensions" if len(told) > 1 else "bands"
        able = told if len(told) > 1 else able
        gaps = band_gaps(able, ks)
        worst = gaps.min(axis=(2, 3))
        learned_gap: float | None = None
        if decided_by == "bands":
            lower, higher = divmod(int(worst.argmax()), len(able))
            apart, too_near = worst[lower, higher] >= APART, _TOO_NEAR
        else:
            between = _learned_gaps([g.learned for g in able if g.learned is not None])
            overlapping = gaps[:, :, 0].min(axis=2) < 0
            lower, higher = _widest(np.where(overlapping, -np.inf, between), between, worst)
            learned_gap = float(between[lower, higher])
            apart = learned_gap >= LEARNED_APART and not overlapping[lower, higher]
            too_near = _LEARNED_TOO_NEAR
        pair = able[lower], able[higher]
        falls, rises, followed = zip(*(moves(group, ks) for group in pair), strict=True)
        moved = any(falls) or any(rises)
        stable = not moved if moved or all(followed) else None
        falling = tuple(group.label for group, fall in zip(pair, falls, strict=True) if fall)
        full, quarter = gaps[lower, higher].tolist()
        k_gaps = {
            k: Gap(gap, pair[0].label, pair[1].label, coarse_gap)
            for k, gap, coarse_gap in zip(ks, full, quarter, strict=True)
        }
        heard = _opinions(*pair)
        against = [name for name, opinion in heard.items() if opinion == "contradicts"]
        status: Status = "undecided"
        if matter == "not supported":
            status, reason = "not supported", "shuffled labels give groups that differ as much"
        elif not apart:
            reason = too_near
        elif against:
            reason = (
                f"the distances find more dimensions in {pair[1].label!r} than in "
                f"{pair[0].label!r}, and {' and '.join(against)} the opposite"
            )
        elif matter == "supported":
            status, reason = "supported", ""
        else:
            reason = "the labels matter at some k only"
        return cls(
            *(status, stable, falling, k_gaps, reason, heard, decided_by),
            learned_gap,
        )

    def row(self) -> str:
        """The deciding pair, how far apart it lies, and whether that holds over scale."""
        if not self.k:
            return self.reason
        first = next(iter(self.k.values()))
        widths = ", ".join(f"{gap.gap:.1f}" for gap in self.k.values())
        stable = {True: "stable", False: "not stable", None: "unknown"}[self.scale_stable]
        heard = "".join(f"; {name} {_WORDS[said]}" for name, said in self.opinions.items())
        pair = f"{first.lowest} and {first.highest}"
        where = f"bands of {pair} apart by {widths}"
        if self.learned_gap is not None:
            known = math.isfinite(self.learned_gap)
            apart = f"apart by {self.learned_gap:.1f}" if known else "not known"
            where = f"learned dimensions of {pair} {apart}, bands by {widths}"
        return f"{where}; over scale {stable}{heard}"

    def clause(self) -> str:
        """Which other instruments agree, and which say neither."""
        agree = [name for name, said in self.opinions.items() if said == "agrees"]
        if self.status != "supported" or not agree:
            return ""
        return f"{' and '.join(agree)} agree{'s' if len(agree) == 1 else ''} on their order"

    def pair(self, groups: Sequence[Group]) -> str:
        """The deciding pair and its dimensions: learned ones, or bands at the middle k."""
        k = sorted(self.k)[len(self.k) // 2]
        by_label = {group.label: group for group in groups}
        low, high = by_label[self.k[k].lowest], by_label[self.k[k].highest]
        if self.decided_by == "learned dimensions":
            return (
                f"{_learned(low)} for {low.label!r} and {_learned(high)} for {high.label!r}, "
                "beyond what group size, shape and chance explain"
            )
        return (
            f"about {_band(low, k)} for {low.label!r} and {_band(high, k)} for {high.label!r} "
            f"at k = {k}, beyond what group size, shape and chance explain"
        )

    def caveat(self) -> str:
        """What a dimension that changes over scale may mean."""
        if self.status != "supported" or self.scale_stable is True:
            return ""
        if self.scale_stable is None:
            return "the groups are too small to follow their dimension to coarser scale"
        if self.falls:
            which = " and ".join(repr(label) for label in self.falls)
            return (
                f"but the dimension of {which} falls at coarser scale, so noise in the data is "
                "another explanation"
            )
        return "but the dimensions rise at coarser scale, as those of curved sets do"


def _opinions(lower: Group, higher: Group) -> dict[str, Opinion]:
    """What the instruments that know both groups say of their order."""
    heard: dict[str, Opinion] = {}
    for name, low in lower.others.items():
        if name in higher.others:
            high = higher.others[name]
            if high.low > low.high:
                heard[name] = "agrees"
            else:
                heard[name] = "contradicts" if high.high < low.low else "open"
    return heard


def _learned_gaps(learned: Sequence[Learned]) -> Floats:
    """How far learned dimensions lie apart beyond their errors, (lower group, higher group)."""
    low, high = np.array([one.ends(errors_apart(len(learned))) for one in learned]).T
    gaps = np.where(np.isfinite(high), low, -np.inf)[None] - high[:, None]
    np.fill_diagonal(gaps, -np.inf)
    return np.asarray(gaps)


def errors_apart(groups: int) -> float:
    """How many standard errors of each of two learned dimensions must lie between them.

    >>> errors_apart(10), round(errors_apart(100), 2)
    (3.0, 4.11)
    """
    pairs = max(1, groups * (groups - 1) // 2)
    return max(ERRORS_APART, float(ndtri(1 - _FALSE_PAIRS / pairs)))


def _widest(*orders: Floats) -> tuple[int, int]:
    """The pair that is widest apart, never a group with itself; ties go by the next order."""
    tied = ~np.eye(len(orders[0]), dtype=bool)
    for gaps in orders:
        tied &= gaps == gaps[tied].max()
    lower, higher = np.argwhere(tied)[0].tolist()
    return lower, higher


def _learned(group: Group) -> str:
    assert group.learned is not None  # of the pair that they decided
    low, high = group.learned.ends()
    return f"{group.learned.dimension:.1f} ({low:.1f} to {high:.1f})"


def _band(group: Group, k: int) -> str:
    low, high = (f"{end:.1f}" for end in group.k[k].calibrated or (0.0, math.inf))
    return low if low == high else f"{low} to {high}"


def detectable_difference(groups: Sequence[Group], k: int) -> float:
    """The smallest difference that claim 2 could show at one k between groups of median size.

    Two groups of one shape, as precise as the median group here, one of its dimension d (as
    learned, or the middle of its band), the other of d + delta: the least delta at which the
    claim's rule holds, for tori and for balls, whichever needs more. Infinite beyond the
    calibration table, and where the group is like no reference.
    """
    group = sorted(groups, key=lambda g: g.n)[len(groups) // 2]
    estimate = group.k[k]
    if estimate.low <= 0 or math.isinf(estimate.high):
        return math.inf  # groups too small for an interval show no difference
    below, above = estimate.low / estimate.dimension, estimate.high / estimate.dimension
    sizes = [group.n] + [c.n for c in group.coarse[:1] if k in c.k]
    band = calibrated_band(estimate.dimension, group.n, k)
    learned = group.learned
    d = float(np.clip(learned.dimension if learned else np.mean(band), 1.0, 1000.0))
    if learned is not None:
        sizes = sizes[:1]

    def shown(delta: float) -> bool:
        if learned is not None:
            higher = replace(learned, dimension=d + delta)
            if _learned_gaps([replace(learned, dimension=d), higher])[0, 1] < LEARNED_APART:
                return False
        for n in sizes:
            for shape in ("torus", "ball"):
                low, high = (expected_estimate(x, n, k, shape) for x in (d, d + delta))
                top = calibrated_band(low * above, n, k)[1]
                if calibrated_band(high * below, n, k)[0] - top < (
                    APART if learned is None else 0.0
                ):
                    return False
        return True

    low, high = 0.0, 1024.0 - d
    if not shown(high):
        return float("inf")
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
