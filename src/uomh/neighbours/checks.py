"""Options as they were meant, or one sentence: whole numbers, a choice among names, a device."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from uomh.errors import UomhError, unknown


def whole_number(value: Any, what: str, least: int) -> int:
    """The value as an int.

    Raises:
        UomhError: it is no whole number (a truth value is none), or below ``least``.

    Examples:
        >>> whole_number(np.int64(3), "k", 1)
        3
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise UomhError(f"{what} must be a whole number; it is {value!r}") from None
    if number < least:
        raise UomhError(f"{what} must be at least {least}; it is {number}")
    return number


def real_number(value: Any, what: str) -> float:
    """The value as a float.

    Raises:
        UomhError: it is no finite number.
    """
    try:
        if isinstance(value, bool | np.bool_ | str | bytes):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise UomhError(f"{what} must be a number; it is {value!r}") from None
    if not np.isfinite(number):
        raise UomhError(f"{what} must be a finite number; it is {number}")
    return number


def one_of(value: Any, what: str, known: Sequence[str]) -> str:
    """The value, one of these names.

    Raises:
        UomhError: it is none of them.
    """
    if not isinstance(value, str) or value not in known:
        raise unknown(what, str(value), known)
    return value


def text(value: Any, what: str) -> str:
    """The value, a text.

    Raises:
        UomhError: it is none.
    """
    if not isinstance(value, str):
        raise UomhError(f"{what} must be text; it is {value!r}")
    return value


def available(device: Any) -> torch.device:
    """The torch device of that name; None is the processor.

    Raises:
        UomhError: there is none, or it cannot be used here.
    """
    try:
        found = torch.device("cpu" if device is None else device)
        torch.zeros(1, device=found).cpu()
    except (RuntimeError, AssertionError, TypeError, ValueError):
        raise UomhError(
            f"the device {str(device)!r} is not there, or this torch cannot use it; "
            "'cpu' always can"
        ) from None
    return found
