r"""Instance normalisation whose second derivative is as cheap as its first.

Over the n pixels of one channel of one image, xh = (x - m(x)) r with r = (var(x) + eps)^(-1/2) and
m the mean. With P u = u - m(u) - xh m(xh u), which is self-adjoint, the derivative is

    d xh . u = r P u,      so that a gradient g of xh becomes r P g for x.

A gradient penalty differentiates that once more. For a vector v, L = <v, r P g> has

    dL/dg = r P v,
    dL/dx = -r^2 [ m(v P g) xh + m(xh g) P v + m(xh v) P g ],

from dr . u = -r^2 m(xh u). Automatic differentiation finds the same in some thirty passes over the
image, which took a seventh of a critic's step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from uomh.errors import UomhError


def _project(u: Tensor, xh: Tensor) -> tuple[Tensor, Tensor]:
    """P u and m(xh u)."""
    along = (u * xh).mean(-1, keepdim=True)
    return torch.addcmul(u - u.mean(-1, keepdim=True), xh, along, value=-1), along


class _Standardise(Function):
    """Images (B, C, n) to xh; twice differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        x = x.contiguous()
        # Instance normalisation is group normalisation with a group for each channel.
        images, channels, pixels = x.shape
        xh, mean, scale = torch.native_group_norm(
            x, None, None, images, channels, pixels, channels, eps
        )
        ctx.save_for_backward(x, xh, mean, scale)
        return xh

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        x, xh, mean, scale = ctx.saved_tensors
        g = gradients[0].contiguous()
        if torch.is_grad_enabled():
            own = g, x, xh.detach(), scale[:, :, None]
            return _First.apply(*own), None  # type: ignore[no-untyped-call]
        shape = (*x.shape, x.shape[1])
        first = torch.ops.aten.native_group_norm_backward(
            g, x, mean, scale, None, *shape, [True, False, False]
        )
        return first[0], None


class _First(Function):
    """The gradient of x from that of xh; differentiable in both it and x."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, xh: Tensor, scale: Tensor) -> Tensor:
        projected, along = _project(g, xh)
        ctx.save_for_backward(xh, scale, projected, along)
        return projected * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor, Tensor, None, None]:
        xh, scale, of_g, along_g = ctx.saved_tensors
        of_v, along_v = _project(v, xh)
        both = (v * of_g).mean(-1, keepdim=True)
        inner = torch.addcmul(torch.addcmul(both * xh, along_g, of_v), along_v, of_g)
        return of_v * scale, inner * -scale.square(), None, None


class InstanceNorm(nn.Module):
    """Standardise each channel of each image over its pixels, then scale and shift by channel.

    Args:
        channels: C of images (B, C, H, W).
        eps: added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images (B, C, H, W), in float32 under autocast.

        Raises:
            UomhError: a channel has one pixel, of which nothing would be left.
        """
        if x.shape[2] * x.shape[3] == 1:
            raise UomhError(
                "instance normalisation over a single pixel leaves nothing; use fewer layers or "
                "strides, or another norm"
            )
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        xh: Tensor = _Standardise.apply(x.flatten(2), self.eps)  # type: ignore[no-untyped-call]
        out = torch.addcmul(self.bias[:, None], xh, self.weight[:, None])
        return out.reshape(x.shape)
