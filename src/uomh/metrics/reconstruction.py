"""How well codes keep a point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor

from uomh.errors import UomhError
from uomh.metrics.core import Metric
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.values import Value
from uomh.nn.transforms import Cells
from uomh.registry import register


@runtime_checkable
class Restores(Protocol):
    """A generative model, or two models that are trained in turns."""

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space restored from the codes of x."""


@register("metrics", "l2_reconstruction_error")
class L2ReconstructionError(Metric):
    """Mean of ||x - decode(encode(x))||^2, images scaled to [0, 1]."""

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Squared error summed over coordinates; images in units of their last grey level."""
        model = evaluation.model
        if not isinstance(model, Restores):
            raise UomhError(f"{type(model).__name__} has no codes to restore a point from")
        unit = (evaluation.data.levels or 2) - 1
        centres = Cells(dequantize=False)

        def error(x: Tensor, y: Tensor | None) -> Tensor:
            difference: Tensor = (model.reconstruct(x, y) - centres(x)) / unit
            return difference.square().flatten(1).sum(1)

        yield self.name, Value.mean(evaluation.over_points(error))
