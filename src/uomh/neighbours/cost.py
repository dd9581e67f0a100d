"""How long a search will take here, from a block of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from uomh.neighbours.bounds import DIMENSIONS
from uomh.neighbours.tables import BAND
from uomh.neighbours.whole import COORDINATES, ByteRows, is_exact

WORTH_ASKING = 1e10
"""pairs and coordinates of a search that may take seconds; less is not worth a trial"""


def search_seconds(n: int, dim: int, *, whole: bool, rows: int | None = None) -> float:
    """About how many seconds the neighbours of some rows among n points take.

    A block of such a search is tried: its product, and the look for what lies within reach. Where
    few coordinates tell the rest, as they mostly do beyond 256, so many are multiplied.

    Args:
        n: number of points.
        dim: their coordinates.
        whole: whether they are bytes.
        rows: how many are asked about; None: all, each pair once for both.
    """
    pairs = n * n / 2 if rows is None else float(n * rows)
    if pairs * dim < WORTH_ASKING:
        return 0.0
    if whole and dim in COORDINATES and is_exact():
        block = ByteRows.of(torch.zeros(BAND, dim, dtype=torch.uint8))
        seconds = min(_tried(lambda: block.squared(block)) for _ in range(3))
    else:
        floats = torch.zeros(BAND, min(dim, DIMENSIONS[-1]))
        seconds = min(_tried(lambda: floats @ floats.T) for _ in range(3))
    return seconds * pairs / BAND**2


def _tried(product: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    torch.where(product() < 0)
    return time.perf_counter() - start
