"""`load_data`: a data set by name, path or Hub address, as a `Data` value.

The order of rows is the fixed shuffle of `uomh.data.core.fixed_order`. Of the shuffled training
rows, ``limit`` takes the first; of those, the first ``valid_fraction`` are the validation split. A
source without a test split gives up the first ``test_fraction`` of its shuffled rows as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields, replace
from pathlib import Path

import torch
from pydantic import Field

from uomh.data import sources
from uomh.data.cache import Decoded, decoded
from uomh.data.core import Data, Split
from uomh.data.decode import Reading
from uomh.data.folders import folder
from uomh.data.layout import state
from uomh.data.names import HUB
from uomh.errors import UomhError, unknown
from uomh.settings import Settings

MANIFOLD_POINTS = 5000
"""training points drawn on a manifold where no limit is given"""


class DataConfig(Settings):
    """Which data, and which of its rows."""

    dataset: str = "digits"
    """a name (see `uomh list datasets`), hub:ORG/NAME, a folder, or a file .npz"""
    data_root: str = "data"
    """folder in which DATA_ROOT/NAME is read instead of the Hub where it exists"""
    valid_fraction: float = Field(0.1, ge=0, lt=1)
    """share of the training rows held out for validation"""
    test_fraction: float = Field(0.1, ge=0, lt=1)
    """share of all rows held out for testing where the source has no test split"""
    limit: int | None = Field(None, gt=0)
    """keep only the first rows of the shuffled training split"""
    test_limit: int | None = Field(None, gt=0)
    """keep only the first rows of the shuffled test split"""
    class_ind: tuple[int, ...] | None = None
    """keep only the classes of these numbers, renumbered from 0"""
    resize: int | None = Field(None, gt=0)
    """bring images to this height and width"""
    label_column: str | None = None
    """column of the labels, where it cannot be found by itself; empty: no labels"""
    point_column: str | None = None
    """column of the images or vectors, where it cannot be found by itself"""
    background: str = "white"
    """colour that transparent images are laid on: a name, or #rrggbb"""
    skip_broken: bool = False
    """leave out images that cannot be decoded, and say how many"""

    def reading(self) -> Reading:
        """How images and tables are read."""
        return Reading(**{field.name: getattr(self, field.name) for field in fields(Reading)})


def load_data(dataset: str | DataConfig = "digits", **settings: object) -> Data:
    """Load a data set; its decoded form is cached, so a second start is instant.

    Args:
        dataset: as `DataConfig.dataset`, or whole settings.
        **settings: fields of `DataConfig`, where ``dataset`` is a string.

    Raises:
        UomhError: no such data set, or it cannot be read as one.

    Examples:
        >>> data = load_data("digits")
        >>> data.spec
        DataSpec(shape=(1, 8, 8), levels=17, num_classes=10)
        >>> len(data.train), len(data.valid), len(data.test)
        (1457, 161, 179)
    """
    if isinstance(dataset, str):
        config = DataConfig.of({"dataset": dataset, **settings}, "data")
    else:
        config = dataset
    full = _decoded(config)
    pool, test = full.train, full.test
    if test is None:
        tested = int(len(pool) * config.test_fraction)
        pool, test = pool[tested:], pool[:tested]
    pool, test = pool[: config.limit], test[: config.test_limit]
    held_out = int(len(pool) * config.valid_fraction)
    train, valid, classes = pool[held_out:], pool[:held_out], full.classes
    if config.class_ind is not None:
        keep, classes = _only(config.class_ind, full)
        train, valid, test = keep(train), keep(valid), keep(test)
    if not len(train):
        raise UomhError(f"{config.dataset}: no training point is left; raise data.limit")
    return Data(
        name=config.dataset,
        train=train,
        valid=valid,
        test=test,
        classes=classes,
        levels=full.levels,
        fingerprint=full.fingerprint,
        notes=full.notes,
        unlabelled=full.unlabelled,
    )


def _only(
    wanted: tuple[int, ...], full: Decoded
) -> tuple[Callable[[Split], Split], tuple[str, ...]]:
    """A function that keeps the points of these classes, renumbered; and the classes' names."""
    if not full.classes:
        raise UomhError("these data have no labels, so data.class_ind cannot choose classes")
    for label in wanted:
        if not 0 <= label < len(full.classes):
            last = len(full.classes) - 1
            raise UomhError(f"data.class_ind={label}: these data have classes 0 to {last}")
    number = torch.full((len(full.classes),), -1)
    number[list(wanted)] = torch.arange(len(wanted))

    def keep(split: Split) -> Split:
        assert split.y is not None
        new = number[split.y]
        return replace(split[new >= 0], y=new[new >= 0])

    return keep, tuple(full.classes[label] for label in wanted)


def _decoded(config: DataConfig) -> Decoded:
    name = config.dataset
    if name == "digits":
        return decoded(name, "digits", lambda: nullcontext(sources.digits()))
    if name.startswith("manifold:"):
        # Points are drawn, not held out: as many more as the test split will take.
        n = math.ceil((config.limit or MANIFOLD_POINTS) / (1 - config.test_fraction))
        shape = name.removeprefix("manifold:")
        return decoded(name, f"{name} {n}", lambda: nullcontext(sources.manifold(shape, n)))
    on_hub = HUB.get(name, (name.removeprefix("hub:"), None))
    local = Path(config.data_root) / name.removeprefix("hub:")
    if (name in HUB or name.startswith("hub:")) and not local.exists():
        from uomh.data.hub import hub  # Arrow is slow to import

        return decoded(
            name,
            f"hub {on_hub} {config.reading()}",
            lambda: nullcontext(hub(*on_hub, config.reading())),
        )
    path = local if local.exists() else Path(name)
    if path.suffix == ".npz" and path.is_file():
        return decoded(path.stem, state(path), lambda: nullcontext(sources.arrays(path)))
    if path.is_dir():
        return decoded(
            path.name,
            f"{state(path)} {config.reading()}",
            lambda: nullcontext(folder(path, config.reading())),
        )
    if "/" in name or "\\" in name or path.suffix:
        raise UomhError(
            f"there is no data at {name!r}; give a folder of images or parquet files, "
            "a file .npz, or a name from `uomh list datasets`"
        )
    raise unknown("data set", name, ["digits", *HUB])
