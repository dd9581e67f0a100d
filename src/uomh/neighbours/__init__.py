"""Exact and approximate nearest neighbours, the one search that everything else is fed by."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import torch

from uomh.errors import UomhError, unknown
from uomh.neighbours.core import Duplicates, Neighbours, Points, distinct
from uomh.neighbours.exact import search

__all__ = ["Duplicates", "Neighbours", "distinct", "nearest_neighbours"]


def nearest_neighbours(
    X: Any,
    k: int,
    queries: Any = None,
    *,
    duplicates: Duplicates = "drop",
    device: str | torch.device | None = None,
    backend: Literal["exact"] = "exact",
    progress: Callable[[int, int], None] | None = None,
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
        device: The torch device that computes; None is the processor.
        backend: `exact`.
        progress: Called now and then with (done, total), in units of work.

    Returns:
        `Neighbours`, whose indices are rows of X as it was given.

    Raises:
        UomhError: NaN or infinite values, shapes that do not match, k below 1 or above the
            number of other points that are left, duplicates where they are to be an error.

    >>> found = nearest_neighbours(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [6.0, 8.0]]), 1)
    >>> found.rows, found.indices[:, 0], found.distances[:, 0], found.duplicates
    (array([0, 1, 3]), array([1, 0, 1]), array([5., 5., 5.]), 1)
    """
    if duplicates not in get_args(Duplicates):
        raise unknown("policy for duplicates", str(duplicates), get_args(Duplicates))
    if backend != "exact":
        raise unknown("backend", str(backend), ["exact"])
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
    distances, found = search(kept, k, asked, largest, device=device, progress=progress)
    of = rows if asked is None else np.arange(asked.n)
    return Neighbours(distances, rows[found], of, dropped)


def _checked_k(k: int, n: int, dropped: int, within: bool) -> int:
    try:
        k = operator.index(k)
    except TypeError:
        raise UomhError(f"k must be a whole number; it is {k!r}") from None
    most = n - 1 if within else n
    if k < 1:
        raise UomhError(f"k must be at least 1; it is {k}")
    if k > most:
        left = f" after {dropped} duplicates were dropped" if dropped else ""
        raise UomhError(
            f"k is {k} but X has {n} points{left}, so at most {most} neighbours each; "
            "lower k or give more points"
        )
    return k
