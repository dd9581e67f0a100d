"""`load_data`: a data set by name, path or Hub address, as a `Data` value.

The order of rows is the fixed shuffle of `uomh.data.core.fixed_order`. Of the shuffled training
rows, ``limit`` takes the first; of those, the first ``valid_fraction`` are the validation split. A
source without a test split gives up the first ``test_fraction`` of its shuffled rows as one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from uomh.data import sources
from uomh.data.arrays import array, arrays
from uomh.data.cache import Decoded, Source, decoded
from uomh.data.config import READING, DataConfig
from uomh.data.core import Data, Split
from uomh.data.folders import folder
from uomh.data.layout import state
from uomh.data.names import HUB
from uomh.data.tables import table
from uomh.errors import UomhError, unknown

MANIFOLD_POINTS = 5000
"""training points drawn on a manifold where no limit is given"""


def load_data(dataset: str | os.PathLike[str] | DataConfig = "digits", **settings: object) -> Data:
    """Load a data set; its decoded form is cached, so a second start is instant.

    Args:
        dataset: as `DataConfig.dataset`, or whole settings.
        **settings: fields of `DataConfig`.

    Raises:
        UomhError: no such data set, or it cannot be read as one.

    Examples:
        >>> data = load_data("digits")
        >>> data.spec
        DataSpec(shape=(1, 8, 8), levels=17, num_classes=10)
        >>> len(data.train), len(data.valid), len(data.test)
        (1457, 161, 179)
    """
    if isinstance(dataset, DataConfig):
        given = dataset.model_dump(mode="json")
    else:
        given = {"dataset": _text(dataset)}
    for name, value in settings.items():
        given[name] = _text(value) if isinstance(value, os.PathLike) else value
    config = DataConfig.of(given, "data")
    full = _decoded(config)
    pool, test = full.train, full.test
    if test is None:
        tested = int(len(pool) * config.test_fraction)
        pool, test = pool[tested:], pool[:tested]
    elif test.rows is not None:
        test = replace(test, rows=test.rows + full.source_rows)
    pool, test = pool[: config.limit], test[: config.test_limit]
    held_out, classes = int(len(pool) * config.valid_fraction), full.classes
    if config.class_ind is not None:
        keep, classes = _only(config.class_ind, full)
        held_out = len(keep(pool[:held_out]))
        pool, test = keep(pool), keep(test)
    valid, train = pool[:held_out], pool[held_out:]
    if not len(train):
        raise UomhError(f"{config.dataset}: no training point is left; raise data.limit")
    content = [full.fingerprint, full.levels, classes, full.source_rows]
    local = config.local()
    return Data(
        name=config.dataset if local is None else local.name or config.dataset,
        train=train,
        valid=valid,
        test=test,
        classes=classes,
        levels=full.levels,
        fingerprint=_digest([*content, len(valid)], [pool, test]),
        pool=_digest([*content, "pool"], [pool, test]),
        notes=full.notes,
        unlabelled=full.unlabelled,
        source_rows=full.source_rows,
    )


def _text(dataset: object) -> str:
    text = os.fspath(dataset) if isinstance(dataset, str | os.PathLike) else None
    if not isinstance(text, str):
        raise UomhError(
            f"a data set is a name or a path, not {type(dataset).__name__}; arrays are saved with "
            "np.savez('mine.npz', x=x, y=y), or given to uomh.verify as they are"
        )
    return text


def _digest(content: list[object], splits: list[Split]) -> str:
    """Digest of a source's content, and of which of its rows, with which labels, are taken."""
    digest = hashlib.blake2b(json.dumps(content).encode(), digest_size=16)
    for split in splits:
        digest.update(f"{len(split)}".encode())
        for numbers in (split.rows, split.y):
            if numbers is not None:
                digest.update(numbers.contiguous().numpy().tobytes())
    return digest.hexdigest()


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
        _takes(config)
        return decoded(name, "digits", lambda: nullcontext(sources.digits()))
    if name.startswith("manifold:"):
        _takes(config)
        # Points are drawn, not held out: as many more as the test split will take.
        n = math.ceil((config.limit or MANIFOLD_POINTS) / (1 - config.test_fraction))
        shape = name.removeprefix("manifold:")
        return decoded(name, f"{name} {n}", lambda: nullcontext(sources.manifold(shape, n)))
    path = config.local()
    if path is None and (name in HUB or name.startswith("hub:")):
        from uomh.data.hub import hub  # Arrow is slow to import

        on_hub = HUB.get(name, (name.removeprefix("hub:"), None))
        return decoded(
            name,
            f"hub {on_hub} {config.reading()}",
            lambda: nullcontext(hub(*on_hub, config.reading())),
        )
    if path is not None and path.is_dir():
        return decoded(
            path.name,
            f"{state(path)} {config.reading()}",
            lambda: nullcontext(folder(path, config.reading())),
        )
    if path is not None:
        return _file(path, config)
    if "/" in name or "\\" in name or Path(name).suffix:
        raise UomhError(
            f"there is no data at {name!r}; give a folder of images or parquet files, "
            "a file .npz, .npy or .csv, or a name from `uomh list datasets`"
        )
    raise unknown("data set", name, ["digits", *HUB])


def _file(path: Path, config: DataConfig) -> Decoded:
    """Points in one file."""
    column = config.label_column
    readers: dict[str, Callable[[], Source]] = {
        ".npz": lambda: arrays(path),
        ".npy": lambda: array(path),
        ".csv": lambda: table(path, column),
    }
    kind = path.suffix.lower()
    if kind not in readers:
        raise UomhError(
            f"{str(path)!r} is no file of points; give .npz, .npy or .csv, or the folder that "
            "images or parquet files are in"
        )
    _takes(config, *(["label_column"] if kind == ".csv" else []))
    key = f"{state(path)} label={column}"
    return decoded(path.stem, key, lambda: nullcontext(readers[kind]()))


def _takes(config: DataConfig, *options: str) -> None:
    """Refuse settings that mean nothing for the source."""
    for name in READING:
        if name not in options and getattr(config, name) != DataConfig.model_fields[name].default:
            raise UomhError(f"data.{name} means nothing for {config.dataset!r}; leave it out")
