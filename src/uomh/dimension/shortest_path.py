"""Graph distances about their mode, as those of a sphere (Granata & Carnevale 2016).

Two random points of a d-sphere are at geodesic distance r with density proportional to
sin(pi r / (2 r_max))^(d-1), greatest at r_max, a quarter of the circumference. The paper finds that
other sets have much the same density left of its mode, up to a scale of r. Geodesics are not known,
but shortest paths in the graph of nearest neighbours follow them, at a common factor.

1. r_max is the top of a parabola through the logarithm of the distances' (smoothed) histogram
   around its greatest value, sigma their standard deviation.
2. The distances of r_max - 2 sigma to r_max have, on a sphere, the density above cut to that range:
   an exponential family whose statistic is log sin(pi r / (2 r_max)). Its mean under dimension d
   grows with d, and d is taken where that is the mean observed (maximum likelihood; the paper fits
   a curve to the logarithm of the histogram, by least squares).
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.registry import register

BINS = 199  # of distances up to twice the median, which no bin begins or ends with
SMOOTHING = 0.3  # standard deviations: wider than the humps of paths of 2, 3, 4 edges
FEWEST_BINS = 4  # with distances, left of the mode
DIMENSIONS = np.geomspace(0.05, 1000, 400)
RIGHT = math.pi / 2  # the angle of the mode


@register("estimators", "shortest_path")
class ShortestPath(Estimator):
    """Shortest paths in the neighbour graph, their lengths distributed as on a sphere.

    Args:
        k: number of neighbours that a point is joined to.
        anchors: points, drawn at random, whose distances to all others are measured.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the anchors and the splits.

    Attributes:
        anchors_: (m,) rows of X that distances are measured from.
        connected_: share of the points in the largest connected part of the graph, which alone is
            measured.

    It sees the whole set, where the others see neighbourhoods, and so is deaf to noise and to
    density; a set whose geodesics are distributed unlike a sphere's (a torus: 2.7 for 2) is off by
    as much. Paths need some edges: where few points fill many dimensions it is low.
    ``dimension_pw_`` is of the distances from a point to the anchors; points outside the largest
    part, or without a distance in the range, have the set's. Memory: 30 bytes an anchor and point.

    Source: Granata & Carnevale (2016), *Accurate estimation of the intrinsic dimension using graph
    distances: unraveling the geometric complexity of datasets*, equations 2 to 4.
    """

    least_k = 1
    anchors_: NDArray[np.int64]
    connected_: float

    def __init__(self, k: int = 10, *, anchors: int = 500, splits: int = 10, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)
        self.anchors = anchors

    def seen(self, neighbours: Neighbours) -> float:
        """Share of the points in the largest connected part of the graph of ``k`` neighbours."""
        return float(_graph(neighbours, self.k)[2].mean())

    def _fit_lists(self, neighbours: Neighbours, points: Coordinates | None) -> None:
        # Chosen once, so that a random half of the points has half of them.
        order = np.random.default_rng(self.seed).permutation(len(neighbours))
        self.anchors_ = np.sort(neighbours.rows[order[: self.anchors]])
        super()._fit_lists(neighbours, points)

    def _fit(self, neighbours: Neighbours, points: Coordinates | None) -> None:
        super()._fit(neighbours, points)
        inside = _graph(neighbours, self.k_)[2]
        self.connected_ = float(inside.mean())
        if self.connected_ < 1:
            warnings.warn(
                f"{self.name} sees the largest part of the graph of {self.k_} neighbours alone, "
                f"{inside.sum()} of {len(inside)} points; raise k to join the others",
                stacklevel=3,
            )

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        nodes, graph, inside = _graph(neighbours, self.k_)
        sources = np.flatnonzero(np.isin(nodes, self.anchors_) & inside)
        if not len(sources):
            raise UomhError("no anchor is in the largest part of the graph; raise k or anchors")
        lengths = dijkstra(graph, directed=False, indices=sources)[:, inside]
        lengths /= np.median(lengths[lengths > 0])
        mode, low = _range(lengths[lengths > 0])
        within = (lengths > low) & (lengths <= mode)
        angles = lengths * (RIGHT / mode)
        sums = np.log(np.sin(angles, out=np.ones_like(angles), where=within)).sum(axis=0)
        counts = within.sum(axis=0)
        seen = counts > 0
        means = np.append(sums[seen] / counts[seen], sums.sum() / counts.sum())
        *of_points, dimension = _dimension(means, low / mode * RIGHT)
        pointwise = np.full(len(nodes), dimension)
        pointwise[np.flatnonzero(inside)[seen]] = of_points
        return float(dimension), pointwise[np.searchsorted(nodes, neighbours.rows)]


def _graph(
    neighbours: Neighbours, k: int
) -> tuple[NDArray[np.int64], csr_array, NDArray[np.bool_]]:
    """The rows that are nodes, the graph of k neighbours, and the nodes of its largest part."""
    nodes = np.union1d(neighbours.rows, neighbours.indices)
    one = np.repeat(np.searchsorted(nodes, neighbours.rows), k)
    other = np.searchsorted(nodes, neighbours.indices[:, :k]).ravel()
    weights = neighbours.distances[:, :k].ravel()
    graph = csr_array((weights, (one, other)), shape=(len(nodes), len(nodes)))
    _, part = connected_components(graph, directed=False)
    return nodes, graph, part == np.bincount(part).argmax()


def _range(lengths: Floats) -> tuple[float, float]:
    """The mode of distances, in units of their median, and the least to take: 2 sigma below."""
    lengths = lengths[lengths < 2]  # one far point does not move the standard deviation
    spread = float(lengths.std())
    counts, edges = np.histogram(lengths, BINS, (0, 2))
    at = (edges[1:] + edges[:-1]) / 2
    width = SMOOTHING * spread * BINS / 2
    heights = gaussian_filter1d(counts.astype(float), width, mode="constant")
    near = np.abs(at - 1) <= spread
    if near.any() and spread > 0:
        mode = float(at[near][heights[near].argmax()])
        around = (at > mode - spread) & (at < mode + spread / 2) & (heights > 0)
        if around.sum() >= FEWEST_BINS:
            a, b, _ = np.polyfit(at[around], np.log(heights[around]), 2, w=np.sqrt(heights[around]))
            top = -b / (2 * a) if a < 0 else mode
            mode = float(top) if abs(top - 1) < spread else mode
        low = max(mode - 2 * spread, 0.0)
        if np.count_nonzero(counts[(at > low) & (at <= mode)]) >= FEWEST_BINS:
            return mode, low
    raise UomhError(
        "distances in the graph of neighbours are too few, or too much alike; give more points, "
        "or a smaller k"
    )


def _dimension(means: Floats, low: float) -> Floats:
    """The d at which log sin u, low < u < pi/2, has these means under sin(u)^(d-1)."""
    middles = low + (RIGHT - low) * (np.arange(400) + 0.5) / 400
    logs = np.log(np.sin(middles))
    weights = np.exp((DIMENSIONS[:, None] - 1) * logs)
    return np.asarray(np.interp(means, weights @ logs / weights.sum(axis=1), DIMENSIONS))
