"""What a group looks like at its points: scale-free numbers from which a dimension can be learned.

One estimate at one k cannot tell a ball of dimension 10 from a torus of dimension 9. How the
estimate moves with k and with thinning, how uneven the density is, and what the neighbourhoods look
like as vectors can: boundary, curvature, noise and uneven density each leave their own mark. No
trait changes with the unit of length, a turn or a shift; all but the size are ratios.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata, skew

from uomh.dimension.calibration import calibrated_band
from uomh.dimension.core import Coordinates
from uomh.dimension.ess import by_angles
from uomh.dimension.local import neighbourhoods
from uomh.dimension.lpca import eigenvalues
from uomh.dimension.mle import inverse_dimension
from uomh.dimension.rounding import rounding_radius
from uomh.dimension.values import Floats, Group
from uomh.errors import UomhError
from uomh.neighbours import Neighbours

KS = (3, 10, 20)
FEWEST = 352  # points, so that a sixteenth of them has an estimate at k = 10
ANCHORS = 300  # neighbourhoods that are looked at as vectors
NEAR, WIDE = 15, 60  # neighbours in them
_FEW, _MANY = 2, 80  # the finest and the coarsest k of the whole group

NAMES = (
    *("dimension", "size", "at 3", "at 20", "quarter at 3", "quarter at 10", "quarter at 20"),
    *("sixteenth at 3", "sixteenth at 10", "at 2", "at 80", "dispersion at 3", "dispersion at 10"),
    *("dispersion at 20", "spread of radii", "skewness of radii", "radius and dimension"),
    *("skewness of in-degrees", "never a neighbour", "angles near", "angles wide"),
    *("participation near", "participation wide", "directions", "outside near", "outside wide"),
    "rounding",
)
"""of the traits, in their order; the first is the logarithm of the dimension of a flat torus with
the estimate at k = 10, and what is called after a k is relative to it"""


def traits(group: Group, found: Neighbours, points: Coordinates) -> Floats:
    """The traits of one group, (len(NAMES),).

    Args:
        group: its estimates by ``mle`` at k = 3, 10 and 20, whole and thinned.
        found: neighbours of its n points among themselves, without copies.
        points: (n, D).

    Raises:
        UomhError: other k, or too few points.
    """
    n = group.n
    if not set(KS) <= set(group.k):
        raise UomhError("it takes the estimates at k = 3, 10 and 20")
    if n < FEWEST or found.k < _MANY or len(group.coarse) < 2 or 10 not in group.coarse[1].k:
        raise UomhError(f"it takes {FEWEST} points")
    base = _torus(group.k[10].dimension, n, 10)
    at = [_torus(group.k[k].dimension, n, k) for k in (3, 20)]
    for coarse, ks in zip(group.coarse, (KS, (3, 10)), strict=False):
        at += [_torus(coarse.k[k].dimension, coarse.n, k) for k in ks]
    inverse = {k: inverse_dimension(found.distances, k) for k in (_FEW, *KS, _MANY)}
    at += [_torus(1 / inverse[k].mean(), n, k) for k in (_FEW, _MANY)]
    dispersions = [
        math.log(max(inverse[k].var() * (k - 1) / inverse[k].mean() ** 2, 1e-3)) for k in KS
    ]
    radii = np.log(found.distances[:, 9], dtype=np.float64)
    spread = math.log(max(radii.std(), 1e-6)) + base
    ranks = np.corrcoef(rankdata(radii), rankdata(inverse[20]))[0, 1]
    degrees = np.bincount(found.indices[:, :10].ravel(), minlength=n)
    return np.array(
        [
            *(base, math.log(n), *(value - base for value in at), *dispersions),
            *(spread, skew(radii), ranks, skew(degrees), math.sqrt(np.mean(degrees == 0))),
            *_vectors(found, points, base),
            math.log(1e-3 + rounding_radius(points) / float(np.exp(np.median(radii)))),
        ]
    )


def _torus(estimate: float, n: int, k: int) -> float:
    """The logarithm of the dimension of a flat torus with this estimate."""
    return math.log(calibrated_band(estimate, n, k)[0])


def _vectors(found: Neighbours, points: Coordinates, base: float) -> list[float]:
    """Of the neighbourhoods as vectors: dimensions relative to ``base``, and variance beyond it.

    Outside: the share of variance beyond the first directions, one for each of the dimensions
    that the distances show and one more; curvature and noise are there, flat sets are not.
    """
    rows = np.random.default_rng(0).permutation(len(found))[:ANCHORS]
    some = Neighbours(found.distances[rows], found.indices[rows], found.rows[rows])
    kept = min(math.ceil(math.exp(base)) + 1, NEAR - 2)
    angles: dict[int, list[Floats]] = {NEAR: [], WIDE: []}
    shapes: dict[int, list[Floats]] = {NEAR: [], WIDE: []}
    for _, wide in neighbourhoods(some, points, WIDE):
        for k in (NEAR, WIDE):
            angles[k].append(by_angles(wide[:, :k]))
            values = eigenvalues(wide[:, :k])
            total = np.maximum(values.sum(axis=1), 1e-300)
            shapes[k].append(
                np.stack(
                    [
                        total**2 / np.maximum((values**2).sum(axis=1), 1e-300),
                        (values > 0.05 * values[:, :1]).sum(axis=1),
                        values[:, kept:].sum(axis=1) / total,
                    ],
                    axis=1,
                )
            )
    near, wide_shape = (np.concatenate(shapes[k]).mean(axis=0) for k in (NEAR, WIDE))
    return [
        *(math.log(np.concatenate(angles[k]).mean()) - base for k in (NEAR, WIDE)),
        *(math.log(near[0]) - base, math.log(wide_shape[0]) - base),
        math.log(wide_shape[1]) - base,
        *(math.log(1e-3 + near[2]), math.log(1e-3 + wide_shape[2])),
    ]
