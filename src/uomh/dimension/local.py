"""Neighbourhoods as vectors, in batches of bounded memory, for estimators that need coordinates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from uomh.dimension.core import Coordinates, Floats
from uomh.neighbours import Neighbours

BATCH_BYTES = 1 << 25


def neighbourhoods(
    neighbours: Neighbours, points: Coordinates | None, k: int
) -> Iterator[tuple[slice, Floats]]:
    """The k neighbours of each point as vectors from it.

    Args:
        neighbours: of m points, at least k wide.
        points: (n, D) coordinates that ``rows`` and ``indices`` refer to.
        k: neighbours of each point.

    Yields:
        A slice of the m points, and (b, k, D) differences neighbour - point.
    """
    assert points is not None  # Estimator.fit asks for X where uses_points is true
    step = max(1, BATCH_BYTES // (8 * k * max(k, points.shape[1])))
    for start in range(0, len(neighbours), step):
        batch = slice(start, start + step)
        near = points[neighbours.indices[batch, :k]].astype(np.float64)
        yield batch, near - points[neighbours.rows[batch]].astype(np.float64)[:, None, :]


def squared_distances(vectors: Floats) -> Floats:
    """Squared distances (b, k, k) within each of b sets of k vectors (b, k, D)."""
    inner = vectors @ vectors.transpose(0, 2, 1)
    squared = np.diagonal(inner, axis1=1, axis2=2)
    return np.maximum(squared[:, :, None] + squared[:, None, :] - 2 * inner, 0)


def in_units_of_the_largest(vectors: Floats) -> Floats:
    """Each of b sets of vectors (b, k, D) times a power of two that brings its coordinates near 1.

    For what depends on directions alone: no power of a length overflows or vanishes, and no digit
    changes.
    """
    exponents = np.frexp(np.abs(vectors).max(axis=(1, 2), keepdims=True))[1]
    return np.asarray(np.ldexp(vectors, -exponents))


def principal_coordinates(vectors: Floats, most: int) -> Floats:
    """The first principal coordinates of b sets of k vectors (b, k, D), as (b, k, min(most, k, D)).

    About their mean, the widest first, in units of the root mean square of the first: of no length.
    """
    vectors = in_units_of_the_largest(vectors)
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    if centred.shape[2] <= centred.shape[1]:
        axes = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)[1][:, :, ::-1]
        turned = centred @ axes[:, :, :most]
    else:
        values, sides = np.linalg.eigh(centred @ centred.transpose(0, 2, 1))
        turned = sides[:, :, ::-1][:, :, :most]
        turned = turned * np.sqrt(np.maximum(values[:, None, ::-1][:, :, :most], 0))
    size = np.sqrt((turned[:, :, :1] ** 2).mean(axis=1, keepdims=True))
    return np.asarray(turned / np.maximum(size, 1e-300))


def up_to_squares(x: Floats) -> Floats:
    """1, x_1, x_1^2, x_2, x_2 x_1, x_2^2, x_3, ... of (b, k, d) coordinates.

    The terms of the first coordinates alone come first: `number_of_terms` of them for each number.
    """
    b, k, d = x.shape
    columns = [np.ones((b, k, 1))]
    for i in range(d):
        columns += [x[:, :, i : i + 1], x[:, :, i : i + 1] * x[:, :, : i + 1]]
    return np.concatenate(columns, axis=2)


def number_of_terms(d: int) -> int:
    """How many terms up to the second power d coordinates have, the constant among them."""
    return (d + 1) * (d + 2) // 2
