"""Draws: samples in the data's own range, the same ones each time; how many a bound takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from uomh.data.images import to_levels
from uomh.errors import UomhError
from uomh.metrics.cache import Arrays
from uomh.models.core import Generative
from uomh.seeds import seeded
from uomh.sizes import at_once

BLOCK = 512
"""samples of usual size that are drawn from one random stream, so that few are the first of many"""


def draw_samples(
    model: Generative, n: int, levels: int | None, seed: int, advance: Callable[[int], None]
) -> Arrays:
    """Samples x (n, ...), and their labels y (n,) where the model takes any.

    Labels are drawn by the shares of the training data.

    Args:
        model: that draws.
        n: how many.
        levels: of images, which become grey levels, uint8; None: float vectors.
        seed: of the draws.
        advance: called with the number of points after each block.

    Raises:
        UomhError: the model cannot be sampled, or what it draws is not finite.
    """
    if not model.can_sample:
        raise UomhError(f"{type(model).__name__} cannot be sampled")
    x = torch.empty(n, *model.spec.shape, dtype=torch.float32 if levels is None else torch.uint8)
    y = torch.empty(n, dtype=torch.long) if model.num_classes else None
    size = at_once(BLOCK, model.spec.dim)
    with torch.no_grad():
        for start in range(0, n, size):
            rows = slice(start, min(start + size, n))
            number = rows.stop - rows.start
            with seeded(seed, "samples", start // size):
                labels = None
                if y is not None:
                    labels = torch.multinomial(model.label_weights, size, replacement=True)
                    y[rows] = labels[:number].cpu()
                drawn = model.sample(size, labels)[:number]
            bad = int((~drawn.isfinite()).flatten(1).any(1).sum())
            if bad:
                raise UomhError(f"{bad} of samples {start} to {rows.stop - 1} are not finite")
            x[rows] = drawn if levels is None else to_levels(drawn, levels)
            advance(number)
    return {"x": x.numpy()} if y is None else {"x": x.numpy(), "y": y.numpy()}


@contextmanager
def taking_draws(model: nn.Module, number: int | None) -> Iterator[None]:
    """A block in which the importance-weighted bounds of a model take this number of draws.

    Models with such a bound, at any depth, say the number as their ``importance_samples``.
    """
    bounds: list[Any] = [
        module for module in model.modules() if hasattr(module, "importance_samples")
    ]
    before = [module.importance_samples for module in bounds]
    try:
        for module in bounds if number is not None else ():
            module.importance_samples = number
        yield
    finally:
        for module, draws in zip(bounds, before, strict=True):
            module.importance_samples = draws
