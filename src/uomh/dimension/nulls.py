"""What the groups' numbers would be if the labels meant nothing: random partitions of equal sizes.

Shuffling the labels keeps the set and the size of every group and breaks only the tie between a
point and its group, so that any statistic of (points, labels) gets an exact p-value

    p = (1 + #{b: statistic_b >= statistic}) / (1 + B)        over B shuffles.

For the dimension the statistic is the spread of the groups about what their size alone explains.
With d_c the estimate on group c and m_c the mean estimate on random subsets of n_c points,

    T = sqrt( sum_c w_c (e_c - mean_w e)^2 ),   e_c = d_c - m_c,   w_c = n_c / n,   mean_w e = w.e,

and rho = T / median_b T_b. Weights n_c give a group the say that its precision deserves (the
variance of an estimate is about 1/n_c). The subsets for m_c are the groups of the shuffles; each
partition, the real one included, is compared with the mean over all the others, so that under the
null all B + 1 values of T are exchangeable and p is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.dimension.thinning import Floats, Ints, NeighbourLists, part_means
from uomh.parallel.progress import Progress


@dataclass(frozen=True)
class Nulls:
    """What B shuffles of the labels gave.

    Attributes:
        dimension: (B, groups, ks) estimates on the groups of each shuffle.
        purity: (B,) share of points whose nearest neighbour bears their label.
        crossing: (B,) edges of the spanning tree between different labels.
    """

    dimension: Floats
    purity: Floats
    crossing: Floats


def shuffled(
    lists: NeighbourLists,
    labels: Ints,
    ks: Sequence[int],
    tree: NDArray[np.int64] | None,
    draws: int,
    seed: int,
    progress: Progress | None = None,
) -> Nulls:
    """Every statistic under ``draws`` shuffles of the labels.

    Args:
        lists: neighbour lists of the m points.
        labels: (m,) groups, 0 to C-1.
        ks: numbers of neighbours.
        tree: (m-1, 2) edges of the minimum spanning tree, or None.
        draws: number of shuffles B.
        seed: shuffle b is drawn from (seed, b), whatever the number of threads.
        progress: is told of the stage ``nulls``.
    """
    groups = int(labels.max()) + 1

    def one(draw: int) -> tuple[Floats, float, int]:
        mixed = np.random.default_rng((seed, draw)).permutation(labels)
        inverse = part_means(lists.inverse_dimensions(mixed, ks), mixed, groups)
        return inverse, purity(lists.nearest, mixed), crossing_edges(tree, mixed)

    results = []
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for done, result in enumerate(pool.map(one, range(draws)), start=1):
            results.append(result)
            if progress is not None:
                progress.stage("nulls", done, draws)
    inverse, same, cross = zip(*results, strict=True)
    return Nulls(1 / np.stack(inverse), np.array(same), np.array(cross, dtype=np.float64))


def purity(nearest: Ints, labels: Ints) -> float:
    """Share of the points whose nearest neighbour bears their label."""
    return float(np.mean(labels[nearest] == labels))


def chance_purity(labels: Ints) -> float:
    """The purity expected of shuffled labels: sum_c n_c (n_c - 1) / (n (n - 1))."""
    sizes = np.bincount(labels).astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / (sizes.sum() * (sizes.sum() - 1)))


def crossing_edges(tree: NDArray[np.int64] | None, labels: Ints) -> int:
    """Edges of the tree that join different labels (Friedman & Rafsky 1979).

    Few of them mean separated groups; shuffled labels give (n - 1) (1 - ``chance_purity``) of
    them on average, whatever the tree.
    """
    if tree is None:
        return 0
    return int(np.count_nonzero(labels[tree[:, 0]] != labels[tree[:, 1]]))


def p_value(observed: float, null: Floats) -> float:
    """Share of the null, the observed value counted in, at least as large as the observed one.

    >>> p_value(3.0, np.array([1.0, 2.0, 4.0]))
    0.5
    """
    return float((1 + np.count_nonzero(null >= observed)) / (1 + len(null)))


def spreads(observed: Floats, null: Floats, sizes: Ints) -> tuple[float, Floats]:
    """T of the groups and of every shuffle, in units of dimension.

    Args:
        observed: (groups,) estimates.
        null: (B, groups) estimates on the groups of the shuffles.
        sizes: (groups,) numbers of points.

    Returns:
        T, and (B,) its values under the shuffles.
    """
    everything = np.vstack([observed, null])
    others = (everything.sum(axis=0) - everything) / len(null)
    deviation = everything - others
    weights = sizes / sizes.sum()
    deviation -= (deviation @ weights)[:, None]
    spread = np.sqrt(deviation**2 @ weights)
    return float(spread[0]), spread[1:]
