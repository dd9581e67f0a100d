"""What the metrics on arrays accept: two sets of points, or lists of scores, or one sentence."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from uomh.errors import UomhError
from uomh.neighbours.arrays import as_rows
from uomh.neighbours.core import Points

Name = Literal["real", "generated", "samples", "train", "held_out", "queries"]

NOUNS: dict[Name, str] = {
    "real": "real points",
    "generated": "generated points",
    "samples": "samples",
    "train": "training points",
    "held_out": "held-out points",
    "queries": "queries",
}
"""sets of points by the names of arguments, in words"""


def points_of(X: Any, name: Name, least: int, what: str) -> Points:
    """Points (n, ...) as rows, finite, enough of them.

    Args:
        X: array or tensor; trailing axes are flattened.
        name: what errors call it.
        least: number of points that are needed.
        what: who needs them.

    Raises:
        UomhError: they are no real numbers, not finite, or fewer.
    """
    points = Points(X, name)
    if points.n < least:
        there = "there is 1" if points.n == 1 else f"there are {points.n or 'none'}"
        raise UomhError(f"{what} needs at least {least} {NOUNS[name]}, and {there}; give more")
    points.largest()
    return points


def two_sets(
    real: Any,
    generated: Any,
    least: int,
    what: str,
    names: tuple[Name, Name] = ("real", "generated"),
) -> tuple[Points, Points]:
    """Two sets of points of one dimension; see `points_of`.

    Raises:
        UomhError: as `points_of`, or their points differ in size.
    """
    first = points_of(real, names[0], least, what)
    second = points_of(generated, names[1], least, what)
    if first.dim != second.dim:
        raise UomhError(
            f"{names[0]} has points of {first.dim} coordinates and {names[1]} of {second.dim}; "
            "they must be the same features of both"
        )
    return first, second


def scores_of(x: Any, name: str, least: int = 1) -> NDArray[np.float64]:
    """Scores, one a point, float64 (n,); infinite ones have their place in the order.

    Raises:
        UomhError: they are no list of real numbers, one is NaN, or there are fewer than ``least``.
    """
    shape = tuple(getattr(x, "shape", np.shape(x)))
    if len(shape) != 1 or shape[0] < least:
        raise UomhError(f"{name} must be one score a point, at least {least}; it has shape {shape}")
    values = as_rows(x[:, None] if hasattr(x, "ndim") else np.asarray(x)[:, None], name)
    scores: NDArray[np.float64] = values[:, 0].double().numpy()
    if np.isnan(scores).any():
        row = int(np.isnan(scores).argmax())
        raise UomhError(f"{name} has a NaN score, of point {row}; leave such points out first")
    return scores
