"""`load_data`: a data set by name, path or Hub address, as a `Data` value.

The order of rows is the fixed shuffle of `uomh.data.core.fixed_order`. Of the shuffled training
rows, ``limit`` takes the first; of those, the first ``valid_fraction`` are the validation split. A
source without a test split gives up the first ``test_fraction`` of its shuffled rows as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch

from uomh.data import sources
from uomh.data.cache import Decoded, decoded
from uomh.data.config import DataConfig as DataConfig
from uomh.data.core import Data, Split
from uomh.data.names import HUB
from uomh.errors import UomhError, unknown

MANIFOLD_POINTS = 5000
"""training points drawn on a manifold where no limit is given"""


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
        return Split(split.x[new >= 0], new[new >= 0])

    return keep, tuple(full.classes[label] for label in wanted)


def _decoded(config: DataConfig) -> Decoded:
    name, resize, column = config.dataset, config.resize, config.label_column
    how = f"resize={resize} label={column}"
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
        return decoded(
            name,
            f"hub {on_hub} {how}",
            lambda: nullcontext(sources.hub(*on_hub, resize=resize, label_column=column)),
        )
    path = local if local.exists() else Path(name)
    if path.suffix == ".npz" and path.is_file():
        return decoded(path.stem, _state(path), lambda: nullcontext(sources.arrays(path)))
    if path.is_dir():
        return decoded(
            path.name,
            f"{_state(path)} {how}",
            lambda: sources.folder(path, resize=resize, label_column=column),
        )
    if "/" in name or "\\" in name or path.suffix:
        raise UomhError(
            f"there is no data at {name!r}; give a folder of images or parquet files, "
            "a file .npz, or a name from `uomh list datasets`"
        )
    raise unknown("data set", name, ["digits", *HUB])


def _state(path: Path) -> str:
    """What identifies a local source: its place and its files' names, sizes and times."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(str(file.relative_to(path)), file.stat()) for file in files if file.is_file()]
    return f"{path.resolve()} " + " ".join(
        f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats
    )
