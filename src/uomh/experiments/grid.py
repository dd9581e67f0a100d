"""An experiment by its name, or of the user's own file: a base and lists of ``key=value``.

    base: [model.name=vae, train.max_epochs=20]
    product:
    - [model.latent_dim=2, model.latent_dim=8]
    - [train.lr=1e-3, train.lr=3e-3]

is a grid of four arms, every item of the first list with every item of the second. Under
``zipped`` the lists go side by side, the first items together, then the second ones. An item may be
a list of texts that belong together. A file ``.py`` says the same by variables of these names.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from uomh import registry
from uomh.errors import UomhError
from uomh.experiments.core import Arm, Experiment
from uomh.settings import Settings, read_file

Item = str | tuple[str, ...]
METRICS = ("bits_per_dim", "l2_reconstruction_error", "parameters", "training_seconds")
SUFFIXES = (".yaml", ".yml", ".json", ".py")


class GridFile(Settings):
    """What a file says."""

    base: tuple[str, ...] = ()
    """texts of every run"""
    product: tuple[tuple[Item, ...], ...] = ()
    """lists of items: every item with every item of the others"""
    zipped: tuple[tuple[Item, ...], ...] = ()
    """lists of items, of one length: first with first, second with second"""
    arms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """arms by name, beside or instead of the lists"""
    against: str | None = None
    """arm that the others are compared with; null: the first"""
    datasets: tuple[str, ...] = ("digits",)
    """names of data sets"""
    seeds: int = Field(1, ge=1)
    """runs of each arm"""
    small: tuple[str, ...] = ()
    """texts of every run where the grid is scaled"""
    metrics: tuple[str, ...] = METRICS
    """values that the table shows"""


def experiment_of(name: str) -> Experiment:
    """The experiment of a name or of a file.

    Raises:
        UomhError: there is none.
    """
    if Path(name).suffix in SUFFIXES:
        return _of_file(Path(name))
    found: Experiment = registry.load("experiments", name)()
    return found


def _of_file(path: Path) -> Experiment:
    values: Mapping[str, Any]
    if path.suffix == ".py":
        module = registry.module(str(path))
        values = {key: _plain(getattr(module, key)) for key in _names() if hasattr(module, key)}
        if not values:
            raise UomhError(f"{str(path)!r} has none of the variables {', '.join(_names())}")
    else:
        values = read_file(path)
    if not values:
        raise UomhError(
            f"{str(path)!r} is empty; a grid says one of {', '.join(_names())} at least"
        )
    try:
        file = GridFile.of(values)
        arms = _arms(file)
    except UomhError as error:
        raise UomhError(f"{str(path)!r}: {error}") from None
    experiment = Experiment()
    experiment.name = path.stem  # type: ignore[misc]
    experiment.datasets, experiment.seeds = file.datasets, file.seeds
    experiment.base, experiment.small, experiment.metrics = file.base, file.small, file.metrics
    experiment.arms = arms
    return experiment


def _names() -> tuple[str, ...]:
    return tuple(GridFile.model_fields)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _arms(file: GridFile) -> tuple[Arm, ...]:
    """Arms by their name, those of the lists named by their texts."""
    found = dict(file.arms)
    only_arms = "arms" in file.model_fields_set and not (file.product or file.zipped)
    for row in () if only_arms else _rows(file):
        texts = tuple(text for item in row for text in ((item,) if isinstance(item, str) else item))
        name = ", ".join(texts) or "base"
        if name in found:
            raise UomhError(f"two arms are called {name!r}; take one away")
        found[name] = texts
    if not found:
        raise UomhError("a list of the grid is empty, so that there is no arm; take it away")
    first = file.against if file.against is not None else next(iter(found))
    if first not in found:
        raise UomhError(f"against={first!r} is no arm; there are {', '.join(map(repr, found))}")
    return tuple(
        Arm(name, texts, against="" if name == first else first) for name, texts in found.items()
    )


def _rows(file: GridFile) -> list[tuple[Item, ...]]:
    """The items of each arm of the lists."""
    lengths = {len(items) for items in file.zipped}
    if len(lengths) > 1:
        raise UomhError(
            f"zipped lists go side by side and are of one length; here {sorted(lengths)}"
        )
    zipped = list(zip(*file.zipped, strict=True)) if file.zipped else [()]
    return [(*row, *items) for row in zipped for items in itertools.product(*file.product)]
