"""Which devices there are: names are checked where they come in, before any work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.errors import UomhError

if TYPE_CHECKING:
    import torch

MAX_THREADS = 1024
"""more than any machine has, and fewer than those at which starting them fails"""


def checked_device(name: str | torch.device | None) -> torch.device:
    """The torch device of a name; asks nothing of CUDA where the name is not one of its devices.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``xpu``; None is the processor.

    Raises:
        UomhError: there is no such kind of device, or this machine has none of it.

    >>> checked_device("cpu")
    device(type='cpu')
    """
    import torch  # help does without

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
        raise UomhError(f"unknown device {str(name)!r}; take cpu, cuda, cuda:NUMBER, mps or xpu")
    count = counts[device.type]()
    if (device.index or 0) >= count:
        there = ", ".join(f"{device.type}:{i}" for i in range(count)) or "none"
        raise UomhError(
            f"device {str(name)!r} is not there: of {device.type} devices, torch finds {there} on "
            "this machine; take another, such as cpu"
        )
    return device
