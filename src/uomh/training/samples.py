"""Pictures of what a model has learned: samples, reconstructions, and ways between codes."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.data.core import Data, DataSpec, Split
from uomh.data.images import image_grid, save_png, to_levels
from uomh.devices import moved
from uomh.models.core import Codec, Learner
from uomh.sizes import at_once
from uomh.training import budget

COUNT = 64
"""images in a grid"""
ROW, STEPS = 8, 10
"""images in a row of a group, and on the way between two images"""
MOST_GROUPS = 32
"""groups that are shown"""


@runtime_checkable
class Sampler(Protocol):
    """What can be drawn from: a generative model, or two that are trained in turns."""

    spec: DataSpec
    can_sample: bool

    def sample(self, n: int, y: Tensor | None = None) -> Tensor:
        """Points of data space (n, ...)."""


def draw(
    model: Sampler,
    n: int,
    y: Tensor | None = None,
    batch_size: int = 512,
    levels: int | None = None,
) -> Tensor:
    """Samples (n, ...) on the processor, drawn in batches.

    Args:
        model: that draws.
        n: how many.
        y: labels (n,) of a conditional model.
        batch_size: points of usual size at once; fewer where they are larger (`uomh.sizes`).
        levels: of images; they are then kept as grey levels, uint8, not as points of data space.
    """
    batch_size = at_once(batch_size, model.spec.dim)
    drawn = torch.empty(
        n, *model.spec.shape, dtype=torch.float32 if levels is None else torch.uint8
    )
    with torch.no_grad():
        for i in range(0, n, batch_size):
            size = min(batch_size, n - i)
            points = model.sample(size, None if y is None else y[i : i + size])
            drawn[i : i + size] = points if levels is None else to_levels(points, levels)
    return drawn


def save_samples(model: Sampler, path: Path) -> NDArray[np.uint8] | None:
    """Write a grid of samples; None where the model or its data have no pictures of them."""
    levels = model.spec.levels
    if levels is None or not model.can_sample:
        return None
    with budget.naming_what_to_lower("drawing pictures", "choose a smaller model"):
        pixels = image_grid(draw(model, COUNT, levels=levels), levels)
    save_png(pixels, path)
    return pixels


def save_reconstructions(model: Learner, data: Data, path: Path) -> NDArray[np.uint8] | None:
    """Write a grid of test images, each above its reconstruction; None where there are none."""
    levels = model.spec.levels
    if levels is None or not isinstance(model, Codec) or not len(data.test):
        return None
    test = data.test[: COUNT // 2]
    x, y = moved(test.x, model.device), None if test.y is None else test.y.to(model.device)
    with torch.no_grad():
        restored = to_levels(model.decode(model.encode(x, y), y), levels)
    rows = [torch.stack(pair) for pair in zip(x.split(8), restored.split(8), strict=True)]
    joined = torch.cat([row.flatten(0, 1) for row in rows])
    pixels = image_grid(joined, levels, columns=8)
    save_png(pixels, path)
    return pixels


def save_by_group(model: Sampler, path: Path) -> NDArray[np.uint8] | None:
    """Write samples of every group, a row each; None where the model takes no labels, or many."""
    levels, groups = model.spec.levels, int(getattr(model, "num_classes", 0))
    if levels is None or not model.can_sample or not 1 < groups <= MOST_GROUPS:
        return None
    y = torch.arange(groups, device=getattr(model, "device", None)).repeat_interleave(ROW)
    with budget.naming_what_to_lower("drawing pictures", "choose a smaller model"):
        pixels = image_grid(draw(model, len(y), y, levels=levels), levels, columns=ROW)
    save_png(pixels, path)
    return pixels


def save_interpolation(model: Learner, data: Data, path: Path) -> NDArray[np.uint8] | None:
    """Write decoded codes on straight ways between two test images of one class, a row each.

    None where there are none: the model has no codes, or there are no images.
    """
    levels = model.spec.levels
    if levels is None or not isinstance(model, Codec):
        return None
    rows = _pairs(data.test)
    if not rows:
        return None
    test = data.test[torch.tensor(rows).flatten()]
    x, y = moved(test.x, model.device), None if test.y is None else test.y.to(model.device)
    share = torch.linspace(0, 1, STEPS, device=model.device)[None, :, None]
    with torch.no_grad():
        start, end = model.encode(x, y).unflatten(0, (-1, 2)).unsqueeze(2).unbind(1)
        codes = (start + share * (end - start)).flatten(0, 1)
        labels = None if y is None else y[::2].repeat_interleave(STEPS)
        decoded = to_levels(model.decode(codes, labels), levels)
    pixels = image_grid(decoded, levels, columns=STEPS)
    save_png(pixels, path)
    return pixels


def _pairs(split: Split) -> list[list[int]]:
    """Rows of the first two points of each class, `ROW` classes at most; without any, of all."""
    if split.y is None:
        return [[i, i + 1] for i in range(0, min(2 * ROW, len(split)) - 1, 2)]
    found = [torch.nonzero(split.y == label)[:2, 0].tolist() for label in split.y.unique()[:ROW]]
    return [pair for pair in found if len(pair) == 2]
