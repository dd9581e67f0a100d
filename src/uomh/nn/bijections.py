"""Invertible maps: what the transforms of data and the steps of flows have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, cast

from torch import Tensor, nn

from uomh.data.core import Split


class Bijection(nn.Module):
    """An invertible map, which may depend on a context (B, C), such as labels as one-hot vectors.

    Calling it gives z (B, ...) and log |det dz/dx| (B,) in nats.
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x (B, ...) forward."""
        raise NotImplementedError

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map z (B, ...) back."""
        raise NotImplementedError

    def fit(self, split: Split) -> None:
        """Take what the map needs from the training points; most maps need nothing."""


class Chain(Bijection):
    """Bijections one after the other.

    Args:
        maps: in the order in which they are applied.
    """

    saved_as: ClassVar[str] = "parts"
    """the name in a state dict under which the maps stand"""

    def __init__(self, *maps: Bijection) -> None:
        super().__init__()
        self.add_module(self.saved_as, nn.ModuleList(maps))

    @property
    def maps(self) -> list[Bijection]:
        """The maps, in the order in which they are applied."""
        return list(cast("Iterable[Bijection]", self.get_submodule(self.saved_as)))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x forward through all maps; log-determinants add up."""
        log_det = x.new_zeros(len(x))
        for bijection in self.maps:
            x, map_log_det = bijection(x, context)
            log_det = log_det + map_log_det
        return x, log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map z back through all maps, the last first."""
        for bijection in reversed(self.maps):
            z = bijection.inverse(z, context)
        return z

    def fit(self, split: Split) -> None:
        """Fit every map to the points as they are before the chain."""
        for bijection in self.maps:
            bijection.fit(split)
