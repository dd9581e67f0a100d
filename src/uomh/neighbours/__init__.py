"""Exact and approximate nearest neighbours, the one search that everything else is fed by."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch

from uomh.devices import checked_device
from uomh.errors import UomhError
from uomh.neighbours.approximate import search_approximately
from uomh.neighbours.checks import one_of, whole_number
from uomh.neighbours.core import Duplicates, Neighbours, Points, distinct
from uomh.neighbours.exact import search
from uomh.neighbours.graph import SpanningTree, spanning_tree
from uomh.parallel.progress import Progress

__all__ = [
    "Backend",
    "Duplicates",
    "Neighbours",
    "SpanningTree",
    "distinct",
    "nearest_neighbours",
    "spanning_tree",
]

Backend = Literal["exact", "faiss"]


def nearest_neighbours(
    X: Any,
    k: int,
    queries: Any = None,
    *,
    duplicates: Duplicates = "drop",
    device: str | torch.device | None = None,
    backend: Backend = "exact",
    recall: float = 0.95,
    progress: Progress | None = None,
) -> Neighbours:
    """The k nearest neighbours, in Euclidean distance, of each point of X or of each query in X.

    In a search within X a point is never its own neighbour. Among equal distances the lower row
    comes first, so the result is one definite answer.

    Args:
        X: (n, ...) points: an array, a memory map or a tensor; trailing axes are flattened.
        k: The number of neighbours.
        queries: (m, ...) points of the same size; None searches within X.
        duplicates: What to do with rows of X that equal an earlier row: `drop` leaves them out,
            as neighbours and as points asked about; `keep` treats them as points like any other
            (at distance zero of each other); `error` raises. They are counted in each case.
            Queries are never dropped.
        device: The torch device of the exact search's matrix products; None is the processor,
            which also does all that needs float64.
        backend: `exact`, or `faiss` for an approximate search of a large set (the `faiss` extra).
        recall: The share of true neighbours that an approximate search has to find for a sample;
            what it finds for another sample is the result's `recall`.
        progress: is told now and then of the stage `neighbours`.

    Returns:
        `Neighbours`, whose indices are rows of X as it was given.

    Raises:
        UomhError: NaN or infinite values, whole numbers beyond 2^53, sparse or masked arrays,
            shapes that do not match, k below 1 or above the number of other points that are left,
            duplicates where they are to be an error, no such device, no faiss where it is asked
            for.

    Examples:
        >>> X = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [6.0, 8.0]])
        >>> found = nearest_neighbours(X, 1)
        >>> found.rows, found.indices[:, 0], found.distances[:, 0], found.duplicates
        (array([0, 1, 3]), array([1, 0, 1]), array([5., 5., 5.]), 1)
    """
    one_of(duplicates, "policy for duplicates", get_args(Duplicates))
    one_of(backend, "backend", get_args(Backend))
    k = whole_number(k, "k", 1)
    device = checked_device(device)
    points = Points(X)
    asked = None if queries is None else Points(queries, "queries")
    if asked is not None and asked.dim != points.dim:
        raise UomhError(f"queries have {asked.dim} coordinates but X has {points.dim}")
    largest = max(points.largest(), 0.0 if asked is None else asked.largest())
    rows = distinct(points)
    dropped = points.n - len(rows)
    if duplicates == "error" and dropped:
        raise UomhError(
            f"X has {dropped} rows that equal an earlier row; "
            "drop them first or set duplicates to 'drop' or 'keep'"
        )
    if duplicates == "keep":
        rows = np.arange(points.n)
    k = _checked_k(k, len(rows), dropped if duplicates == "drop" else 0, asked is None)
    kept = points if len(rows) == points.n else points.only(rows)
    of = rows if asked is None else np.arange(asked.n)
    if backend == "exact":
        distances, found = search(kept, k, asked, largest, device=device, progress=progress)
        return Neighbours(distances, rows[found], of, dropped)
    distances, found, reached = search_approximately(
        kept, k, asked, largest, recall=recall, progress=progress
    )
    return Neighbours(distances, rows[found], of, dropped, reached)


def _checked_k(k: int, n: int, dropped: int, within: bool) -> int:
    most = n - 1 if within else n
    if k > most:
        left = f" after {dropped} duplicates were dropped" if dropped else ""
        raise UomhError(
            f"k is {k} but X has {n} points{left}, so at most {most} neighbours each; "
            "lower k or give more points"
        )
    return k
