r"""Invertible maps from data space to the space a model works in, with their log-determinants.

If z = T(x) and a model has density p(z), then log p(x) = log p(T(x)) + log |det dT/dx|. Every
transform returns both terms, so that a likelihood is always one in data space, in pixel units, and
comparable between models whatever their preprocessing.

`Cells` is the first map for images: it takes grey levels, uint8, to data space, where level g owns
the cell [g, g+1): to its centre, or with ``dequantize`` to a uniform point of it. It leaves float
points, which are in data space already, as they are; its log-determinant is zero. Noise is added
for training alone: `log_prob` is a function of the point that it is given.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from uomh.data.core import DataSpec, Split
from uomh.errors import UomhError
from uomh.nn.bijections import Bijection, Chain
from uomh.settings import Settings


class TransformSettings(Settings):
    """How data are brought into the space of the model; None means: by the data's shape."""

    scale_data: bool | None = None
    """divide by the largest absolute value (default: on for images)"""
    whitening_transform: bool | None = None
    """standardise every coordinate (default: on for vectors)"""
    dequantize: bool | None = None
    """train on uniform points of grey-level cells, not on centres (default: models with density)"""
    logit_transform: bool = False
    """map images to the whole line: logit(alpha + (1 - 2 alpha) x)"""
    logit_transform_alpha: float = 1e-3
    """distance kept from 0 and 1 by the logit transform"""
    denoising_sigma: float = 0.0
    """standard deviation, in units of the data, of noise added to training points"""


class Cells(nn.Module):
    """Grey levels (uint8) to points of data space; float points stay.

    What comes out is of the type that the model computes in (float32, or float64 after
    ``double()``): all data enter a model through this map.

    Args:
        dequantize: in training mode, uniform points of the cells instead of their centres.
        denoising_sigma: in training mode, Gaussian noise of this deviation is added.
    """

    like: Tensor

    def __init__(self, dequantize: bool, denoising_sigma: float = 0.0) -> None:
        super().__init__()
        self.dequantize = dequantize
        self.denoising_sigma = denoising_sigma
        self.register_buffer("like", torch.empty(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Points of data space, float."""
        levels = x.to(self.like.dtype)
        if x.dtype != torch.uint8:
            x = levels
        else:
            noisy = self.dequantize and self.training
            x = levels + (torch.rand_like(levels) if noisy else 0.5)
        if self.denoising_sigma and self.training:
            x = x + self.denoising_sigma * torch.randn_like(x)
        return x


class Affine(Bijection):
    """z = (x - shift) / scale, coordinatewise; scale > 0 of shape (D...) or scalar."""

    shift: Tensor
    scale: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("shift", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x forward."""
        log_det = -self.scale.log().sum() * (x.shape[1:].numel() / self.scale.numel())
        return (x - self.shift) / self.scale, log_det.expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map z back."""
        return z * self.scale + self.shift


class Scale(Affine):
    """Division by the largest absolute value: the last grey level, or that of the training data."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(())
        if spec.levels is not None:
            self.scale.fill_(spec.levels - 1)
        self.known = spec.levels is not None

    def fit(self, split: Split) -> None:
        """Take the largest absolute value of vectors."""
        if not self.known:
            largest = max(float(x.abs().max()) for x, _ in split.batches(4096))
            self.scale.fill_(largest or 1.0)


class Whiten(Affine):
    """Standardisation of every coordinate; standard deviations are floored at 0.1."""

    FLOOR = 0.1

    def fit(self, split: Split) -> None:
        """Take mean and standard deviation of the training points."""
        count, mean = 0, torch.zeros(self.shape, dtype=torch.float64)
        square = torch.zeros_like(mean)
        for x, _ in split.batches(4096):  # Chan's update: one pass, any size, no cancellation
            part = Cells(dequantize=False).double()(x)
            delta = part.mean(0) - mean
            total = count + len(part)
            square += (part - part.mean(0)).square().sum(0) + delta**2 * count * len(part) / total
            mean += delta * len(part) / total
            count = total
        self.shift.copy_(mean)
        self.scale.copy_((square / max(count - 1, 1)).sqrt().clamp_min(self.FLOOR))


class Logit(Bijection):
    """z = logit(a + (1 - 2a) x / upper) of x in [0, upper].

    Args:
        alpha: a, the distance that is kept from 0 and 1.
        upper: upper end of the domain.
    """

    def __init__(self, alpha: float, upper: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.slope = (1 - 2 * alpha) / upper

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x forward."""
        z = torch.logit(self.alpha + self.slope * x)
        # d logit(p) / dp = 1 / (p (1 - p)), and log p = -softplus(-z), log (1 - p) = -softplus(z)
        log_slope = math.log(self.slope) + functional.softplus(z) + functional.softplus(-z)
        return z, log_slope.flatten(1).sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map z back."""
        return (torch.sigmoid(z) - self.alpha) / self.slope


def build_transform(settings: TransformSettings, spec: DataSpec) -> Chain:
    """The chain that the settings ask for, for data of this shape.

    Raises:
        UomhError: a logit is to be taken of vectors or standardised values, which have no range.
    """
    maps: list[Bijection] = []
    upper = float(spec.levels or 1)
    scale = spec.is_image if settings.scale_data is None else settings.scale_data
    whiten = (
        not spec.is_image if settings.whitening_transform is None else settings.whitening_transform
    )
    if whiten:
        maps.append(Whiten(spec.shape))
    elif scale:
        maps.append(Scale(spec))
        upper /= max((spec.levels or 2) - 1, 1)
    if settings.logit_transform:
        if whiten or spec.levels is None:
            raise UomhError(
                "logit_transform takes grey levels, which have a known range: leave it out for "
                "vectors, and where whitening_transform is set"
            )
        maps.append(Logit(settings.logit_transform_alpha, upper))
    return Chain(*maps)


def centred(chain: Chain, spec: DataSpec, bound: float) -> Chain:
    """The chain of images that are at most scaled, then an affine map of their range to [-b, b].

    The range is that of continuous grey levels, [0, levels).
    """
    ends = (0.0, spec.levels or 1)
    low, high = (chain(torch.full((1, *spec.shape), end))[0].flatten()[0] for end in ends)
    stretch = Affine(())
    stretch.shift.copy_((low + high) / 2)
    stretch.scale.copy_((high - low) / (2 * bound))
    return Chain(*chain.maps, stretch)
