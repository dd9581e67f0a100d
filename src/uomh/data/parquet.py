"""Folders of parquet files: which split each file is of, and the rows of each split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from os.path import commonpath
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from uomh.data.cache import Source
from uomh.data.columns import Table, source_of
from uomh.data.decode import FileReading
from uomh.data.layout import NAMES, SPLITS, counted, listed, once_each, some, split_folders
from uomh.errors import UomhError

SHARD = re.compile(r".+-\d{5}-of-\d{5}")
"""names of files as the Hub writes them: split, number of the file, number of files"""


def is_parquet(file: Path) -> bool:
    """Whether a file is a parquet file by its name."""
    return file.suffix.lower() == ".parquet"


def parquet_folder(path: Path, how: FileReading) -> Source:
    """A folder of parquet files, in the layout of the Hub.

    Raises:
        UomhError: a file is of no split while others are, cannot be read, or has other columns.
    """
    files = listed(path)
    notes: list[str] = []
    if others := [str(file.relative_to(path)) for file in files if not is_parquet(file)]:
        count = counted(len(others), "file")
        notes.append(f"{count} besides parquet files left out: {some(others)}")
    splits = _splits(path, [file for file in files if is_parquet(file)], notes)
    tables = {split: _table(files) for split, files in splits.items()}
    return source_of(tables, str(path), how, notes)


def _splits(path: Path, files: list[Path], notes: list[str]) -> dict[str, list[Path]]:
    """The files of each split: by the folders they are in, or else by the names of the files."""
    root = Path(commonpath([str(file.parent) for file in files]))
    inner = {file: file.relative_to(root).parts for file in files}
    if all(len(parts) > 1 for parts in inner.values()):
        folders = split_folders(sorted({parts[0] for parts in inner.values()}))
        if folders is not None:
            return {
                split: [file for file in files if inner[file][0] == name]
                for name, split in folders.items()
            }
    named = {file: file.stem.split("-")[0].lower() for file in files}
    if not any(name in SPLITS for name in named.values()):
        if len(files) > 1:
            notes.append(f"all {len(files)} parquet files are training rows: none names a split")
        return {"train": files}
    once_each({name: SPLITS[name] for name in named.values() if name in SPLITS})
    splits: dict[str, list[Path]] = {}
    for file, name in named.items():
        if name not in SPLITS and SHARD.fullmatch(file.stem):
            notes.append(f"split {name!r} left out: {file.relative_to(path)}")
            continue
        if name not in SPLITS:
            raise UomhError(
                f"{str(file)!r} is of no split while other files are; call it "
                "train-*.parquet or test-*.parquet, or move it away"
            )
        splits.setdefault(SPLITS[name], []).append(file)
    for split, members in splits.items():
        folders_of = sorted({str(file.parent) for file in members})
        if len(folders_of) > 1:
            raise UomhError(
                f"{str(path)!r} holds {NAMES[split]} files of several data sets, in "
                f"{some(folders_of)}; give one of the folders"
            )
    if "train" not in splits:
        raise UomhError(f"{str(path)!r} has no split 'train'; it has: {', '.join(splits)}")
    return splits


def _table(files: list[Path]) -> Table:
    opened = [_open(file) for file in files]
    features = [_features(file, parquet) for file, parquet in zip(files, opened, strict=True)]
    for file, found in zip(files, features, strict=True):
        if found != features[0]:
            raise UomhError(f"{str(file)!r} has other columns than {str(files[0])!r}")

    def batches(columns: Sequence[str], size: int) -> Iterator[pa.RecordBatch]:
        for file, parquet in zip(files, opened, strict=True):
            try:
                yield from parquet.iter_batches(size, columns=list(columns))
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(file, error) from None

    return Table(sum(parquet.metadata.num_rows for parquet in opened), features[0], batches)


def _open(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from None


def _features(file: Path, parquet: pq.ParquetFile) -> dict[str, Any]:
    import datasets

    try:
        return dict(datasets.Features.from_arrow_schema(parquet.schema_arrow))
    except Exception as error:  # metadata may be written by any program, and wrong in any way
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> UomhError:
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    return UomhError(f"cannot read {str(file)!r}: {reason}")
