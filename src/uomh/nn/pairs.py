"""Networks on a point and a vector that belongs to it: a code, or noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from uomh.nn.layers import NetSettings
from uomh.nn.nets import encoder, resolved_net


class PairNet(nn.Module):
    """A network from a point and a vector, and labels where it is conditional, to vectors.

    An MLP joins the coordinates of both. A network on images is shown the vector as one more
    channel, a learned linear image of it.

    Args:
        settings: of the network.
        shape: of one point.
        vector_dim: size of the vector.
        out_dim: size of the output.
        num_classes: of labels; 0 where the network takes none.
    """

    def __init__(
        self,
        settings: NetSettings,
        shape: tuple[int, ...],
        vector_dim: int,
        out_dim: int,
        num_classes: int = 0,
    ) -> None:
        super().__init__()
        kind = resolved_net(settings, shape)
        settings = settings.model_copy(update={"net": kind})
        self.plane: nn.Linear | None = None
        joined: tuple[int, ...] = (math.prod(shape) + vector_dim,)
        if kind != "mlp":
            self.plane = nn.Linear(vector_dim, shape[1] * shape[2])
            joined = (shape[0] + 1, *shape[1:])
        self.net = encoder(settings, joined, out_dim, num_classes)

    def forward(self, x: Tensor, vector: Tensor, y: Tensor | None = None) -> Tensor:
        """Outputs (B, out_dim) for points x (B, ...) and vectors (B, vector_dim)."""
        if self.plane is None:
            joined = torch.cat([x.flatten(1), vector], 1)
        else:
            plane = self.plane(vector).reshape(len(x), 1, *x.shape[2:])
            joined = torch.cat([x, plane.to(x.dtype)], 1)
        out: Tensor = self.net(joined, y)
        return out
