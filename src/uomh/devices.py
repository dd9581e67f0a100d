"""Which devices there are: names are checked where they come in, before any work is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from uomh.errors import UomhError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MAX_THREADS = 1024
"""more than any machine has, and fewer than those at which starting them fails"""

_worker: ContextVar[int | None] = ContextVar("worker", default=None)


def checked_device(name: str | torch.device | None) -> torch.device:
    """The torch device of a name; asks nothing of CUDA where the name is not one of its devices.

    Args:
        name: ``auto``: CUDA where there is one, then MPS, then the processor; or ``cpu``, ``cuda``,
            ``cuda:1``, ``mps``, ``xpu``; None is the processor. Of n CUDA devices, worker i takes
            number i mod n where the name has none.

    Raises:
        UomhError: there is no such kind of device, or this machine has none of it.

    >>> checked_device("cpu")
    device(type='cpu')
    """
    import torch  # help does without

    if name == "auto":
        name = _best()
    try:
        device = torch.device("cpu" if name is None else name)
    except (RuntimeError, TypeError):
        device = torch.device("meta")  # which computes nothing either
    counts = {
        "cpu": lambda: 1,
        "cuda": torch.cuda.device_count,
        "mps": lambda: int(torch.backends.mps.is_available()),
        "xpu": torch.xpu.device_count,
    }
    if device.type not in counts:
        raise UomhError(
            f"unknown device {str(name)!r}; take auto, cpu, cuda, cuda:NUMBER, mps or xpu"
        )
    count = counts[device.type]()
    if (device.index or 0) >= count:
        there = ", ".join(f"{device.type}:{i}" for i in range(count)) or "none"
        raise UomhError(
            f"device {str(name)!r} is not there: of {device.type} devices, torch finds {there} on "
            "this machine; take another, such as cpu"
        )
    number = _worker.get()
    if device.type == "cuda" and device.index is None and number is not None:
        device = torch.device("cuda", number % count)
    return device


def _best() -> str:
    """The kind of device that ``auto`` means here."""
    import torch

    if torch.cuda.is_available() and torch.cuda.device_count():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@contextmanager
def as_worker(number: int | None) -> Iterator[None]:
    """In this block we are the worker of this number, by which those of a machine share devices.

    Args:
        number: counted from 0; None: as before.
    """
    token = _worker.set(_worker.get() if number is None else number)
    try:
        yield
    finally:
        _worker.reset(token)


def described(device: torch.device) -> str:
    """A device, and the name of its maker where CUDA tells one."""
    import torch

    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"


def widest_float(device: torch.device) -> torch.dtype:
    """The floating type of most digits that a device knows: MPS knows no float64."""
    import torch

    return torch.float32 if device.type == "mps" else torch.float64


def as_float64(x: Tensor) -> Tensor:
    """The same numbers in float64: where they are, or on the processor if that is not possible."""
    import torch

    return (x if widest_float(x.device) == torch.float64 else x.cpu()).double()


def moved(x: Tensor, device: torch.device | str) -> Tensor:
    """Points on a device, as float32 where it does not know their type."""
    import torch

    if x.dtype == torch.float64:
        x = x.to(widest_float(torch.device(device)))
    return x.to(device)
