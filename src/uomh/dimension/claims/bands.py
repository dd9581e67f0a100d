"""Bands of true dimension: how far those of groups lie apart, and what moves them over scale.

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
from collections.abc import Sequence

import numpy as np

from uomh.dimension.calibration import calibrated_band
from uomh.dimension.values import DimensionEstimate, Floats, Group

_LOCAL = 8  # neighbourhoods of k points are local among this many times k


def band_gaps(groups: Sequence[Group], ks: Sequence[int]) -> Floats:
    """How far the widened bands lie apart, (lower group, higher group, n and n/4, ks)."""
    bands = np.array(
        [[[widened(size.k[k], size.n, k) for k in ks] for size in (g, g.coarse[0])] for g in groups]
    )
    bands[:, 0, :, 0] -= [[curvature(group, k) for k in ks] for group in groups]
    return np.asarray(bands[None, ..., 0] - bands[:, None, ..., 1])


def widened(estimate: DimensionEstimate, n: int, k: int) -> tuple[float, float]:
    """The calibrated band of all estimates in the interval; (0, inf) where that is not known."""
    if estimate.low <= 0 or math.isinf(estimate.high):
        return 0.0, math.inf
    return calibrated_band(estimate.low, n, k)[0], calibrated_band(estimate.high, n, k)[1]


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
            fine = [calibrated_band(end, group.n, k) for end in (full.low, full.high)]
            rough = [calibrated_band(end, coarse.n, k) for end in (thin.low, thin.high)]
            falls = falls or fine[0][1] > rough[1][1]
            rises = rises or fine[1][0] < rough[0][0]
    return falls, rises, len(group.coarse) > 1 and set(ks) <= set(group.coarse[-1].k)
