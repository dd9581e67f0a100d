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
from typing import Self

import torch
from pydantic import Field, field_validator

from uomh.data import sources
from uomh.data.arrays import array, arrays
from uomh.data.cache import Decoded, Source, decoded
from uomh.data.core import Data, Split
from uomh.data.names import HUB
from uomh.data.tables import table
from uomh.errors import UomhError, unknown
from uomh.settings import Settings

MANIFOLD_POINTS = 5000
"""training points drawn on a manifold where no limit is given"""
READING_OPTIONS = ("resize", "label_column")
"""settings of how a source is read, which not every source knows"""


class DataConfig(Settings):
    """Which data, and which of its rows."""

    dataset: str = "digits"
    """a name (see `uomh list datasets`), hub:ORG/NAME, a folder, or a file .npz, .npy, .csv"""
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
    """column of the labels, where it cannot be found by itself"""

    @field_validator("class_ind")
    @classmethod
    def _each_class_once(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and not value:
            raise ValueError("name at least one class, or leave it out")
        if value is not None and len(set(value)) < len(value):
            raise ValueError("each class can be kept once")
        return value

    def local(self) -> Path | None:
        """The file or folder that these data are read from; None where they are not local."""
        if self.dataset == "digits" or self.dataset.startswith("manifold:"):
            return None
        path = Path(self.data_root).expanduser() / self.dataset.removeprefix("hub:")
        if path.exists():
            return path
        path = Path(self.dataset).expanduser()
        named = self.dataset in HUB or self.dataset.startswith("hub:")
        return path if path.exists() and not named else None

    def absolute(self) -> Self:
        """The same settings, with absolute paths where data are local: they hold in any folder."""
        path = self.local()
        if path is None:
            return self
        root = os.path.abspath(Path(self.data_root).expanduser())
        if Path(root, self.dataset.removeprefix("hub:")).exists():
            return self.model_copy(update={"data_root": root})
        return self.model_copy(update={"dataset": os.path.abspath(path)})


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
    name, resize, column = config.dataset, config.resize, config.label_column
    how = f"resize={resize} label={column}"
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
        on_hub = HUB.get(name, (name.removeprefix("hub:"), None))
        return decoded(
            name,
            f"hub {on_hub} {how}",
            lambda: nullcontext(sources.hub(*on_hub, resize=resize, label_column=column)),
        )
    if path is not None and path.is_dir():
        return decoded(
            path.name,
            f"{_state(path)} {how}",
            lambda: sources.folder(path, resize=resize, label_column=column),
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
    key = f"{_state(path)} label={column}"
    return decoded(path.stem, key, lambda: nullcontext(readers[kind]()))


def _takes(config: DataConfig, *options: str) -> None:
    """Refuse settings that mean nothing for the source."""
    for name in READING_OPTIONS:
        if name not in options and getattr(config, name) != DataConfig.model_fields[name].default:
            raise UomhError(f"data.{name} means nothing for {config.dataset!r}; leave it out")


def _state(path: Path) -> str:
    """What identifies a local source: its place and its files' names, sizes and times."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(str(file.relative_to(path)), file.stat()) for file in files if file.is_file()]
    return f"{path.resolve()} " + " ".join(
        f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats
    )
