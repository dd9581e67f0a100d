"""What a piece of work will take of memory at its peak, before it begins, and what is free.

The work is done for two and for three points on a copy of the model, on a random stream of its own,
while the bytes of all tensors alive are counted; the peak is linear in the number of points, near
enough. Where even a rough bound is far below what is free, nothing is tried.
"""

from __future__ import annotations

import copy
import itertools
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from uomh.config import RunConfig, TrainConfig
from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.memory import free_memory
from uomh.metrics import Evaluation
from uomh.models.core import Generative, Model
from uomh.seeds import seeded
from uomh.sizes import at_once

POINTS = (2, 3)
"""numbers of points that the work is tried with; normalisation has no meaning on one"""
SECONDS = 1.0
"""after which a try that keeps no graph is cut short: it does the same again and again"""
SLACK = 1.3
"""bytes that the allocator takes for each byte of tensors, with what lies unused between them"""
KERNELS = 50e6
"""bytes that kernels take for themselves"""
STATES = {"adam": 2, "sgd": 1, "rmsprop": 1}
"""tensors that an optimiser keeps for each parameter, at most"""


class _Enough(Exception):
    """The try has shown what it takes."""


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that are made within it.

    Args:
        held: tensors that are there already.
        seconds: raise `_Enough` after so long; None: never.

    Attributes:
        peak: the most bytes that were alive at once.
    """

    def __init__(self, held: Iterable[Tensor], seconds: float | None = None) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}
        self._end = None if seconds is None else time.perf_counter() + seconds
        for tensor in held:
            self._add(tensor, 0)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call an operation of torch, and count what it gives."""
        del types
        if self._end is not None and time.perf_counter() > self._end:
            raise _Enough
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
        """How many points fit into what is free."""
        return max(0, int((free - self.fixed) / self.slope)) if self.slope else 0


def training_need(model: Model, x: Tensor, y: Tensor | None, config: TrainConfig) -> Need:
    """What a training step takes, and the state of the optimisers; nothing of the model changes.

    Args:
        model: where it is trained.
        x: three points of the data at least, or all of fewer.
        y: their labels, or None.
        config: how it is trained.
    """

    def step(model: Generative, x: Tensor, y: Tensor | None) -> None:
        assert isinstance(model, Model)
        model.train()
        groups = model.groups()
        # As in every step but the first, the gradients of the last one are there until the next.
        for parameter in itertools.chain(*groups.values()):
            parameter.grad = torch.zeros_like(parameter)
        for group, loss in model.losses(x, y, 0):
            for parameter in groups[group]:
                parameter.grad = None
            loss.backward(inputs=groups[group])  # type: ignore[no-untyped-call]

    need = _need(model, step, x, y)
    states = config.ema is not None
    kept = 0
    for name, parameters in model.groups().items():
        tensors = STATES[config.for_group(name).optimizer] + states
        kept += tensors * sum(map(_bytes, parameters))
    return Need(need.fixed + kept, need.slope)


def scoring_need(model: Generative, x: Tensor, y: Tensor | None) -> Need:
    """What measuring points takes: their log-density, or the loss where there is none."""

    def score(model: Generative, x: Tensor, y: Tensor | None) -> None:
        model.eval()
        with torch.no_grad():
            try:
                if model.likelihood is not None:
                    model.log_prob(x.float() if x.dtype == torch.uint8 else x)
                elif isinstance(model, Model):
                    model.score(x, y)
            except UomhError:  # it has neither, and the metric will say so
                return

    return _need(model, score, x, y, SECONDS)


def sampling_need(model: Generative, y: Tensor | None) -> Need:
    """What drawing points takes."""

    def draw(model: Generative, x: Tensor, y: Tensor | None) -> None:
        model.eval()
        with torch.no_grad():
            model.sample(len(x), y)

    points = torch.zeros(max(POINTS), 1)
    return _need(model, draw, points, y if y is None else y[: len(points)], SECONDS)


def _need(
    model: Generative,
    work: Callable[[Generative, Tensor, Tensor | None], None],
    x: Tensor,
    y: Tensor | None,
    seconds: float | None = None,
) -> Need:
    counts = [min(n, len(x)) for n in POINTS]
    peaks = []
    for n in counts:
        trial = copy.deepcopy(model)
        held = [*trial.parameters(), *trial.buffers(), x]
        with seeded(0, "memory"), PeakMemory(held, seconds) as memory:
            try:
                work(trial, x[:n], None if y is None else y[:n])
            except _Enough:
                pass
        del trial
        peaks.append(memory.peak * SLACK)
    if counts[1] == counts[0]:
        return Need(KERNELS, peaks[1] / counts[1])
    slope = max(0.0, peaks[1] - peaks[0]) / (counts[1] - counts[0])
    return Need(KERNELS + max(0.0, peaks[0] - slope * counts[0]), slope)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _is_plenty(model: nn.Module, points: int, dim: int, free: float) -> bool:
    """Whether a rough bound, every weight applied at every coordinate, is far below what is free.

    Layers keep a few tensors of their outputs for each point. Coordinates of a point number no less
    than the places at which a layer is applied.
    """
    outputs = sum(each.shape[0] for each in model.parameters() if each.dim() > 1)
    state = sum(map(_bytes, model.parameters())) + sum(map(_bytes, model.buffers()))
    return 32 * outputs * points * dim + 6 * state < free / 4


def gigabytes(size: float) -> str:
    """Bytes in words.

    >>> gigabytes(2.34e10), gigabytes(2.5e7)
    ('23 GB', '0.025 GB')
    """
    return f"{size / 1e9:.2g} GB" if size < 1e11 else f"{size / 1e9:.0f} GB"


def _check(what: str, need: Need, points: int, free: float, setting: str) -> None:
    """Refuse work that takes more than is free.

    Args:
        what: is done.
        need: of it.
        points: at once.
        free: bytes.
        setting: says how many points are taken at once.

    Raises:
        UomhError: it does not fit; what to lower.
    """
    if need.of(points) <= free:
        return
    fitting = need.most(free)
    advice = f"lower {setting} (now {points}) to {fitting} or less"
    if fitting < 1:
        advice = "choose a smaller model, by the settings of its widths, or smaller images"
    raise UomhError(
        f"{what} takes about {gigabytes(need.of(points))} of memory, and "
        f"{gigabytes(free)} are free; {advice}"
    )


@contextmanager
def for_training(model: Model, data: Data, config: TrainConfig, path: str) -> Iterator[None]:
    """A block that trains a leaf, once its memory is known to be there.

    Args:
        model: where it is trained.
        data: that it is trained on.
        config: how.
        path: of the leaf in its run.

    Raises:
        UomhError: it takes more memory than is free, or memory ran out; what to lower.
    """
    what = f"training {path!r} ({model.name})"
    setting = f"{'density_train' if '/density' in path else 'train'}.batch_size"
    with naming_what_to_lower(what, f"lower {setting} (now {config.batch_size})"):
        free, points = free_memory(model.device), min(config.batch_size, len(data.train))
        measured = min(at_once(512, data.spec.dim), len(data.valid))
        if not _is_plenty(model, points, data.spec.dim, free):
            _check_copy(what, model, free)
            few = data.train[: max(POINTS)]
            x, y = few.x.to(model.device), None if few.y is None else few.y.to(model.device)
            _check(what, training_need(model, x, y, config), points, free, setting)
            if measured:
                setting = "evaluate.batch_size"
                _check("measuring", scoring_need(model, x, y), measured, free, setting)
        yield


@contextmanager
def for_measuring(model: Generative, data: Data, config: RunConfig) -> Iterator[None]:
    """A block that measures a model on its test points, once its memory is known to be there.

    Raises:
        UomhError: it takes more memory than is free, or memory ran out; what to lower.
    """
    what, setting = f"measuring {data.name}", "evaluate.batch_size"
    points = min(at_once(config.evaluate.batch_size, data.spec.dim), len(data.test))
    with naming_what_to_lower(what, f"lower {setting} (now {config.evaluate.batch_size})"):
        free = free_memory(model.device)
        if not _is_plenty(model, points, data.spec.dim, free):
            _check_copy(what, model, free)
            few = data.test[: max(POINTS)]
            x, y = few.x.to(model.device), None if few.y is None else few.y.to(model.device)
            _check(what, scoring_need(model, x, y), points, free, setting)
        yield


@contextmanager
def for_sampling(
    model: Generative, n: int, y: Tensor | None, batch_size: int, copies: float
) -> Iterator[None]:
    """A block that draws n points, once its memory is known to be there.

    Args:
        model: that draws.
        n: points.
        y: their labels, or None.
        batch_size: points that are drawn at once.
        copies: how many floats are kept for each coordinate of every point.

    Raises:
        UomhError: it takes more memory than is free, or memory ran out; what to lower.
    """
    what, setting = f"drawing {n} samples", "the number of samples"
    with naming_what_to_lower(what, f"lower {setting} (-n)"):
        free = free_memory(torch.device("cpu"))
        result = Need(0.0, copies * 4 * model.spec.dim)
        _check(what, result, n, free, f"{setting} (-n)")
        free = min(free - result.of(n), free_memory(model.device))
        if not _is_plenty(model, min(n, batch_size), model.spec.dim, free):
            _check_copy(what, model, free)
            _check(what, sampling_need(model, y), min(n, batch_size), free, setting)
        yield


def _check_copy(what: str, model: nn.Module, free: float) -> None:
    """Refuse a model of which not even a copy, to try the work on, has room."""
    state = sum(map(_bytes, model.parameters())) + sum(map(_bytes, model.buffers()))
    _check(what, Need(2.0 * state, 0.0), 1, free, "")


@contextmanager
def naming_what_to_lower(what: str, advice: str) -> Iterator[None]:
    """A block in which memory that runs out is an error of this sentence.

    Raises:
        UomhError: memory ran out.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        text = str(error)
        plain = type(error) is RuntimeError
        if plain and "allocate memory" not in text and "not enough memory" not in text:
            raise
        raise UomhError(f"memory ran out while {what}; {advice}") from None
