"""How well codes keep a point."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from uomh.metrics.core import Evaluation, Metric
from uomh.metrics.values import Value
from uomh.nn.transforms import Cells
from uomh.registry import register


@register("metrics", "l2_reconstruction_error")
class L2ReconstructionError(Metric):
    """Mean of ||x - decode(encode(x))||^2, images scaled to [0, 1]."""

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Squared error summed over coordinates; images in units of their last grey level."""
        model = evaluation.model
        unit = (evaluation.data.levels or 2) - 1
        centres = Cells(dequantize=False)

        def error(x: Tensor, y: Tensor | None) -> Tensor:
            difference: Tensor = (model.reconstruct(x, y) - centres(x)) / unit
            return difference.square().flatten(1).sum(1)

        yield self.name, Value.mean(evaluation.over_points(error))
