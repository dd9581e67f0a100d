"""The coordinates of points as they are: no learning, no weights, any data."""

from __future__ import annotations

from torch import Tensor

from uomh.features.core import Extractor
from uomh.registry import register


@register("extractors", "pixels")
class Pixels(Extractor):
    """Grey levels divided by the last one, or vectors as they are."""

    def state(self) -> str:
        """It has none."""
        return ""

    def features(self, x: Tensor, levels: int | None) -> Tensor:
        """See `Extractor`."""
        flat = x.flatten(1)
        return flat if levels is None else flat.float() / max(levels - 1, 1)
