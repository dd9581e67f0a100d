r"""Invertible steps of normalising flows, with their log-determinants.

A coupling step splits x = (a, b) and maps b coordinatewise by monotonic rational-quadratic splines
whose K bins are given by a network of a (Durkan et al. 2019); an autoregressive step gives each
coordinate's spline by those before it. Between them stand permutations and linear maps
W = L U with log |det W| = sum log diag U. The multiscale flow of images (Dinh et al. 2017)
squeezes 2x2 pixels into channels, couples channels by convolutional networks, and sends half of
the channels straight to the base density at every scale.

Splines act on [-bound, bound] and are the identity outside. They stand on zuko's transforms.
Log-determinants need the mantissa of float32: under autocast the networks alone are in bfloat16.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from zuko.flows import MaskedAutoregressiveTransform
from zuko.transforms import MonotonicRQSTransform

from uomh.errors import UomhError
from uomh.nn.bijections import Bijection, Chain
from uomh.settings import Settings, Width


class SplineSettings(Settings):
    """Coupling or autoregressive spline steps."""

    num_layers: int = 4
    """spline steps, each after a permutation and a linear map (multiscale: steps at each scale)"""
    num_blocks_per_layer: int = 3
    """residual blocks of each step's network"""
    hidden_units: Annotated[int, Width()] = 64
    """width of each step's network, channels where it is convolutional"""
    bins: int = 8
    """bins of each spline"""
    linear: bool = True
    """linear maps of all coordinates between steps, D x D weights each (multiscale: of channels)"""
    tail_bound: float = 3.0
    """splines act on [-tail_bound, tail_bound]; images are stretched to it"""


class Steps(Chain):
    """The chain of a flow's steps."""

    saved_as = "steps"


class Mix(Bijection):
    """A fixed random permutation of coordinates (channels), then an invertible linear map of them.

    W = L U with unit lower L and upper U, whose diagonal is exp(log_diagonal); it begins as the
    identity. W is applied factor by factor and never formed. Without the linear map, the diagonal
    alone is left of it.

    Args:
        features: coordinates of vectors, or channels of images.
        permute: begin with a permutation.
        linear: with L and U, features x features weights.
    """

    order: Tensor
    triangles: Tensor | None

    def __init__(self, features: int, permute: bool = True, linear: bool = True) -> None:
        super().__init__()
        order = torch.randperm(features) if permute else torch.arange(features)
        self.register_buffer("order", order)
        weights = nn.Parameter(torch.zeros(features, features)) if linear else None
        self.register_parameter("triangles", weights)
        self.log_diagonal = nn.Parameter(torch.zeros(features))

    def factors(self, triangles: Tensor) -> tuple[Tensor, Tensor]:
        """L and U."""
        lower = torch.tril(triangles, -1) + torch.eye(len(self.order)).to(triangles)
        return lower, torch.triu(triangles, 1) + torch.diag(self.log_diagonal.exp())

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """W P x, at every pixel of images."""
        with torch.autocast(x.device.type, enabled=False):
            z = x[:, self.order].movedim(1, -1)
            if self.triangles is None:
                z = z * self.log_diagonal.exp()
            else:
                lower, upper = self.factors(self.triangles)
                z = functional.linear(functional.linear(z, upper), lower)
            z = z.movedim(-1, 1)
        pixels = x[0, 0].numel()
        return z, (pixels * self.log_diagonal.sum()).expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Solve two triangular systems, and permute back."""
        columns = z.movedim(1, 0).reshape(len(self.order), -1)
        if self.triangles is None:
            columns = columns * torch.exp(-self.log_diagonal)[:, None]
        else:
            lower, upper = self.factors(self.triangles)
            columns = torch.linalg.solve_triangular(lower, columns, upper=False, unitriangular=True)
            columns = torch.linalg.solve_triangular(upper, columns, upper=True)
        shape = (z.shape[1], z.shape[0], *z.shape[2:])
        x: Tensor = columns.reshape(shape).movedim(0, 1)
        return x[:, self.order.argsort()]


class ResidualNet(nn.Module):
    """Residual blocks between vectors, or between images of one size (3x3 and 1x1 convolutions).

    Args:
        before: features (channels) of the input.
        after: of the output.
        context: size of a context that is joined to the input, 0 for none.
        settings: width and number of blocks.
        planes: for images.
    """

    def __init__(
        self, before: int, after: int, context: int, settings: SplineSettings, planes: bool
    ) -> None:
        super().__init__()
        width = settings.hidden_units

        def layer(before: int, after: int, size: int = 1) -> nn.Module:
            if planes:
                return nn.Conv2d(before, after, size, padding=size // 2)
            return nn.Linear(before, after)

        self.first = layer(before + context, width, 3)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), layer(width, width, 3), nn.ReLU(), layer(width, width))
            for _ in range(settings.num_blocks_per_layer)
        )
        self.last = layer(width, after)
        # Equal bins and unit slopes make a spline the identity: flows begin near it.
        for parameter in self.last.parameters():
            nn.init.uniform_(parameter, -1e-3, 1e-3)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Outputs (B, after, ...) of inputs (B, before, ...)."""
        if context is not None:
            joined = context.reshape(*context.shape, *(1,) * (x.dim() - 2))
            x = torch.cat([x, joined.expand(-1, -1, *x.shape[2:])], 1)
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        out: Tensor = self.last(functional.relu(x))
        return out


class Coupling(Bijection):
    """Splines of the last coordinates (channels), given by a network of the first.

    Args:
        features: coordinates of vectors, or channels of images.
        context: size of the context, 0 for none.
        settings: splines and network.
        planes: for images.
    """

    def __init__(self, features: int, context: int, settings: SplineSettings, planes: bool) -> None:
        super().__init__()
        self.kept = features // 2
        self.bins, self.bound = settings.bins, settings.tail_bound
        after = (features - self.kept) * (3 * settings.bins - 1)
        # A single coordinate depends on no other, so its network is given a constant.
        self.net = ResidualNet(max(self.kept, 1), after, context, settings, planes)

    def spline(self, a: Tensor, b: Tensor, context: Tensor | None) -> Any:
        """The transform of b (B, F, ...) given a; of b, only shape and type count."""
        a = a if self.kept else torch.ones_like(b[:, :1])
        raw = self.net(a, context).to(b.dtype)
        raw = raw.reshape(len(b), b.shape[1], -1, *b.shape[2:]).movedim(2, -1)
        return _spline(self.bound, *raw.split([self.bins, self.bins, self.bins - 1], -1))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(a, spline(b; a))."""
        a, b = x[:, : self.kept], x[:, self.kept :]
        b, log_det = self.spline(a, b, context).call_and_ladj(b)
        return torch.cat([a, b], 1), log_det.flatten(1).sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(a, spline^-1(b; a))."""
        a, b = z[:, : self.kept], z[:, self.kept :]
        return torch.cat([a, self.spline(a, b, context).inv(b)], 1)


class Autoregressive(Bijection):
    """Splines of every coordinate of vectors, given by those before it (zuko's masked network).

    The inverse takes as many passes through the network as there are coordinates, two or more.
    """

    def __init__(self, features: int, context: int, settings: SplineSettings) -> None:
        super().__init__()
        bins = settings.bins
        self.transform = MaskedAutoregressiveTransform(
            features,
            context,
            univariate=partial(_spline, settings.tail_bound),
            shapes=[(bins,), (bins,), (bins - 1,)],
            hidden_features=(settings.hidden_units,) * settings.num_blocks_per_layer,
            residual=True,
        )

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z_i = spline(x_i; x_1 .. x_{i-1})."""
        with torch.autocast(x.device.type, enabled=False):
            z, log_det = self.transform(context).call_and_ladj(x)
        return z, log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Coordinate after coordinate."""
        with torch.autocast(z.device.type, enabled=False):
            x: Tensor = self.transform(context).inv(z)
        return x


class Multiscale(Bijection):
    """The flow of images (B, C, H, W) to vectors (B, CHW): squeeze, couple, send half out, repeat.

    Args:
        shape: (C, H, W); a scale needs even sizes.
        scales: at most so many.
        context: size of the context, 0 for none.
        settings: splines and networks.
    """

    def __init__(
        self, shape: tuple[int, ...], scales: int, context: int, settings: SplineSettings
    ) -> None:
        super().__init__()
        if len(shape) != 3 or shape[1] % 2 or shape[2] % 2:
            raise UomhError(
                f"a multiscale flow takes images of even sizes, but these data have the shape "
                f"{shape}; choose transform=coupling"
            )
        channels, height, width = shape
        levels: list[Bijection] = []
        self.split: list[int] = []
        """channels that leave after each scale"""
        self.shapes: list[tuple[int, int, int]] = []
        """shapes after each scale's squeeze"""
        while len(levels) < scales and height % 2 == 0 and width % 2 == 0:
            channels, height, width = 4 * channels, height // 2, width // 2
            self.shapes.append((channels, height, width))
            steps: list[Bijection] = []
            for _ in range(settings.num_layers):
                mix = Mix(channels, linear=settings.linear)
                steps += [mix, Coupling(channels, context, settings, planes=True)]
            levels.append(Steps(*steps, Mix(channels, permute=False, linear=settings.linear)))
            channels //= 2
            self.split.append(channels)
        self.split[-1] *= 2
        self.levels = nn.ModuleList(levels)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Vectors; those of the first scale stand first."""
        log_det = x.new_zeros(len(x))
        out = []
        for level, leaving in zip(self.levels, self.split, strict=True):
            x, level_log_det = level(functional.pixel_unshuffle(x, 2), context)
            log_det = log_det + level_log_det
            out.append(x[:, :leaving].flatten(1))
            x = x[:, leaving:]
        return torch.cat(out, 1), log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Images, from the last scale outwards."""
        sizes = [
            leaving * h * w for leaving, (_, h, w) in zip(self.split, self.shapes, strict=True)
        ]
        x: Tensor | None = None
        parts = zip(self.levels, self.shapes, z.split(sizes, 1), strict=True)
        for level, (_, height, width), part in reversed(list(parts)):
            assert isinstance(level, Bijection)
            part = part.reshape(len(z), -1, height, width)
            x = part if x is None else torch.cat([part, x], 1)
            x = functional.pixel_shuffle(level.inverse(x, context), 2)
        assert x is not None
        return x


def _spline(bound: float, *parameters: Tensor) -> Any:
    return MonotonicRQSTransform(*parameters, bound=bound)
