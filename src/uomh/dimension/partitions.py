"""Inverse dimensions within the parts of many partitions of a set at once.

The estimate of ``mle`` at x within its part is 1/(k-1) sum_{r<k} (L_k - L_r), where L_1, L_2, ...
are the logarithms of the distances to its fellows, nearest first. They stand scattered over the
list l_1 <= l_2 <= ... of x in the whole set. With c_j fellows among the first j neighbours, a sum
by parts gives

    sum_{r<k} (L_k - L_r) = sum_j (l_{j+1} - l_j) c_j [c_j < k]:

column j counts c_j times until the k-th fellow is there. So no fellow has to be picked out of its
list: labels of all partitions are compared, counted and weighed, column by column, by operations on
whole tables. Labels are bytes, those of one point in all partitions beside each other, so that they
are fetched together. A sum is done in the order of its list, whatever is done at once with it: the
answer is the same to the bit for any number of threads and partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.dimension.thinning import random_halves
from uomh.dimension.values import Floats, Ints
from uomh.errors import UomhError
from uomh.neighbours import Neighbours

Value = TypeVar("Value")
Bytes = NDArray[np.uint8]

NOBODY = 255
"""the part of what is in none; parts are numbered below it"""
MOST_K = 127
"""counts are bytes too"""
_TABLE = 12_800  # points times partitions at a time, and
_COLUMNS = 32  # columns, at most NOBODY - MOST_K: what belongs to them stays in the cache


def fits(labels: Ints, k: int) -> bool:
    """Whether so many parts and neighbours can be counted in bytes."""
    return int(labels.max()) < NOBODY and k <= MOST_K


def side_by_side(partitions: Sequence[NDArray[Any]]) -> Bytes:
    """Labels (m,) of some partitions as (m + 1, partitions); row m is in no part.

    Args:
        partitions: the part of each point, 0 or more; -1 for none.
    """
    m = len(partitions[0])
    labels = np.full((m + 1, len(partitions)), NOBODY, dtype=np.uint8)
    for column, partition in enumerate(partitions):
        labels[:m, column] = partition.astype(np.uint8)  # -1 becomes NOBODY
    return labels


def in_blocks(
    function: Callable[[slice], Value], rows: int, partitions: int, threads: int
) -> Iterator[Value]:
    """What a function gives for consecutive blocks of rows, each small enough to be done at once.

    Args:
        function: of a block.
        rows: how many there are.
        partitions: that are looked at together.
        threads: that share the blocks.
    """
    step = max(1, _TABLE // partitions)
    blocks = [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
    if threads == 1:
        yield from map(function, blocks)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, blocks)


def inverse_in_parts(
    indices: NDArray[np.integer[Any]],
    logs: NDArray[np.floating[Any]],
    mine: Bytes,
    labels: Bytes,
    ks: Sequence[int],
) -> NDArray[np.float32]:
    """Inverse dimension at some points within their part in each of many partitions.

    Args:
        indices: (r, width) positions of their neighbours, nearest first; m in place of a copy.
        logs: (r, width) logarithms of the distances, ascending.
        mine: (r, partitions) their own parts.
        labels: (m + 1, partitions) the part of every point, as `side_by_side` has them.
        ks: numbers of neighbours, 2 to `MOST_K`.

    Returns:
        float32 (ks, r, partitions); NaN where the list holds fewer than k fellows.
    """
    width, most = indices.shape[1], int(max(ks))
    steps = np.zeros((width, len(logs)), dtype=np.float32)
    steps[:-1] = np.diff(logs.T.astype(np.float32), axis=0)
    steps[~np.isfinite(steps)] = 0  # from a copy on, which nobody counts
    result = np.zeros((len(ks), *mine.shape), dtype=np.float32)
    fellows = np.zeros(mine.shape, dtype=np.uint8)  # so far, and `most` where there are more
    for start in range(0, width, _COLUMNS):
        columns = slice(start, min(start + _COLUMNS, width))
        count = np.take(labels, indices[:, columns].T, axis=0)
        # In place the comparison says who is a fellow, and sums of it how many there are so far.
        np.equal(count, mine, out=count.view(np.bool_))
        np.add(count[0], fellows, out=count[0])
        for j in range(1, len(count)):
            np.add(count[j], count[j - 1], out=count[j])
        np.minimum(count[-1], most, out=fellows)
        known = True
        for total, k in zip(result, ks, strict=True):
            before = count < k
            if before[0].any():
                known = False
                weights = (count * before.view(np.uint8)).astype(np.float32)
                total += np.einsum("jrp,jr->rp", weights, steps[columns])
        if known:
            break
    for total, k in zip(result, ks, strict=True):
        total /= k - 1
        total[fellows < k] = np.nan
    return result


def split_variances(found: Neighbours, ks: Sequence[int], seed: int, splits: int) -> Floats:
    """The variance of the logarithm of the dimension at every k, from disjoint random halves.

    It is `thinning.split_variance` of these logarithms, of all halves at once.

    Args:
        found: of a search within the set.
        ks: numbers of neighbours.
        seed: of the halves.
        splits: how many, each into two.

    Returns:
        (ks,) variances at the full number of points.

    Raises:
        UomhError: lists too short to thin to halves, or a half without a finite dimension.
    """
    most = max(ks)
    halves = side_by_side(list(random_halves(found, most, seed, splits)))
    with np.errstate(divide="ignore"):
        logs = np.log(found.distances)
    indices = np.where(found.distances > 0, found.indices, len(halves) - 1)

    def sums(block: slice) -> Floats:
        mine = halves[found.rows[block]]
        values = inverse_in_parts(indices[block], logs[block], mine, halves, ks)
        there = ~np.isnan(values[list(ks).index(most)])
        values[:, ~there] = 0
        values = np.concatenate([values, there[None]])
        return np.stack([(values * (mine == half)).sum(axis=1, dtype=float) for half in (0, 1)])

    blocks = in_blocks(sums, len(found), splits, torch.get_num_threads())
    total = np.sum(list(blocks), axis=0)
    if (total[:, -1] == 0).any() or (total[:, :-1] <= 0).any():
        raise UomhError("some half has no finite dimension")
    a, b = np.log(total[:, :-1] / total[:, -1:])
    return np.asarray(((a - b) ** 2).mean(axis=1) / 4)
