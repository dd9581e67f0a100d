"""Points of any kind as a tensor of rows: exactly the numbers that were given, or one sentence.

Types without arithmetic in torch or NumPy are widened (bfloat16, uint16, ...), which loses
nothing. What would lose something is refused: whole numbers that float64 cannot hold, in which
differences are taken; numbers wider than float64; masks, which would be ignored.
"""

from __future__ import annotations

import numbers
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.errors import UomhError

LARGEST_WHOLE = 1 << 53
"""whole numbers beyond it are not all float64 numbers"""

_WIDER = {
    torch.bool: torch.uint8,
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.int64,
    torch.bfloat16: torch.float32,
}
_PLAIN = {
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.float32, torch.float64),
}


def as_rows(X: Any, name: str) -> Tensor:
    """The points as a tensor (n, D) on the processor, without gradient, sharing memory if it can.

    Args:
        X: n rows of any trailing shape: an array, a tensor, a table, a list of lists.
        name: what errors call it.

    Raises:
        UomhError: X is sparse or masked, holds anything but real numbers, or whole numbers that
            float64 cannot hold; or it is not at least one row of at least one.
    """
    refuse_sparse_and_masked(X, name)
    try:
        values = X.detach().cpu() if isinstance(X, Tensor) else _tensor(_array(X, name))
        if values.dtype == torch.uint64 and values.numel():
            refuse_beyond_float64(int(values.numpy().max()), name)
        values = values.to(_WIDER.get(values.dtype, values.dtype))
        if values.dtype.is_floating_point and values.dtype.itemsize == 1:
            values = values.float()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise UomhError(_not_numbers(X, name)) from None
    if values.dtype not in _PLAIN:
        raise UomhError(_not_numbers(X, name))
    if values.ndim < 2 or 0 in values.shape:
        raise UomhError(
            f"{name} must hold one point of real numbers per row, at least one row and one "
            f"column; it has shape {tuple(values.shape)}"
        )
    rows = values.flatten(1)
    # The stride of a single column may be any number, and torch then sees no bytes in it.
    return rows[:, 0].unsqueeze(1).contiguous() if rows.shape[1] == 1 else rows


def refuse_sparse_and_masked(X: Any, name: str) -> None:
    """Raise where a value is not stored for every coordinate."""
    if isinstance(X, Tensor):
        if X.layout != torch.strided:
            raise UomhError(f"{name} is sparse; use .to_dense()")
    elif hasattr(X, "toarray"):
        raise UomhError(f"{name} is sparse; use .toarray()")
    elif hasattr(X, "sparse"):  # a table of pandas, all of whose columns are
        raise UomhError(f"{name} is sparse; use .sparse.to_dense()")
    elif isinstance(X, np.ma.MaskedArray):
        raise UomhError(
            f"{name} is a masked array; leave masked rows out and give plain numbers (.data)"
        )


def refuse_beyond_float64(largest: float, name: str) -> None:
    """Raise where whole numbers are so large that float64 would merge some."""
    if largest > LARGEST_WHOLE:
        raise UomhError(
            f"{name} holds whole numbers beyond 2^53, which float64 cannot tell apart; subtract "
            "the smallest of each column first, or give floats"
        )


def _array(X: Any, name: str) -> NDArray[Any]:
    array = np.asarray(X)
    if array.dtype.kind != "O":
        return array
    largest = 0
    for value in array.flat:
        if not isinstance(value, numbers.Real | Decimal | np.bool_):
            raise TypeError
        if isinstance(value, numbers.Integral):
            largest = max(largest, abs(int(value)))
    refuse_beyond_float64(largest, name)
    return array.astype(np.float64)


def _tensor(array: NDArray[Any]) -> Tensor:
    """A tensor that shares the array's memory where torch can."""
    strange = any(stride < 0 or stride % array.itemsize for stride in array.strides)
    if not array.dtype.isnative or strange:
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        # A read-only memory map is fine: nothing here writes into the points.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _not_numbers(X: Any, name: str) -> str:
    kind = getattr(X, "dtype", type(X).__name__)
    return f"{name} must be an array of real numbers, of at most 64 bits each; it is {kind}"
