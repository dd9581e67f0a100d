"""Work is refused before it begins where it takes more memory than is free.

Where even a rough bound is far below what is free, nothing is tried (`uomh.training.need`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from uomh.config import RunConfig, TrainConfig
from uomh.data.core import Data, DataSpec
from uomh.devices import moved
from uomh.errors import UomhError
from uomh.memory import free_memory
from uomh.models.core import Generative, Learner
from uomh.models.leaf import LeafLearner
from uomh.models.trainable import Trainable
from uomh.sizes import at_once, is_large
from uomh.text import counted
from uomh.training.need import (
    POINTS,
    Need,
    bytes_of,
    sampling_need,
    scoring_need,
    training_need,
)

BATCH = 512
"""points of usual size that are drawn, or measured while training, at once"""


def _is_plenty(model: nn.Module, points: int, dim: int, free: float) -> bool:
    """Whether a rough bound, every weight applied at every coordinate, is far below what is free.

    Layers keep a few tensors of their outputs for each point. Coordinates of a point number no less
    than the places at which a layer is applied.
    """
    outputs = sum(weight.shape[0] for weight in model.parameters() if weight.dim() > 1)
    state = sum(map(bytes_of, model.parameters())) + sum(map(bytes_of, model.buffers()))
    return 32 * outputs * points * dim + 6 * state < free / 4


def gigabytes(size: float) -> str:
    """Bytes in words.

    >>> gigabytes(2.34e10), gigabytes(2.5e7)
    ('23 GB', '0.025 GB')
    """
    return f"{size / 1e9:.2g} GB" if size < 1e11 else f"{size / 1e9:.0f} GB"


def _check(
    what: str, need: Need, points: int, free: float, setting: str, now: int | None = None
) -> None:
    """Refuse work that takes more than is free.

    Args:
        what: is done.
        need: of it.
        points: at once.
        free: bytes.
        setting: says how many points are taken at once.
        now: its value, where that is not the number of points.

    Raises:
        UomhError: it does not fit; what to lower.
    """
    if need.of(points) <= free:
        return
    fitting = need.most(free)
    advice = f"lower {setting} (now {points if now is None else now}) to {fitting} or less"
    if fitting < 1:
        advice = "choose a smaller model, by the settings of its widths, or smaller images"
    raise UomhError(
        f"{what} takes about {gigabytes(need.of(points))} of memory, and "
        f"{gigabytes(free)} are free; {advice}"
    )


def built(cls: Any, settings: Any, spec: DataSpec) -> LeafLearner:
    """A model, once it is known that its weights have room; its size comes without them.

    Raises:
        UomhError: they take more memory than is free.
    """
    what, advice = (
        f"building {cls.__name__}",
        "choose a smaller model, by the settings of its widths",
    )
    with naming_what_to_lower(what, advice):
        if is_large(spec.dim):
            try:
                with torch.random.fork_rng(devices=[]), torch.device("meta"):
                    outline: LeafLearner | None = cls(settings, spec)
            except Exception:  # a model of a user's own may look at values while it is built
                outline = None
            if outline is not None:
                _check_copy(what, outline, free_memory(torch.device("cpu")))
        model: LeafLearner = cls(settings, spec)
        return model


@contextmanager
def for_training(model: Trainable, data: Data, config: TrainConfig, path: str) -> Iterator[None]:
    """A block that trains a leaf, once its memory is known to be there.

    Args:
        model: where it is trained.
        data: that it is trained on.
        config: how.
        path: of the leaf in its run.

    Raises:
        UomhError: it takes more memory than is free, or memory ran out; what to lower.
    """
    name = getattr(model, "name", type(model).__name__)  # a model need not be registered
    what = f"training {path!r} ({name})"
    setting = "train.batch_size"
    with naming_what_to_lower(what, f"lower {setting} (now {config.batch_size})"):
        free, points = free_memory(model.device), min(config.batch_size, len(data.train))
        measured = min(at_once(BATCH, data.spec.dim), len(data.valid))
        if not _is_plenty(model, points, data.spec.dim, free):
            _check_copy(what, model, free)
            few = data.train[: max(POINTS)]
            x, y = moved(few.x, model.device), None if few.y is None else few.y.to(model.device)
            need = training_need(model, x, y, config)
            _check(what, need, points, free, setting, config.batch_size)
            if measured:
                setting = "evaluate.batch_size"
                _check("measuring", scoring_need(model, x, y), measured, free, setting, BATCH)
        yield


@contextmanager
def for_measuring(model: Learner, data: Data, config: RunConfig) -> Iterator[None]:
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
            x, y = moved(few.x, model.device), None if few.y is None else few.y.to(model.device)
            need, now = scoring_need(model, x, y), config.evaluate.batch_size
            _check(what, need, points, free, setting, now)
        yield


@contextmanager
def for_sampling(model: Generative, n: int, label: int | None, picture: bool) -> Iterator[None]:
    """A block that draws points and writes them, once its memory is known to be there.

    Args:
        model: that draws.
        n: how many points.
        label: of all of them, or None.
        picture: they are written into one picture, not into arrays.

    Raises:
        UomhError: it takes more memory than is free, or memory ran out; what to lower.
    """
    what, setting = f"drawing {counted(n, 'sample')}", "-n"
    with naming_what_to_lower(what, f"lower {setting}"):
        free, dim = free_memory(torch.device("cpu")), model.spec.dim
        coordinate_bytes = 4 if model.spec.levels is None else 16 if picture else 1
        result = Need(0.0, coordinate_bytes * dim + 8)
        _check(what, result, n, free, setting)
        points = min(n, at_once(BATCH, dim))
        free = min(free - result.of(n), free_memory(model.device))
        if not _is_plenty(model, points, dim, free):
            _check_copy(what, model, free)
            _check(what, sampling_need(model, label), points, free, setting)
        yield


def _check_copy(what: str, model: nn.Module, free: float) -> None:
    """Refuse a model that has no room twice: with its copy that the work is tried on, or saved."""
    state = sum(map(bytes_of, model.parameters())) + sum(map(bytes_of, model.buffers()))
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
