"""What tells a group's true dimension besides its estimates: traits of its neighbour lists.

A calibrated dimension is that of a flat torus with the same estimate. How far the truth lies from
it depends on shape, density, boundary, curvature, noise and rounding, and each of these leaves
marks: how the estimate moves as the group is thinned and as neighbourhoods grow, how unevenly dense
it is, whose neighbour its points are, what angles neighbours enclose, and how much variance lies
outside the leading directions, near a point and in the whole group. Traits are free of units; a
set that is turned, moved or scaled has the same. ``uomh.dimension.references`` learns from them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew, spearmanr

from uomh.dimension.core import Coordinates
from uomh.dimension.harmonic import KS
from uomh.dimension.mle import inverse_dimension
from uomh.dimension.rounding import rounding_radius
from uomh.dimension.thinning import without_copies
from uomh.dimension.values import Floats, Group, GroupAtScale, GroupEstimate
from uomh.neighbours import Neighbours

FEWEST, MOST = 400, 10_000
"""points of a group whose traits are known: a sixteenth must have 10 neighbours"""
NEAR = (15, 40)
"""neighbours that are looked at as sets of points"""
_LOOKED_AT = 400  # points around which that is done
_SMALL = 1e-6  # a share of variance below this is none
_FAR = 80  # neighbours that a list holds at least
_MIDDLE = KS[1]
TRAITS = (
    *("log T", "log n"),
    *(f"T at n, k = {k}" for k in (KS[0], KS[2])),
    *(f"T at n/4, k = {k}" for k in KS),
    *(f"T at n/16, k = {k}" for k in KS[:2]),
    *(f"dispersion, k = {k}" for k in KS),
    *(
        "error",
        "T at k = 2",
        f"T at k = {_FAR}",
        "density",
        "skewness of radii",
        "radius and dimension",
    ),
    *("skewness of in-degree", "never a neighbour"),
    *(
        f"{what}, {m} neighbours"
        for m in NEAR
        for what in ("angles", "rank", "lesser half", "beyond T")
    ),
    *("rank of all", "thin directions", "rounding"),
)


def traits(group: Group, found: Neighbours, points: Coordinates, seed: int = 0) -> Floats | None:
    """The traits of a group, in the order of `TRAITS`.

    Args:
        group: as measured by ``mle``.
        found: neighbours of all n points of the group within it.
        points: (n, D).
        seed: of the points around which coordinates are looked at.

    Returns:
        Finite numbers; None for a group that is too small or too large, whose copies leave lists
        too short, or that was measured at other k than 3, 10 and 20.
    """
    n = len(points)
    if not FEWEST <= n <= MOST or not set(KS) <= set(group.k) or len(group.coarse) < 2:
        return None
    apart = without_copies(found)
    if apart.k < _FAR or not set(KS[:2]) <= set(group.coarse[1].k):
        return None
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(apart), min(len(apart), _LOOKED_AT), replace=False))
    values = np.array(
        [
            *_estimates(group),
            *_of_lists(apart, group.k[_MIDDLE].dimension),
            *_of_coordinates(apart, points, rows, group.k[_MIDDLE].dimension),
        ]
    )
    return values if np.isfinite(values).all() else None


def torus_dimension(group: Group) -> float:
    """T: the dimension of the flat torus whose estimate at k = 10 is the group's."""
    return float(np.exp(_log_torus(group.k[_MIDDLE])))


def _log_torus(estimate: GroupEstimate | GroupAtScale) -> float:
    return float(np.log(estimate.calibrated[0])) if estimate.calibrated else np.nan


def _estimates(group: Group) -> list[float]:
    quarter, sixteenth = (size.k for size in group.coarse[:2])
    sizes: list[GroupEstimate | GroupAtScale] = [group.k[KS[0]], group.k[KS[2]]]
    sizes += [*(quarter[k] for k in KS), *(sixteenth[k] for k in KS[:2])]
    e = group.k[_MIDDLE]
    middle = _log_torus(e)
    return [
        *(middle, np.log(group.n)),
        *(_log_torus(size) - middle for size in sizes),
        *(np.log(group.k[k].dispersion or 1.0) for k in KS),
        np.log(np.log(e.high / e.low)) if e.low > 0 else np.nan,
    ]


def _of_lists(found: Neighbours, estimate: float) -> list[float]:
    log_r = np.log(found.distances[:, _MIDDLE - 1], dtype=np.float64)
    inverse = {k: inverse_dimension(found.distances, k) for k in (2, KS[2], _FAR)}
    degree = np.bincount(found.indices[:, :_MIDDLE].ravel(), minlength=int(found.rows.max()) + 1)
    degree = degree[found.rows]
    with np.errstate(divide="ignore"):  # of distances that are all alike: no traits
        at_ends = [-np.log(inverse[k].mean() * estimate) for k in (2, _FAR)]
    return [
        *at_ends,
        np.log(log_r.std() + 1e-3) + np.log(estimate),
        float(skew(log_r)) if log_r.std() > 1e-9 else 0.0,
        float(np.nan_to_num(spearmanr(log_r, inverse[KS[2]]).statistic)),
        float(skew(degree)) if degree.std() > 0 else 0.0,
        float(np.mean(degree == 0)),
    ]


def _of_coordinates(
    found: Neighbours, points: Coordinates, rows: NDArray[np.int64], estimate: float
) -> list[float]:
    """Angles and spectra near some points, and of these points among themselves."""
    near: dict[int, list[Floats]] = {m: [] for m in NEAR}
    radius = float(np.median(found.distances[:, _MIDDLE - 1]))
    wide = np.result_type(points.dtype, np.float32)  # far from zero a difference needs its digits
    for start in range(0, len(rows), 32):  # at most 32 x 40 points at a time
        block = rows[start : start + 32]
        centre = points[found.rows[block]].astype(wide)
        away = points[found.indices[block, : NEAR[-1]]].astype(wide) - centre[:, None]
        scaled = (away / radius).astype(np.float32)
        gram = (scaled @ scaled.transpose(0, 2, 1)).astype(np.float64)
        for m in NEAR:
            near[m].append(_near(gram[:, :m, :m], estimate))
    by_size = [np.concatenate(near[m]) for m in NEAR]
    some = points[found.rows[rows]].astype(np.float64)
    some = some - some.mean(axis=0)
    spectrum = _spectra((some @ some.T)[None])[0]
    variances = spectrum / len(some)
    # Directions in which the whole group is narrower than a neighbourhood of this dimension.
    thin = variances[variances < radius**2 / (2 * estimate)].sum() / radius**2
    values: list[float] = []
    for angles, ranks, *beyond in (table.mean(axis=0) for table in by_size):
        values += [-np.log(angles * estimate), ranks - np.log(estimate)]
        values += np.log(np.array(beyond) + _SMALL).tolist()
    rank = -np.log(((variances / variances.sum()) ** 2).sum())
    rounding = rounding_radius(points) / radius
    return [*values, rank, np.log(thin + _SMALL), np.log(rounding + 1e-3)]


def _near(gram: Floats, estimate: float) -> Floats:
    """Of neighbours seen from a point, by their products (b, m, m): four traits, (b, 4)."""
    m = gram.shape[1]
    norms = np.sqrt(np.maximum(np.einsum("bii->bi", gram), 1e-300))
    cosines = gram / norms[:, :, None] / norms[:, None, :]
    angles = ((cosines**2).sum(axis=(1, 2)) - m) / (m * (m - 1))
    centred = gram - gram.mean(axis=1, keepdims=True)
    centred -= centred.mean(axis=2, keepdims=True)
    spectra = _spectra(centred)
    rank, lesser = _rank_and_beyond(spectra, (m - 1) // 2)
    _, beyond = _rank_and_beyond(spectra, max(1, min(round(estimate), m - 1)))
    return np.stack([angles, rank, lesser, beyond], axis=1)


def _spectra(gram: Floats) -> Floats:
    """Eigenvalues (b, m) of products, none below zero, the largest first."""
    return np.asarray(np.maximum(np.linalg.eigvalsh(gram)[:, ::-1], 0.0))


def _rank_and_beyond(spectra: Floats, first: int) -> tuple[Floats, Floats]:
    """The logarithm of the participation ratio, and the share beyond the first eigenvalues."""
    shares = spectra / np.maximum(spectra.sum(axis=1, keepdims=True), 1e-300)
    return -np.log((shares**2).sum(axis=1)), shares[:, first:].sum(axis=1)
