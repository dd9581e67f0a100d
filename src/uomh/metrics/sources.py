"""Which points a resource is of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from uomh.data.core import Split


@dataclass(frozen=True)
class PointSource:
    """Which points.

    Attributes:
        of: a split of the data, the split that is measured (``held_out``), or samples of the model.
        n: how many: the first samples, or points spread evenly over a split; None: as many as the
            evaluation draws, or all.
        data: name of other data whose split it is; None: the model's own.
    """

    of: Literal["train", "valid", "test", "held_out", "samples"]
    n: int | None = None
    data: str | None = None


TRAIN, HELD_OUT, SAMPLES = PointSource("train"), PointSource("held_out"), PointSource("samples")


def hash_of(split: Split) -> str:
    """A short hash of the points of a split."""
    digest = hashlib.blake2b(digest_size=8)
    for x, _ in split.batches(4096):
        digest.update(x.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def in_sets(split: Split, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Consecutive sets (x, y) of about ``size`` points, none larger, of nearly equal size."""
    for rows in torch.arange(len(split)).tensor_split(math.ceil(len(split) / size)):
        points = split[rows]
        yield points.x, points.y
