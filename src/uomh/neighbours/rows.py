"""Neighbours of some of the points of a set among all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.neighbours.bands import Deeper
from uomh.neighbours.core import Neighbours, Points
from uomh.neighbours.exact import search, search_deeper
from uomh.parallel.progress import Progress


def neighbours_of(
    X: Any,
    rows: NDArray[np.integer[Any]],
    k: int,
    *,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> Neighbours:
    """The k nearest neighbours of the points in these rows, as a search within X finds them.

    Copies count as neighbours, at distance zero.

    Args:
        X: (n, ...) finite points, more than k.
        rows: (m,) of X.
        k: the number of neighbours.
        device: of the search.
        progress: is told of the stage `neighbours`.

    Returns:
        Neighbours of these rows.
    """
    points, asked = Points(X), np.asarray(rows, dtype=np.int64)
    queries, largest = points.only(asked), points.largest()
    distances, found = search(points, k + 1, queries, largest, device=device, progress=progress)
    return Neighbours(*others(distances, found, asked, k), asked)


def neighbours_and_deeper(
    X: Any,
    k: int,
    rows: NDArray[np.integer[Any]],
    width: int,
    *,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> tuple[Neighbours, Neighbours]:
    """The k nearest neighbours of every point, and more of some points, in one search within X.

    Copies count as neighbours, at distance zero.

    Args:
        X: (n, ...) finite points, more than ``width``.
        k: the number of neighbours of every point.
        rows: (m,) of X.
        width: the number of neighbours of these, at least k.
        device: of the search.
        progress: is told of the stage `neighbours`.
    """
    points = Points(X)
    deeper = Deeper(np.asarray(rows, dtype=np.int64), width)
    largest = points.largest()
    found, deep = search_deeper(points, k, deeper, largest, device=device, progress=progress)
    return Neighbours(*found, np.arange(points.n)), Neighbours(*deep, deeper.rows)


def others(
    distances: NDArray[np.float64], found: NDArray[np.int64], rows: NDArray[np.int64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The first k of k + 1 neighbours that are not the point in question itself."""
    apart = found != rows[:, None]
    kept = apart & (np.cumsum(apart, axis=1) <= k)
    return distances[kept].reshape(-1, k), found[kept].reshape(-1, k)
