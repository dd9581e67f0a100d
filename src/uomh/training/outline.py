"""What the leaves of a run are before any is trained: points, parameters, cost of a pass."""

from __future__ import annotations

import re
from typing import NamedTuple

import torch

from uomh.config import RunConfig
from uomh.data.core import Data
from uomh.models.core import Learner
from uomh.models.trainable import Trainable
from uomh.seeds import seeded
from uomh.training import budget
from uomh.training.fit import Leaf
from uomh.training.meter import PassFlops, pass_flops
from uomh.training.need import POINTS
from uomh.training.resolve import ROOT
from uomh.training.scope import Scope


class Outline(NamedTuple):
    """A leaf before training.

    Attributes:
        path: of the leaf.
        points: that it is trained on.
        epochs: that it is trained for, at most.
        parameters: how many numbers are trained.
        flops: floating-point operations of one pass; None where they cannot be counted.
    """

    path: str
    points: int
    epochs: int
    parameters: int
    flops: int | None


def outlines(model: Learner, config: RunConfig, data: Data) -> list[Outline]:
    """An outline of every leaf of an untrained model.

    Args:
        model: of the settings; it is prepared for training.
        config: of the run.
        data: with the groups as labels.

    Raises:
        UomhError: as training would before its first step.
    """
    scope = Scope(config.train, config.seed, valid_batch_size=config.evaluate.batch_size)
    known: dict[str, PassFlops | None] = {}
    found = []
    for name, leaf in model.leaves():
        at = scope.child(name)
        points = data_of(model, data, name, leaf)
        training = Leaf(at, leaf, points).config
        with seeded(at.seed, at.path, "prepare"):
            leaf.prepare(points)
        with budget.for_training(leaf, points, training, at.path):
            parameters = [parameter for group in leaf.groups().values() for parameter in group]
            # Parts of the same networks cost the same for each of their points.
            kind = f"{re.sub('part[0-9]+', 'part', name)} {[tuple(p.shape) for p in parameters]}"
            if kind not in known:
                few = points.train[: max(POINTS)]
                known[kind] = pass_flops(leaf, few.x, few.y)
        counted, n = known[kind], len(points.train)
        flops = None if counted is None else counted.of(n, training.batch_size)
        size = sum(parameter.numel() for parameter in parameters)
        found.append(Outline(at.path, n, training.max_epochs, size, flops))
    return found


def data_of(model: Learner, data: Data, name: str, leaf: Trainable) -> Data:
    """What a leaf is trained on; noise in place of codes, which are not there before training."""
    for step in name.split("/"):
        if model.parts():
            data = data.parts()[int(step.removeprefix("part"))]
        model = model.follow(step)
    if data.spec.shape == leaf.spec.shape and leaf.spec.levels == data.spec.levels:
        return data
    with seeded(0, ROOT, "codes"):
        return data.map_labelled(lambda x, y: torch.randn(len(x), *leaf.spec.shape))
