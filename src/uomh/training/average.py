r"""An exponential moving average of a model's weights.

After the step from n to n + 1 batches the average moves towards the weights w,

    a <- d' a + (1 - d') w,    d' = min(d, (1 + n) / (10 + n)),

so that it forgets the untrained weights, from which it starts, within the first tens of steps
instead of within 1 / (1 - d) of them; from about n = 9 d / (1 - d) on the decay is d. The average
is smoother than the weights, whose last steps are noise of the batches (Polyak & Juditsky 1992).
Only parameters are averaged: buffers (replayed chains, label weights, statistics of norms) are the
model's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The average of a model's parameters, on the device where they are.

    Args:
        model: whose parameters are averaged; the average begins at what they are now.
        decay: d, the share of the average that a step keeps.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.parameters: list[Tensor] = list(model.parameters())
        self.decay = decay
        self.values: list[Tensor] = [parameter.detach().clone() for parameter in self.parameters]

    def update(self, steps: int) -> None:
        """Move towards the parameters, after so many earlier updates."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.values, self.parameters, 1 - decay)

    def load(self, values: list[Tensor]) -> None:
        """Take the average of a checkpoint."""
        for average, saved in zip(self.values, values, strict=True):
            average.copy_(saved)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """In this block the model's parameters are the average."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for i, parameter in enumerate(self.parameters):
            self.values[i], parameter.data = parameter.data, self.values[i]
