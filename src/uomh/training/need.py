"""What a piece of work takes of memory at its peak, found by trying it with very few points.

The work is done for two and for three points on a copy of the model, on a random stream of its own,
while the bytes of all tensors alive are counted; the peak is linear in the number of points, near
enough.
"""

from __future__ import annotations

import copy
import itertools
import math
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from uomh.config import TrainConfig
from uomh.errors import UomhError
from uomh.models.core import Generative
from uomh.models.trainable import Trainable
from uomh.seeds import seeded

POINTS = (2, 3)
"""numbers of points that the work is tried with; normalisation has no meaning on one"""
SECONDS = 1.0
"""after which a try that keeps no graph is cut short: it does the same again and again"""
SLACK = 1.4
"""bytes that the allocator takes for each byte of tensors, with what lies unused between them"""
KERNELS = 50e6
"""bytes that kernels take for themselves"""
STATES = {"adam": 2, "sgd": 1, "rmsprop": 1}
"""tensors that an optimiser keeps for each parameter, at most"""


M = TypeVar("M", bound=nn.Module)


class _EnoughError(Exception):
    """The try has shown what it takes."""


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that are made within it.

    Args:
        held: tensors that are there already.
        seconds: raise `_EnoughError` after so long; None: never.
        most: and after so many operations; None: never.

    Attributes:
        operations: how many there were.
        peak: the most bytes that were alive at once.
    """

    def __init__(
        self, held: Iterable[Tensor], seconds: float | None = None, most: int | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = self.operations = 0
        self._most = most
        self._known: dict[int, weakref.ref[Any]] = {}
        self._end = None if seconds is None else time.perf_counter() + seconds
        for tensor in held:
            self._add(tensor, 0)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call an operation of torch, and count what it gives."""
        del types
        late = self._end is not None and time.perf_counter() > self._end
        if late or self.operations == self._most:
            raise _EnoughError
        self.operations += 1
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._add(leaf, leaf.untyped_storage().nbytes())
        self.peak = max(self.peak, self.live)
        return out

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Do without the wrapper that imports torch's compiler, which takes a second."""
        return False

    def _add(self, tensor: Tensor, size: int) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._known:
            return

        def freed(reference: weakref.ref[Any]) -> None:
            del reference
            self.live -= size
            self._known.pop(key, None)

        self._known[key] = weakref.ref(storage, freed)
        self.live += size


@dataclass(frozen=True)
class Need:
    """Bytes that a piece of work takes beside what is held already: fixed + slope * points."""

    fixed: float
    slope: float

    def of(self, points: int) -> float:
        """For so many points at once."""
        return self.fixed + self.slope * points

    def most(self, free: float) -> int:
        """How many points fit into what is free, with a quarter to spare: it is an estimate."""
        return max(0, int(0.75 * (free - self.fixed) / self.slope)) if self.slope else 0


def training_need(model: Trainable, x: Tensor, y: Tensor | None, config: TrainConfig) -> Need:
    """What a training step takes, and the state of the optimisers; nothing of the model changes.

    Args:
        model: where it is trained.
        x: three points of the data at least, or all of fewer.
        y: their labels, or None.
        config: how it is trained.
    """

    def step(model: Trainable, x: Tensor, y: Tensor | None) -> None:
        model.train()
        groups = model.groups()
        # As in every step but the first, the gradients of the last one are there until the next.
        for parameter in itertools.chain(*groups.values()):
            parameter.grad = torch.zeros_like(parameter)
        for group, loss in model.losses(x, y, 0):
            for parameter in groups[group]:
                parameter.grad = None
            loss.backward(inputs=groups[group])

    need = _need(model, step, x, y)
    states = config.ema is not None
    kept = 0
    for name, parameters in model.groups().items():
        tensors = STATES[config.for_group(name).optimizer] + states
        kept += tensors * sum(map(bytes_of, parameters))
    return Need(need.fixed + kept, need.slope)


def scoring_need(model: nn.Module, x: Tensor, y: Tensor | None) -> Need:
    """What measuring points takes: their log-density, or the loss where there is none."""

    def score(model: nn.Module, x: Tensor, y: Tensor | None) -> None:
        model.eval()
        with torch.no_grad():
            try:
                if isinstance(model, Generative) and model.likelihood is not None:
                    model.log_prob(x.float() if x.dtype == torch.uint8 else x)
                elif isinstance(model, Trainable):
                    model.objective(x, y)
            except UomhError:  # it has neither, and the metric will say so
                return

    return _need(model, score, x, y, SECONDS)


def sampling_need(model: Generative, label: int | None = None) -> Need:
    """What drawing points takes, of one label where one is given."""

    def draw(model: Generative, x: Tensor, y: Tensor | None) -> None:
        model.eval()
        with torch.no_grad():
            model.sample(len(x), y)

    x = torch.zeros(max(POINTS), 1)
    y = None if label is None else torch.full((len(x),), label, device=model.device)
    return _need(model, draw, x, y, SECONDS)


def _need(
    model: M,
    work: Callable[[M, Tensor, Tensor | None], None],
    x: Tensor,
    y: Tensor | None,
    seconds: float | None = None,
) -> Need:
    counts = [min(n, len(x)) for n in POINTS]
    peaks = []
    most = None
    for n in counts:
        trial = copy.deepcopy(model)
        held = [*trial.parameters(), *trial.buffers(), x]
        labels = None if y is None else y[:n]
        memory = PeakMemory(held, seconds, most)
        with seeded(0, "memory"), memory, suppress(_EnoughError):
            work(trial, x[:n], labels)
        if seconds is not None:  # the second try goes as far as the first, or they do not compare
            seconds, most = math.inf, memory.operations
        del trial
        peaks.append(memory.peak * SLACK)
    if counts[1] == counts[0]:
        return Need(KERNELS, peaks[1] / counts[1])
    slope = max(0.0, peaks[1] - peaks[0]) / (counts[1] - counts[0])
    return Need(KERNELS + max(0.0, peaks[0] - slope * counts[0]), slope)


def bytes_of(tensor: Tensor) -> int:
    """Of its values."""
    return tensor.numel() * tensor.element_size()
