"""The vision transformer of DINOv2 (Oquab et al. 2024), which reads its published weights.

Parameters have the names that they have in those files. Patches of 14x14 pixels and a class token,
whose last state is the feature; the places of patches were learnt on images of 518x518, and are
interpolated for others as in the original, whose odd tenth of a patch is part of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH = 14
LEARNT = 37
"""patches along a side of the images that places were learnt on"""
OFFSET = 0.1
"""of a patch that the original adds to the size to which places are interpolated"""
HEAD_WIDTH = 64


class VisionTransformer(nn.Module):
    """Class tokens (B, width) of normalised images (B, 3, H, W), H and W multiples of 14.

    Args:
        width: of tokens.
        depth: number of blocks.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + LEARNT**2, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # of training alone
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, PATCH)})
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Class tokens."""
        patches = self.patch_embed["proj"](x)
        first = self.cls_token + self.pos_embed[:, :1]
        rest = patches.flatten(2).transpose(1, 2) + self._places(patches.shape[2:])
        tokens = torch.cat([first.expand(len(x), -1, -1), rest], 1)
        out: Tensor = self.norm(self.blocks(tokens)[:, 0])
        return out

    def _places(self, size: torch.Size) -> Tensor:
        """What is added to patches for where they are, (1, P, width)."""
        learnt = self.pos_embed[:, 1:]
        if tuple(size) == (LEARNT, LEARNT):
            return learnt
        plane = learnt.reshape(1, LEARNT, LEARNT, -1).permute(0, 3, 1, 2)
        factors = tuple((side + OFFSET) / LEARNT for side in size)
        there = functional.interpolate(plane, scale_factor=factors, mode="bicubic")
        return there.flatten(2).transpose(1, 2)


class _Block(nn.Module):
    """Attention and a two-layer network, each normalised before, scaled after, and added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width)
        self.ls1 = _Scale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )
        self.ls2 = _Scale(width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, width) after the block."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        hidden = functional.gelu(self.mlp["fc1"](self.norm2(x)))
        out: Tensor = x + self.ls2(self.mlp["fc2"](hidden))
        return out


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.qkv(x).unflatten(2, (3, -1, HEAD_WIDTH)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*heads.unbind(0))
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma
