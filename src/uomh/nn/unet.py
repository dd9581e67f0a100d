"""Networks of a point and a time: a small U-Net for images, an MLP for vectors.

The time enters as sines and cosines of many frequencies, the label as a one-hot vector; both go
through a small network whose output scales and shifts the features of every block (Ho et al. 2020;
Dhariwal & Nichol 2021).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from uomh.nn.layers import group_norm

FREQUENCIES = 16
FASTEST = 50.0
"""highest frequency: a field that changes quickly with time costs its solver many steps"""


class Conditioning(nn.Module):
    """Vectors (B, width) of times (B,) in [0, 1] and labels (B,), where there are classes."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        inputs = 2 * FREQUENCIES + num_classes
        self.net = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor, y: Tensor | None) -> Tensor:
        """One vector a point."""
        octaves = torch.linspace(0, math.log(FASTEST), FREQUENCIES, device=t.device, dtype=t.dtype)
        angles = t[:, None] * octaves.exp()
        features = [angles.sin(), angles.cos()]
        if self.num_classes:
            assert y is not None
            features.append(functional.one_hot(y, self.num_classes).to(t.dtype))
        out: Tensor = self.net(torch.cat(features, 1))
        return out


class TimeMLP(nn.Module):
    """Residual layers between vectors, scaled and shifted by time and label.

    Args:
        dim: of points.
        width: of the layers.
        layers: how many.
        num_classes: of labels, 0 for none.
    """

    def __init__(self, dim: int, width: int, layers: int, num_classes: int) -> None:
        super().__init__()
        self.conditioning = Conditioning(width, num_classes)
        self.first = nn.Linear(dim, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.modulation = nn.Linear(width, 2 * width * layers)
        self.last = nn.Linear(width, dim)

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """Outputs (B, D) at points (B, D)."""
        modulation = self.modulation(functional.silu(self.conditioning(t, y)))
        scales, shifts = modulation.chunk(2, 1)
        h = self.first(x)
        for layer, scale, shift in zip(
            self.layers,
            scales.chunk(len(self.layers), 1),
            shifts.chunk(len(self.layers), 1),
            strict=True,
        ):
            h = h + layer(functional.silu(h * (1 + scale) + shift))
        out: Tensor = self.last(functional.silu(h))
        return out


class UNet(nn.Module):
    """A U-Net: levels of residual blocks, all but the first on half the size, and back up.

    Args:
        shape: (C, H, W) of images; sizes are halved rounding up.
        channels: of the levels, from the image inwards.
        blocks: residual blocks of each level, each way.
        num_classes: of labels, 0 for none.
    """

    def __init__(
        self, shape: tuple[int, ...], channels: tuple[int, ...], blocks: int, num_classes: int
    ) -> None:
        super().__init__()
        width = 4 * channels[0]
        self.conditioning = Conditioning(width, num_classes)
        self.first = nn.Conv2d(shape[0], channels[0], 3, padding=1)
        self.down = nn.ModuleList(_level(channels, i, blocks, width) for i in range(len(channels)))
        self.halve = nn.ModuleList(nn.Conv2d(c, c, 3, 2, 1) for c in channels[:-1])
        # A level on the way up takes the features of the level below, and its own of the way down.
        self.up = nn.ModuleList(
            nn.ModuleList(
                [_Block(inner + outer, outer, width)]
                + [_Block(outer, outer, width) for _ in range(blocks - 1)]
            )
            for outer, inner in pairwise(channels)
        )
        self.last = nn.Sequential(
            group_norm(channels[0]), nn.SiLU(), nn.Conv2d(channels[0], shape[0], 3, padding=1)
        )

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """Outputs (B, C, H, W) at images (B, C, H, W)."""
        condition = functional.silu(self.conditioning(t, y))
        h = self.first(x)
        skips = []
        for i, level in enumerate(self.down):
            if i:
                skips.append(h)
                h = self.halve[i - 1](h)
            h = _through(level, h, condition)
        for level, skip in zip(reversed(self.up), reversed(skips), strict=True):
            h = functional.interpolate(h, size=skip.shape[2:])
            h = _through(level, torch.cat([h, skip], 1), condition)
        out: Tensor = self.last(h)
        return out


class _Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; the condition scales and shifts between them."""

    def __init__(self, before: int, after: int, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            group_norm(before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1), group_norm(after)
        )
        self.modulation = nn.Linear(width, 2 * after)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulation(condition)[:, :, None, None].chunk(2, 1)
        h = functional.silu(self.first(x) * (1 + scale) + shift)
        out: Tensor = self.shortcut(x) + self.second(h)
        return out


def _level(channels: tuple[int, ...], i: int, blocks: int, width: int) -> nn.ModuleList:
    before = channels[max(i - 1, 0)]
    sizes = [before] + [channels[i]] * blocks
    return nn.ModuleList(_Block(a, b, width) for a, b in pairwise(sizes))


def _through(level: nn.Module, h: Tensor, condition: Tensor) -> Tensor:
    assert isinstance(level, nn.ModuleList)
    for block in level:
        h = block(h, condition)
    return h
