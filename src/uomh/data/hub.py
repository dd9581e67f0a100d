"""Data sets on the Hub."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from uomh.data.cache import Source
from uomh.data.columns import Table, source_of
from uomh.data.decode import FileReading
from uomh.data.layout import SPLITS, once_each
from uomh.errors import UomhError


def hub(name: str, configuration: str | None, how: FileReading) -> Source:
    """A data set on the Hub, ``ORG/NAME`` or ``ORG/NAME@REVISION``.

    Raises:
        UomhError: it cannot be loaded, has no training split, or no points that we can read.
    """
    repository, _, revision = name.partition("@")
    return source_of_splits(_load(repository, configuration, revision or None), repository, how)


def source_of_splits(loaded: Any, where: str, how: FileReading) -> Source:
    """A source of the splits that `datasets` has loaded, by their names.

    Raises:
        UomhError: there is no training split, or no points that we can read.
    """
    splits = {name: SPLITS[name] for name in loaded if name in SPLITS}
    if "train" not in splits:
        raise UomhError(f"{where} has no split 'train'; it has: {', '.join(loaded)}")
    once_each(splits)
    notes = [f"split {name!r} left out" for name in loaded if name not in splits]
    tables = {split: _table(loaded[name]) for name, split in splits.items()}
    return source_of(tables, where, how, notes)


def _load(name: str, configuration: str | None, revision: str | None) -> Any:
    import datasets

    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return datasets.load_dataset(name, configuration, revision=revision)
    except Exception as error:  # of any file system or parser below the library
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UomhError(
            f"cannot load the data set {name!r}: {reason}; without a network, put it as parquet "
            "files or class folders into a folder of its name below --data-root"
        ) from None


def _table(dataset: Any) -> Table:
    def batches(columns: Sequence[str], size: int) -> Iterator[Any]:
        chosen = dataset.select_columns(list(columns)).with_format("arrow")
        for start in range(0, len(chosen), size):
            yield chosen[start : start + size]

    return Table(len(dataset), dict(dataset.features), batches)
