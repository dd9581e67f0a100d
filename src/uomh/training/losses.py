"""The losses of an epoch, kept on the device and read rarely."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from uomh.devices import widest_float

READ_EVERY = 256
"""losses that gather on the device between two looks at them: reading stalls it"""


class NotFiniteError(Exception):
    """Training left the finite numbers, at this step."""

    def __init__(self, what: str, step: int) -> None:
        super().__init__(what)
        self.step = step


class EpochLosses:
    """Losses by group, gathered in one buffer on the device.

    One buffer, because small tensors that outlive a step would pin the freed memory of its large
    ones, and the process would grow with every step.
    """

    def __init__(self, device: str) -> None:
        dtype = widest_float(torch.device(device))
        self.buffer = torch.empty(READ_EVERY, dtype=dtype, device=device)
        self.where: list[tuple[int, str]] = []
        self.values: dict[str, list[float]] = {}

    def add(self, step: int, group: str, loss: Tensor) -> None:
        """Keep the loss () of a group at a step."""
        self.buffer[len(self.where)] = loss.detach()
        self.where.append((step, group))
        if len(self.where) == READ_EVERY:
            self.read()

    def read(self) -> None:
        """Take what has gathered.

        Raises:
            NotFiniteError: a loss is infinite or not a number.
        """
        values = self.buffer[: len(self.where)].tolist()
        for (step, group), value in zip(self.where, values, strict=True):
            if not math.isfinite(value):
                raise NotFiniteError(f"the loss of group {group!r} became {value}", step)
            self.values.setdefault(group, []).append(value)
        self.where.clear()

    def means(self) -> dict[str, float]:
        """The mean of each group's losses, by ``loss`` or, of several groups, ``<group>_loss``."""
        self.read()
        return {
            "loss" if len(self.values) == 1 else f"{group}_loss": math.fsum(values) / len(values)
            for group, values in self.values.items()
        }
