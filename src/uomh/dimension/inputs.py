"""What ``verify`` accepts, made uniform: distinct points, labels 0 to C-1 and their names."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.dimension.thinning import Ints
from uomh.errors import UomhError
from uomh.neighbours import Duplicates, Neighbours, distinct
from uomh.neighbours.core import Points


def checked_ks(k: int | Sequence[int]) -> tuple[int, ...]:
    """The numbers of neighbours, ascending and each once."""
    try:
        ks = sorted({operator.index(value) for value in (k if isinstance(k, Sequence) else [k])})
    except TypeError:
        raise UomhError(f"k must be whole numbers; it is {k!r}") from None
    if not ks or ks[0] < 2:
        raise UomhError(
            f"k must be at least 2, as the estimate compares the k-th neighbour with nearer ones; "
            f"it is {ks[0] if ks else 'empty'}"
        )
    return tuple(ks)


def distinct_points(
    X: Any, neighbours: Neighbours | None, duplicates: Duplicates
) -> tuple[Any, NDArray[np.int64], int]:
    """Points to use (None without X), their rows in the set as given, and its size if known.

    Raises:
        UomhError: neither points nor neighbours, NaN, or duplicates where they are an error.
    """
    if X is None:
        if neighbours is None:
            raise UomhError("give the points X, or the neighbours of all points among themselves")
        return None, neighbours.rows, int(neighbours.rows.max()) + 1
    points = Points(X)
    points.largest()  # raises where a value is not finite
    array = _array(X)
    if neighbours is not None:
        rows = neighbours.rows
        if rows.max() >= points.n:
            raise UomhError(
                f"the neighbours speak of row {rows.max()}, but X has {points.n} rows; "
                "they must come from a search within X"
            )
    else:
        rows = distinct(points)
        copies = points.n - len(rows)
        if len(rows) == 1 < points.n:
            raise UomhError(
                f"all {points.n} points are identical, so they have no dimension; check the data"
            )
        if duplicates == "error" and copies:
            raise UomhError(
                f"{copies} of {points.n} points equal an earlier one; drop or keep them "
                "(duplicates: drop, keep)"
            )
        if duplicates == "keep":
            rows = np.arange(points.n)
    whole = len(rows) == points.n
    return array if whole else array[rows], rows, points.n


def _array(X: Any) -> NDArray[Any]:
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu()
        X = (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    return np.asarray(X)


def grouped(
    y: Any, n: int, rows: NDArray[np.int64], classes: Sequence[str] | None
) -> tuple[Ints, list[str], NDArray[np.int64]]:
    """Labels 0 to C-1 of the rows, the groups' names, and how many copies each group lost.

    No labels (None) give no groups.

    Raises:
        UomhError: y has not one label a point, or a label is missing (NaN).
    """
    if y is None:
        return np.zeros(len(rows), dtype=np.int64), [], np.zeros(0, dtype=np.int64)
    values = np.asarray(y)
    if values.ndim != 1 or len(values) < n:
        raise UomhError(
            f"y must hold one label for each of {n} points; its shape is {values.shape}"
        )
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise UomhError("y has missing labels (NaN); give every point a label or leave it out")
        if (values == np.round(values)).all():
            values = values.astype(np.int64)
    found, labels = np.unique(values, return_inverse=True)
    dropped = np.bincount(labels, minlength=len(found))
    labels = labels[rows]
    dropped = dropped - np.bincount(labels, minlength=len(found))
    named = (
        classes is not None
        and found.dtype.kind in "iu"
        and 0 <= found[0] <= found[-1] < len(classes)
    )
    names = [str(classes[int(v)]) if named and classes is not None else str(v) for v in found]
    return labels, names, dropped


def require_size(what: str, n: int, dropped: int, ks: Sequence[int]) -> None:
    """Raise unless n points are enough to have max(ks) neighbours and one to spare."""
    if n < max(ks) + 2:
        after = f" after {dropped} duplicates were dropped" if dropped else ""
        raise UomhError(
            f"{what} has {n} points{after}, and k = {max(ks)} needs at least {max(ks) + 2}; "
            "use a smaller k, add points, or leave a small group out"
        )


def renumbered(neighbours: Neighbours, n: int) -> Neighbours:
    """The same lists with positions among ``neighbours.rows`` in place of rows of the set."""
    position = np.full(n, -1, dtype=np.int64)
    position[neighbours.rows] = np.arange(len(neighbours.rows))
    if neighbours.indices.min() < 0 or neighbours.indices.max() >= n:
        raise UomhError("the neighbours have indices outside the set they were searched in")
    indices = position[neighbours.indices]
    if (indices < 0).any() or (indices == np.arange(len(indices))[:, None]).any():
        raise UomhError(
            "the neighbours must come from a search within the set, self excluded, not from queries"
        )
    return Neighbours(neighbours.distances, indices, np.arange(len(indices)), neighbours.duplicates)


def fingerprint_of(points: Any, found: Neighbours, labels: Ints) -> str:
    """A hash (SHA-256, 16 digits) of the points, or of the neighbours without them, and labels."""
    digest = hashlib.sha256()
    if points is None:
        digest.update(found.indices.tobytes())
        digest.update(found.distances.tobytes())
    else:
        digest.update(f"{points.dtype.str} {points.shape}".encode())
        for start in range(0, len(points), 1024):
            digest.update(points[start : start + 1024].tobytes())
    digest.update(labels.astype(np.int64).tobytes())
    return digest.hexdigest()[:16]
