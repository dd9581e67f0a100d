"""Points of data space as pictures: grids of images in one PNG."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from uomh.files import replacing


def to_levels(x: Tensor, levels: int) -> Tensor:
    """Grey levels (uint8) of points of data space: the cell that a point lies in."""
    return x.floor().clamp(0, levels - 1).to(torch.uint8)


def image_grid(images: Tensor, levels: int, columns: int | None = None) -> NDArray[np.uint8]:
    """Images (N, C, H, W) of grey levels, side by side with a line between: (H', W', 3) pixels."""
    n, channels, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    bright = (images.float() * (255 / (levels - 1))).round().to(torch.uint8).cpu()
    if channels == 1:
        bright = bright.expand(-1, 3, -1, -1)
    grid = torch.full((rows, columns, height + 1, width + 1, 3), 96, dtype=torch.uint8)
    cells = grid.view(rows * columns, height + 1, width + 1, 3)
    cells[:n, :height, :width] = bright.permute(0, 2, 3, 1)
    joined = grid.transpose(1, 2).reshape(rows * (height + 1), columns * (width + 1), 3)
    return np.asarray(joined[:-1, :-1].contiguous().numpy())


def save_png(pixels: NDArray[np.uint8], path: Path, least: int = 512) -> None:
    """Write pixels (H, W, 3) as a PNG, in one step; small ones are enlarged to ``least`` wide."""
    zoom = max(1, least // pixels.shape[1])
    pixels = pixels.repeat(zoom, 0).repeat(zoom, 1)
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
