"""Counts what a leaf's training costs: seconds, and floating-point operations.

Operations are counted as `torch.utils.flop_counter` does: those of products and convolutions. They
are counted on a few training steps of two and of three points on a copy of the leaf, not on every
step, which would slow it; a step's number is linear in its points, near enough. Games do not step
all of their groups at every step: their number is the mean over a whole round of steps.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from uomh.cost import FILE, Cost, read_cost
from uomh.data.core import Data
from uomh.devices import moved
from uomh.files import write_json
from uomh.models.trainable import Trainable
from uomh.seeds import seeded
from uomh.training.need import POINTS

WINDOW = 6
"""training steps in which a round is looked for at first: one of a step and of five is seen"""
MOST = 96
"""training steps that are tried; a longer round is not known for one"""


class Flops(TorchDispatchMode):
    """Counts the floating-point operations within it, by torch's formulas.

    `torch.utils.flop_counter.FlopCounterMode` tells modules apart as well, by hooks that fail where
    a model differentiates a gradient, as games with a gradient penalty do.

    Attributes:
        count: how many there were.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call an operation of torch, and count it."""
        del types
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        formula: Any = flop_registry.get(getattr(func, "overloadpacket", None))
        if formula is not None:
            self.count += formula(*args, **kwargs, out_val=out)
        return out

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Do without the wrapper that imports torch's compiler, which takes a second."""
        return False


def flops_of_round(model: Trainable, x: Tensor, y: Tensor | None) -> tuple[int, int]:
    """Operations of the first round of training steps, on the same points each time.

    A round is the fewest steps after which the groups that are stepped repeat themselves.

    Args:
        model: where it is trained; it and the random streams stay as they are, as it is a copy
            that is stepped.
        x: points (B, ...).
        y: their labels (B,), or None.

    Returns:
        The operations of all steps of the round, and how many steps these are.
    """
    trial = copy.deepcopy(model).train()
    groups = trial.groups()
    waiting = {name for name, parameters in groups.items() if parameters}
    stepped: list[tuple[str, ...]] = []
    counts: list[int] = []
    with seeded(0, "operations"), torch.enable_grad():
        for step in range(MOST):
            with Flops() as flops:
                names = []
                for group, loss in trial.losses(x, y, step):
                    loss.backward(inputs=groups[group])
                    names.append(group)
            stepped.append(tuple(names))
            counts.append(flops.count)
            waiting -= {*names}
            if step + 1 >= WINDOW and not waiting and (length := round_of(stepped)):
                return sum(counts[:length]), length
    return sum(counts), len(counts)


def round_of(stepped: Sequence[tuple[str, ...]]) -> int | None:
    """The fewest steps after which what is stepped repeats itself; None: it has not yet.

    >>> round_of(["a", "b", "b", "a", "b"]), round_of(["a", "a"]), round_of(["a", "b", "b"])
    (3, 1, None)
    """
    for length in range(1, len(stepped)):
        if all(now == before for now, before in zip(stepped[length:], stepped, strict=False)):
            return length
    return None


class PassFlops:
    """The operations of a training pass by its points and steps.

    Args:
        model: the leaf, where it is trained.
        x: three points of its data, or all of fewer.
        y: their labels, or None.
    """

    def __init__(self, model: Trainable, x: Tensor, y: Tensor | None) -> None:
        few, more = (min(n, len(x)) for n in POINTS)
        counts = []
        for n in (few, more):
            flops, steps = flops_of_round(model, x[:n], None if y is None else y[:n])
            counts.append(flops / steps)
        self.slope = counts[1] / more if few == more else counts[1] - counts[0]
        self.fixed = counts[1] - self.slope * more
        self.epochs = model.epochs_of_pass

    def of(self, points: int, batch_size: int) -> int:
        """Operations of one epoch over so many points."""
        steps = math.ceil(points / batch_size)
        if points % batch_size == 1 and steps > 1:  # a last batch of one joins the one before it
            steps -= 1
        return round((self.slope * points + self.fixed * steps) / self.epochs)


def pass_flops(model: Trainable, x: Tensor, y: Tensor | None) -> PassFlops | None:
    """The operations of a training pass; None where a model's losses cannot be counted.

    A model of a user's own may refuse so few points, and trains all the same.
    """
    try:
        return PassFlops(model, x, y)
    except Exception:  # whatever its losses raise; what keeps it from training is raised there
        return None


class Meter:
    """Adds up what the epochs of a leaf cost, over all sittings.

    Args:
        folder: of the leaf's checkpoints; None keeps nothing, and counts nothing.
        model: the leaf, prepared and where it is trained.
        data: that it is trained on.
        batch_size: points in a step.
        resumed: it goes on from a checkpoint.
    """

    def __init__(
        self, folder: Path | None, model: Trainable, data: Data, batch_size: int, resumed: bool
    ) -> None:
        self.file = None if folder is None else folder / FILE
        self.spent = Cost()
        self.flops: int | None = None
        if self.file is None:
            return
        if resumed:
            self.spent = read_cost(self.file) or Cost()
        few = data.train[: max(POINTS)]
        y = None if few.y is None else few.y.to(model.device)
        counted = pass_flops(model, moved(few.x, model.device), y)
        if counted is not None:
            self.flops = counted.of(len(data.train), batch_size)

    def epoch(self, seconds: float) -> None:
        """An epoch is saved, whose training took so long; with it, replace the file in one step."""
        self.spent += Cost(epochs=1, seconds=seconds, flops=self.flops)
        if self.file is not None:
            write_json(self.file, self.spent.model_dump())
