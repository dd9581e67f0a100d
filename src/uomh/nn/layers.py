"""Layers that networks are built of, and the settings of a network that they are chosen by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from uomh.errors import UomhError
from uomh.settings import Settings, Width

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
}
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "swish", "tanh", "sigmoid", "softplus"]
Norm = Literal["batch", "instance", "group"]


class NetSettings(Settings):
    """A network; settings that belong to another kind of network than ``net`` have no effect."""

    net: Literal["mlp", "cnn", "residual"] | None = None
    """kind of network (default: mlp for vectors and small grey images, cnn for other images)"""
    hidden_dims: Annotated[tuple[int, ...], Width()] = (256,)
    """mlp: widths of the hidden layers"""
    hidden_channels: Annotated[tuple[int, ...], Width()] = (32, 32, 16, 16)
    """cnn: channels of the layers, from the image inwards in encoders, outwards in decoders"""
    kernel_size: int | tuple[int, ...] = 3
    """cnn: size of the kernels, one for all layers or one each"""
    stride: int | tuple[int, ...] = 1
    """cnn: strides, one for all layers or one each"""
    layer_channels: Annotated[tuple[int, ...], Width()] = (16, 32, 64)
    """residual: channels of the stages; all but the first halve the image"""
    blocks_per_layer: int = Field(2, ge=1)
    """residual: blocks in each stage"""
    activation: Activation = "relu"
    """nonlinearity between layers"""
    final_activation: Activation | None = None
    """nonlinearity after the last layer"""
    norm: Norm | None = None
    """normalisation after hidden layers"""
    spectral_norm: bool = False
    """divide every weight by its largest singular value"""


def constrained(settings: NetSettings, layer: nn.Module) -> nn.Module:
    """The layer, its weight divided by its largest singular value where the settings say so."""
    if settings.spectral_norm:
        return nn.utils.parametrizations.spectral_norm(layer)
    return layer


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation in eight groups of channels, or as many as divide them evenly."""
    return nn.GroupNorm(math.gcd(8, channels), channels)


def normalisation(settings: NetSettings, channels: int, pixels: int = 0) -> list[nn.Module]:
    """The normalisation of images of so many pixels, or, where there are none, of vectors.

    Raises:
        UomhError: every value would be normalised by itself, which makes it zero.
    """
    norm: nn.Module
    match settings.norm:
        case None:
            return []
        case "batch":
            return [nn.BatchNorm2d(channels) if pixels else nn.BatchNorm1d(channels)]
        case "instance" if pixels:
            # It equals nn.InstanceNorm2d, and a gradient penalty is 8% faster through it.
            norm, values = nn.GroupNorm(channels, channels), pixels
        case "instance":
            norm, values = nn.LayerNorm(channels), channels
        case "group":
            norm = group_norm(channels)
            values = channels // norm.num_groups * max(pixels, 1)
    if values == 1:
        size = f"channels and {pixels} pixel" if pixels else "coordinates"
        raise UomhError(
            f"norm={settings.norm} leaves nothing of a layer of {channels} {size}, where it takes "
            "each value by itself; use fewer or wider layers, smaller strides, or another norm"
        )
    return [norm]


def biased(settings: NetSettings) -> bool:
    """Whether a convolution before the norm has a bias: one that centres each map removes it."""
    return settings.norm not in ("batch", "instance")


def final(settings: NetSettings) -> list[nn.Module]:
    """The nonlinearity after the last layer, where there is one."""
    return [ACTIVATIONS[settings.final_activation]()] if settings.final_activation else []


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016), with group normalisation by default.

    Args:
        settings: normalisation and nonlinearity.
        channels: before the block and after it.
        pixels: of an image before the block and after it.
        stride: of the first convolution.
    """

    def __init__(
        self,
        settings: NetSettings,
        channels: tuple[int, int],
        pixels: tuple[int, int],
        stride: int = 1,
    ) -> None:
        super().__init__()
        norm = settings if settings.norm else settings.model_copy(update={"norm": "group"})
        before, out = channels
        self.branch = nn.Sequential(
            *normalisation(norm, before, pixels[0]),
            ACTIVATIONS[settings.activation](),
            constrained(settings, nn.Conv2d(before, out, 3, stride, 1)),
            *normalisation(norm, out, pixels[1]),
            ACTIVATIONS[settings.activation](),
            constrained(settings, nn.Conv2d(out, out, 3, 1, 1)),
        )
        same = before == out and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(before, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to images (B, C', H', W')."""
        out: Tensor = self.branch(x) + self.shortcut(x)
        return out
