"""`load_data`: a data set by name, path or Hub address, as a `Data` value.

The order of rows is the fixed shuffle of `uomh.data.core.fixed_order`. Of the shuffled training
rows, ``limit`` takes the first; of those, the first ``valid_fraction`` are the validation split. A
source without a test split gives up the first ``test_fraction`` of its shuffled rows as one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from uomh import registry
from uomh.data.cache import Decoded, decoded
from uomh.data.config import READING, DataConfig
from uomh.data.core import Data, Split
from uomh.data.dataset import Dataset
from uomh.data.layout import state
from uomh.data.names import HUB, OF_A_FILE, kind_of
from uomh.data.sources import Folder
from uomh.errors import UomhError, unknown


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
    return Data(
        name=config.label(),
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
    dataset = dataset_of(config)
    for name in READING:
        default = DataConfig.model_fields[name].default
        if name not in dataset.takes and getattr(config, name) != default:
            raise UomhError(f"data.{name} means nothing for {config.dataset!r}; leave it out")
    kind = OF_A_FILE.fullmatch(config.dataset)
    code = "" if kind is None else f"{state(Path(kind[1].rpartition(':')[0]))} "
    return decoded(dataset.title, code + dataset.key(), lambda: nullcontext(dataset.read()))


def dataset_of(config: DataConfig) -> Dataset:
    """What the settings name: a path that is there, else a registered kind.

    Raises:
        UomhError: there is neither.
    """
    name, path, kind = config.dataset, config.local(), kind_of(config.dataset)
    if path is None and kind is not None:
        registered, address = kind
        cls: type[Dataset] = registry.load("datasets", registered)
        return cls(address, config)
    if path is not None and path.is_dir():
        return Folder(str(path), config)
    known = registry.entries("datasets")
    if path is not None:
        suffix = path.suffix.lower()
        if not suffix or suffix not in known:
            raise UomhError(
                f"{str(path)!r} is no file of points; give {_suffixes()}, or the folder that "
                "images or parquet files are in"
            )
        return registry.load("datasets", suffix)(str(path), config)  # type: ignore[no-any-return]
    if "/" in name or "\\" in name or Path(name).suffix:
        raise UomhError(
            f"there is no data at {name!r}; give a folder of images or parquet files, "
            f"a file {_suffixes()}, or a name from `uomh list datasets`"
        )
    raise unknown("data set", name, [*(word for word in known if word[0] != "."), *HUB])


def _suffixes() -> str:
    """The files that can be read, in words."""
    *others, last = [name for name in registry.entries("datasets") if name.startswith(".")]
    return f"{', '.join(others)} or {last}"
