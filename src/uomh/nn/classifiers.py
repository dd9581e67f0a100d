"""Networks from points to the features that a classifier's last, linear layer reads.

Residual networks (He et al. 2016) and VGG-19 (Simonyan & Zisserman 2015) in their forms for images
of 32x32: a first convolution of 3x3 without stride, batch normalisation, one linear layer at the
end. The small ones are the same with three stages of one block, and for vectors.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from uomh.errors import UomhError

Network = Literal["small", "resnet18", "resnet34", "vgg19"]

BLOCKS = {"small": (1, 1, 1), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
"""residual blocks in each stage; every stage but the first halves the image and doubles the width
"""
VGG19 = (2, 2, 4, 4, 4)
"""convolutions before each halving of the image"""
USUAL_SIDE = 32
"""of the images that the networks are meant for"""


def feature_network(
    network: Network, shape: tuple[int, ...], width: int | None = None
) -> tuple[nn.Module, int]:
    """A network from points (B, *shape) to features (B, F), and F.

    Args:
        network: which; vectors have the small one alone.
        shape: (C, H, W) of an image or (D,) of a vector.
        width: channels of the first stage, a quarter of a vector network's width; None: 16 of the
            small one, 64 of the others.

    Raises:
        UomhError: the network takes no points of this shape.
    """
    width = width or (16 if network == "small" else 64)
    if len(shape) != 3:
        if network != "small":
            raise UomhError(
                f"{network} takes images, and these data are vectors; choose network=small"
            )
        return ResidualMLP(shape[0], 4 * width), 4 * width
    if network == "vgg19":
        return vgg(shape, width), 8 * width
    blocks = BLOCKS[network]
    body = ResNet(shape[0], blocks, width)
    # The small one looks at larger images as a person would, from further away.
    reduction = max(shape[1:]) // USUAL_SIDE if network == "small" else 1
    first = [nn.AvgPool2d(reduction, ceil_mode=True)] if reduction > 1 else []
    return nn.Sequential(*first, body), width << (len(blocks) - 1)


class ResNet(nn.Module):
    """Stages of residual blocks, then the mean over pixels.

    Args:
        channels: of the image.
        blocks: in each stage.
        width: channels of the first stage.
    """

    def __init__(self, channels: int, blocks: tuple[int, ...], width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [*_convolution(channels, width), nn.ReLU()]
        before = width
        for stage, count in enumerate(blocks):
            for block in range(count):
                out = width << stage
                layers.append(ResidualBlock(before, out, stride=2 if stage and not block else 1))
                before = out
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, F) of images (B, C, H, W)."""
        out: Tensor = self.layers(x).mean((2, 3))
        return out


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut around them."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_convolution(channels, out, stride=stride), nn.ReLU(), *_convolution(out, out)
        )
        same = channels == out and stride == 1
        shortcut = [] if same else _convolution(channels, out, kernel=1, stride=stride)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Maps of the block."""
        return functional.relu(self.branch(x) + self.shortcut(x))


class ResidualMLP(nn.Module):
    """A linear layer and two residual ones, each normalised over the batch."""

    def __init__(self, dim: int, width: int, layers: int = 2) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(dim, width), nn.BatchNorm1d(width), nn.ReLU())
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU())
            for _ in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, width) of vectors (B, D)."""
        h: Tensor = self.first(x)
        for layer in self.layers:
            h = h + layer(h)
        return h


def vgg(shape: tuple[int, ...], width: int) -> nn.Sequential:
    """VGG-19 with batch normalisation and the mean over what pixels are left.

    Raises:
        UomhError: the images are too small to be halved so often.
    """
    least = 1 << len(VGG19)
    if min(shape[1:]) < least // 2:
        raise UomhError(
            f"vgg19 halves images {len(VGG19)} times, and these are {shape[1]}x{shape[2]}; choose "
            "small or a resnet"
        )
    widths = (width, 2 * width, 4 * width, 8 * width, 8 * width)
    layers: list[nn.Module] = []
    for (before, out), count in zip(pairwise((shape[0], *widths)), VGG19, strict=True):
        for layer in range(count):
            layers += [*_convolution(out if layer else before, out), nn.ReLU()]
        layers.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _convolution(channels: int, out: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size, or divides it by the stride, and its normalisation."""
    return [
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
    ]
