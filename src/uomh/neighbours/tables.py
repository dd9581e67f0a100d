"""The memory in which the blocks of a search are computed, and where they hold what is near."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from uomh.neighbours.bounds import lower_bounds

BAND = 1024
"""rows of a block, and columns"""


class Tables:
    """Blocks of bounds in memory that is used again: fresh pages would cost as much as the sums."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self.device = device
        self._bounds, self._limits = torch.empty(2, BAND**2, dtype=dtype, device=device)
        self._mask = torch.empty(BAND**2, dtype=torch.bool, device=device)

    def block(self, rows: int, columns: int) -> Tensor:
        """Room for a table, the same at each call."""
        room: Tensor = self._bounds[: rows * columns].view(rows, columns)
        return room

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        """``left @ right.T``, valid until the next call."""
        return lower_bounds(left, right, self.block(len(left), len(right)))

    def larger(self, a: Tensor, b: Tensor) -> Tensor:
        """The larger of a (n, 1) and b (1, m), valid until the next call."""
        shape = len(a), b.shape[1]
        return torch.maximum(a, b, out=self._limits[: math.prod(shape)].view(shape))

    def below(self, bounds: Tensor, limits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where bounds are within their limits: row, column and bound, on the processor."""
        mask = self._mask[: bounds.numel()]
        torch.le(bounds, limits, out=mask.view(bounds.shape))
        if len(mask) % 8:
            (flat,) = torch.where(mask)
        else:
            # Hits are rare: find the eight-byte words that hold some before looking at bytes.
            (words,) = torch.where(mask.view(torch.int64))
            word, byte = torch.where(mask.view(-1, 8)[words])
            flat = words[word] * 8 + byte
        low = bounds.flatten()[flat].cpu()
        flat = flat.cpu()
        return flat // bounds.shape[1], flat % bounds.shape[1], low
