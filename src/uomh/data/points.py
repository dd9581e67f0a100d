"""Arrays of any numeric type as points: kept exactly, or refused in one sentence.

(N, D) is vectors: floats keep their precision, whole numbers become floats that hold them exactly.
(N, H, W) and (N, H, W, C), (N, C, H, W) with one or three channels are images, and become bytes:
whole numbers 0 to 255 as they are, floats where they are whole grey levels, as such or divided by
the largest level.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.data.cache import Array, Block, Rows
from uomh.errors import UomhError

CHANNELS = (1, 3)
MOST_LEVELS = 256
ROUNDING = 1e-4
"""how far a float may be from a whole grey level, beyond the precision of its type"""
CHUNK_BYTES = 1 << 24
WHOLE_LIMIT = 2**53
"""below it, every whole number is a float64"""


@dataclass(frozen=True)
class ArrayReading:
    """How the arrays of the splits become points.

    Attributes:
        arrays: of each name, (N, D), or (N, C, H, W), not yet converted.
        dtype: of the points.
        levels: grey levels of images, None for vectors.
        scale: what a value is multiplied by to give a grey level.
        notes: sentences on what is read in one of two possible ways.
    """

    arrays: Mapping[str, Array]
    dtype: np.dtype[Any]
    levels: int | None = None
    scale: int = 1
    notes: list[str] = field(default_factory=list)

    def rows(self, name: str, y: NDArray[np.int64] | None) -> Rows:
        """The rows of one of the arrays, with labels (N,)."""
        x = self.arrays[name]

        def blocks() -> Iterator[Block]:
            for start, chunk in _chunks(x):
                labels = None if y is None else y[start : start + len(chunk)]
                yield Block(self._points(chunk), labels)

        return Rows(len(x), blocks)

    def _points(self, chunk: Array) -> Array:
        if chunk.dtype.kind == "f" and self.levels is not None:
            chunk = np.rint(chunk.astype(np.float64) * self.scale)
        return np.ascontiguousarray(chunk, dtype=self.dtype)


def reading(arrays: Mapping[str, Any], levels: int | None = None) -> ArrayReading:
    """How arrays, the training one first, are read as points of one kind.

    Args:
        arrays: by their names in errors.
        levels: grey levels of the images; None: 256, or 2 where every value is 0 or 1.

    Raises:
        UomhError: an array is not points, a value is not finite or would be changed, the arrays are
            not of one kind and shape, or the levels do not fit.
    """
    notes: list[str] = []
    laid = {name: _laid_out(x, name, notes) for name, x in arrays.items()}
    (first, like), *others = laid.items()
    for name, x in others:
        if x.shape[1:] != like.shape[1:]:
            raise UomhError(
                f"{name} holds points of shape {x.shape[1:]}, {first} of {like.shape[1:]}; "
                "make them one shape"
            )
        if _kind(x) != _kind(like):
            raise UomhError(f"{name} is {x.dtype}, {first} is {like.dtype}; save them as one type")
    if like.ndim == 2:
        if levels is not None:
            raise UomhError(f"levels are of images, but {first} holds vectors; leave levels out")
        types = [_vector_type(x, name) for name, x in laid.items()]
        return ArrayReading(laid, np.result_type(*types), None, 1, notes)
    ranges = [_Range.of(x, name) for name, x in laid.items()]
    scale, found, said = _grey_levels(ranges, levels)
    notes += said
    return ArrayReading(laid, np.dtype(np.uint8), found, scale, notes)


def _kind(x: Array) -> str:
    return "whole" if x.dtype.kind in "iu" else x.dtype.kind


def _laid_out(x: Any, name: str, notes: list[str]) -> Array:
    """(N, D) or (N, C, H, W), as it is stored."""
    array: Array = np.asanyarray(x)
    if array.dtype.kind not in "biuf":
        raise UomhError(
            f"{name} should hold real numbers, but is {array.dtype}; convert it to floats or bytes"
        )
    if not 2 <= array.ndim <= 4:
        raise UomhError(
            f"{name} should be vectors (N, D) or images (N, H, W), (N, H, W, C) or (N, C, H, W); "
            f"its shape is {array.shape}"
        )
    if 0 in array.shape:
        raise UomhError(f"{name} is empty: its shape is {array.shape}")
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 2:
        return array
    first, last = array.shape[1] in CHANNELS, array.shape[3] in CHANNELS
    if not (first or last):
        raise UomhError(
            f"{name} has shape {array.shape}; images have 1 or 3 channels, as in (N, H, W, 3); "
            "flatten other points to (N, D)"
        )
    if first and last:
        notes.append(f"{name} of shape {array.shape} is read as (N, C, H, W), channels first")
    return array if first else array.transpose(0, 3, 1, 2)


def _vector_type(x: Array, name: str) -> np.dtype[Any]:
    """The smallest float type, of 32 bits at least, that holds every value; all are finite."""
    if x.dtype.kind == "b" or (x.dtype.kind in "iu" and x.dtype.itemsize < 4):
        return np.dtype(np.float32)
    if x.dtype.kind in "iu":
        for start, chunk in _chunks(x):
            _refuse(
                (chunk < -WHOLE_LIMIT) | (chunk > WHOLE_LIMIT),
                start,
                f"{name} holds whole numbers beyond 2^53, which float64 would round",
                "subtract a common number first",
            )
        return np.dtype(np.float64)
    for start, chunk in _chunks(x):
        _refuse(~np.isfinite(chunk), start, f"{name} holds NaN or infinity", "repair or remove it")
        if x.dtype.itemsize > 8:
            with np.errstate(over="ignore", under="ignore"):
                changed = chunk.astype(np.float64) != chunk
            _refuse(changed, start, f"{name} is {x.dtype}, which float64 would round", "round it")
    return np.dtype(np.float32 if x.dtype.itemsize <= 4 else np.float64)


@dataclass
class _Range:
    """The range of an array of images, and whether all its values are whole numbers."""

    name: str
    dtype: np.dtype[Any]
    low: float
    high: float
    whole: bool
    array: Array

    @classmethod
    def of(cls, x: Array, name: str) -> _Range:
        low, high, whole = math.inf, -math.inf, True
        for start, chunk in _chunks(x):
            if x.dtype.kind == "f":
                bad = ~np.isfinite(chunk)
                _refuse(bad, start, f"{name} holds NaN or infinity", "repair or remove it")
                whole = whole and bool((chunk == np.rint(chunk)).all())
            low, high = min(low, chunk.min().item()), max(high, chunk.max().item())
        return cls(name, x.dtype, low, high, whole, x)

    def whole_times(self, scale: int) -> bool:
        """Whether every value times ``scale`` is a whole number, but for rounding."""
        precision = float(np.finfo(self.dtype).eps) / 2
        allowed = ROUNDING + scale * precision
        for _, chunk in _chunks(self.array):
            scaled = chunk.astype(np.float64) * scale
            if (np.abs(scaled - np.rint(scaled)) > allowed).any():
                return False
        return True


def _grey_levels(ranges: list[_Range], levels: int | None) -> tuple[int, int, list[str]]:
    """The factor that makes values grey levels, the number of levels, and notes on the choice."""
    lowest, highest = min(ranges, key=lambda r: r.low), max(ranges, key=lambda r: r.high)
    low, high, dtype = lowest.low, highest.high, ranges[0].dtype
    name = lowest.name if low < 0 else highest.name
    top = (levels or MOST_LEVELS) - 1
    if low < 0 or high > MOST_LEVELS - 1:
        raise UomhError(
            f"{name} holds images of values from {low:g} to {high:g}; grey levels are 0 to 255, "
            "or floats 0 to 1: scale them, or flatten them to vectors (N, D)"
        )
    if all(r.whole for r in ranges):
        if levels is not None and high > top:
            raise UomhError(
                f"levels is {levels}, but {name} holds the grey level {high:g}; "
                f"give levels={int(high) + 1} or more"
            )
        if levels is not None or dtype.kind in "iu":
            return 1, top + 1, []
        if dtype.kind == "b" or high <= 1:
            said = (
                [] if dtype.kind == "b" else [f"{name}: floats 0 and 1 are read as 2 grey levels"]
            )
            return 1, 2, said
        return 1, MOST_LEVELS, [f"{name}: whole floats up to {high:g} are read as grey levels"]
    if high <= 1 and all(r.whole_times(top) for r in ranges):
        return top, top + 1, [f"{name}: floats 0 to 1 are read as grey levels 0 to {top}"]
    raise UomhError(
        f"{name} holds images of floats from {low:g} to {high:g} that are not whole grey levels; "
        "give bytes 0 to 255, or flatten them to vectors (N, D)"
    )


def _chunks(x: Array) -> Iterator[tuple[int, Array]]:
    """Consecutive rows, in memory a part at a time."""
    size = max(1, CHUNK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, len(x), size):
        yield start, x[start : start + size]


def _refuse(bad: NDArray[np.bool_], start: int, what: str, advice: str) -> None:
    """Raise where any value is bad, naming the first row that has one."""
    if bad.any():
        row = start + int(np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))[0])
        raise UomhError(f"{what}, first in row {row}; {advice}")
