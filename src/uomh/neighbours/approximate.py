"""Approximate nearest neighbours of large sets by an inverted file (the `faiss` extra).

The set is cut into cells around k-means centres and a point's neighbours are looked for in the
cells nearest to it; their number is doubled until the wanted share of true neighbours is found for
a sample of points whose neighbours are searched exactly. The distances of what is found are
measured as in an exact search, and the recall that is reported is measured on a second sample,
which had no part in the choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.errors import UomhError
from uomh.neighbours.checks import real_number
from uomh.neighbours.core import Points
from uomh.neighbours.exact import search
from uomh.neighbours.measure import squared_distances
from uomh.parallel.progress import Progress

SAMPLE = 256
SPARE = 8  # found beyond k, because float32 may order near ties wrongly

WIDE = 1e15  # float32 holds the squares of coordinates up to it, with room to spare

Found = tuple[NDArray[np.float64], NDArray[np.int64]]


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise UomhError(
            "the approximate backend needs faiss; install it with: pip install 'uomh[faiss]'"
        ) from None
    return faiss


@contextmanager
def _threads_of_torch() -> Iterator[None]:
    """Let faiss compute with as many threads as torch does, in this block alone."""
    faiss = _faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(torch.get_num_threads())
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def search_approximately(
    points: Points,
    k: int,
    queries: Points | None,
    largest: float,
    *,
    recall: float = 0.95,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
    """Distances (m, k) and rows (m, k) of neighbours, and the recall measured on a sample.

    Args:
        points: The set that is searched; a float32 copy of it is held.
        k: The number of neighbours.
        queries: Whose neighbours are wanted; None for those of the points themselves.
        largest: The largest absolute coordinate of either.
        recall: The share of the true neighbours to look for.
        progress: is told of the stage `neighbours`, in points.

    Raises:
        UomhError: faiss is not installed, `recall` is not above 0 and at most 1, or coordinates
            are too large or too small for float32.
    """
    if not 0 < real_number(recall, "recall") <= 1:
        raise UomhError(f"recall must be above 0 and at most 1; it is {recall}")
    if largest and not 1 / WIDE < largest < WIDE:
        raise UomhError(
            f"the largest coordinate is {largest:g}, and the approximate search computes in "
            "float32; rescale the points, or use the exact backend"
        )
    with _threads_of_torch():
        return _search(points, k, queries, largest, recall, progress)


def _search(
    points: Points,
    k: int,
    queries: Points | None,
    largest: float,
    recall: float,
    progress: Progress | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
    faiss = _faiss()
    asked, within = queries or points, queries is None
    centre = points.take(_sample(points.n, 4096, 0)).double().mean(0)
    index = _index(faiss, points, centre)

    def find(rows: NDArray[np.int64]) -> Found:
        wanted = min(k + SPARE, points.n)
        near = index.search(_float(asked, rows, centre), wanted)[1].astype(np.int64)
        return _measured(points, asked, rows, near, k, within)

    def measured_recall(rows: NDArray[np.int64]) -> float:
        # Within the set each point finds itself first, so one more is searched and it is ignored.
        distances, _ = search(points, k + within, asked.only(rows), largest)
        true = distances[:, -1:] * (1 + 1e-9)
        return float((find(rows)[0] <= true).mean())

    trial, check = np.array_split(_sample(asked.n, 2 * SAMPLE, 1), 2)
    trial = trial if len(trial) else check
    while measured_recall(trial) < recall and index.nprobe < index.nlist:
        index.nprobe = min(2 * index.nprobe, index.nlist)

    distances = np.empty((asked.n, k))
    found = np.empty((asked.n, k), dtype=np.int64)
    for start in range(0, asked.n, 4096):
        rows = np.arange(start, min(start + 4096, asked.n))
        distances[rows], found[rows] = find(rows)
        if progress is not None:
            progress.stage("neighbours", int(rows[-1]) + 1, asked.n)
    return distances, found, measured_recall(check)


def _index(faiss: Any, points: Points, centre: torch.Tensor) -> Any:
    """An inverted file over the points, about as many cells as points in a cell."""
    cells = max(1, int(points.n**0.5))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(points.dim), points.dim, cells)
    index.cp.min_points_per_centroid = 1
    index.train(_float(points, _sample(points.n, 64 * cells, 2), centre))
    for rows, _ in points.blocks():
        index.add(_float(points, np.arange(rows.start, rows.stop), centre))
    index.nprobe = min(8, cells)
    return index


def _measured(
    points: Points,
    asked: Points,
    rows: NDArray[np.int64],
    near: NDArray[np.int64],
    k: int,
    within: bool,
) -> Found:
    """The k nearest of what an index found, measured; the point itself is none of them."""
    missing = (near < 0) | (within & (near == rows[:, None]))
    i, j = np.repeat(rows, near.shape[1]), np.where(missing, 0, near).ravel()
    squared = squared_distances(asked, points, i, j).reshape(near.shape)
    squared[missing] = np.inf
    order = np.lexsort((near, squared))[:, :k]
    best = np.sqrt(np.take_along_axis(squared, order, axis=1))
    if not np.isfinite(best).all():
        raise UomhError(
            f"the approximate search found fewer than {k} neighbours of some points; "
            "lower k or use the exact backend"
        )
    return best, np.take_along_axis(near, order, axis=1)


def _float(points: Points, rows: NDArray[np.int64], centre: torch.Tensor) -> NDArray[np.float32]:
    return (points.take(rows).double() - centre).float().numpy()


def _sample(n: int, size: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(n)[:size]
