"""Tables of the Hub and of parquet files: which column holds the points, which the labels.

A table is read batch by batch, as Arrow reads it. Points are a column of images, or of lists of
floats of one length, which are vectors. Columns are found by their type; settings name others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from uomh.data.cache import Array, Block, Ints, Rows, Source
from uomh.data.decode import FileReading
from uomh.data.labels import UNLABELLED, Numbering
from uomh.data.layout import NAMES, arranged, known_classes, some
from uomh.data.pictures import BLOCK, Encoded, Pictures
from uomh.errors import UomhError

PREFERRED_LABELS = ("label", "fine_label", "labels")
BLOCKS = 256
"""times as many rows are read at once where they are vectors or labels, which are small"""
NO_LABELS = 'data.label_column="" for none'


@dataclass(frozen=True)
class Table:
    """The rows of one split.

    Attributes:
        n: how many.
        features: type of each column, as `datasets` describes it.
        batches: of names of columns and a number: yields the rows in order, as these columns of at
            most so many rows.
    """

    n: int
    features: Mapping[str, Any]
    batches: Callable[[Sequence[str], int], Iterator[pa.RecordBatch | pa.Table]]

    def column(self, name: str) -> list[Any]:
        """All cells of a column."""
        batches = self.batches([name], BLOCKS * BLOCK)
        return [cell for batch in batches for cell in batch.column(name).to_pylist()]


def source_of(
    tables: Mapping[str, Table], where: str, how: FileReading, notes: list[str]
) -> Source:
    """A source of tables.

    Args:
        tables: by split: ``train``, and maybe ``valid`` and ``test``.
        where: their name in errors.
        how: how cells are read, and columns that the user named.
        notes: sentences so far.

    Raises:
        UomhError: there are no points, a column is not what it should be, or a split has a class
            that the training split lacks.
    """
    features = tables["train"].features
    point = _point_column(features, where, how.point_column, notes)
    label = _label_column(features, where, how.label_column, point, notes)
    for split, table in tables.items():
        for column in (point, label):
            if column is not None and table.features.get(column) != features[column]:
                raise UomhError(
                    f"{where}: column {column!r} of the {NAMES[split]} split is not as in the "
                    "training split; bring both to one type, with the same class names"
                )
    classes: tuple[str, ...] = ()
    labels: dict[str, Ints | None] = dict.fromkeys(tables)
    if label is not None:
        classes, numbers = _numbers(tables, label, where, notes)
        labels = dict(numbers)
    pictures = Pictures(how, where, notes) if _is_image(features[point]) else None
    if pictures is None and how.resize is not None:
        raise UomhError(f"data.resize means nothing for {where}, whose points are vectors")
    vectors = _Vectors(f"{where}: column {point!r}")

    def rows(table: Table, y: Ints | None, name: str) -> Rows:
        def blocks() -> Iterator[Block]:
            if pictures is None:
                return vectors.blocks(table, point, y)
            return pictures.blocks(name, _images(table, point, y, f"of the {name} rows of {where}"))

        return Rows(table.n, blocks)

    by_split = {split: rows(tables[split], y, NAMES[split]) for split, y in labels.items()}
    levels = None if pictures is None else 256
    return Source(*arranged(by_split, notes), classes, levels, notes)


def _point_column(
    features: Mapping[str, Any], where: str, wanted: str | None, notes: list[str]
) -> str:
    columns = ", ".join(features)
    images = [name for name, kind in features.items() if _is_image(kind) and not _is_bytes(kind)]
    vectors = [name for name, kind in features.items() if _is_vector(kind)]
    other = [name for name, kind in features.items() if _is_bytes(kind)]
    if wanted is not None:
        if wanted not in features:
            raise UomhError(f"{where} has no column {wanted!r}; its columns: {columns}")
        if wanted not in images + vectors + other:
            raise UomhError(f"{where}: column {wanted!r} holds neither images nor lists of floats")
        return wanted
    found = images or vectors or other
    if not found:
        raise UomhError(
            f"{where} has no image column and none of lists of floats; its columns: {columns}"
        )
    if len(found) > 1:
        notes.append(
            f"points are column {found[0]!r}; data.point_column chooses another ({some(found[1:])})"
        )
    return found[0]


def _label_column(
    features: Mapping[str, Any], where: str, wanted: str | None, point: str, notes: list[str]
) -> str | None:
    if wanted == "":
        return None
    if wanted is not None:
        if wanted not in features:
            raise UomhError(
                f"{where} has no label column {wanted!r}; its columns: {', '.join(features)}"
            )
        if wanted == point:
            raise UomhError(f"{where}: column {wanted!r} holds the points, not labels")
        found = [wanted]
    else:
        named = [name for name, kind in features.items() if getattr(kind, "names", None)]
        preferred = [name for name in PREFERRED_LABELS if name in features]
        found = [name for name in dict.fromkeys([*preferred, *named]) if name != point]
    plain = [name for name in found if _is_plain(features[name])]
    if found and not plain:
        raise UomhError(
            f"{where}: column {found[0]!r} holds {_kind(features[found[0]])}, not one label a row; "
            f"name another by data.label_column, or give {NO_LABELS}"
        )
    if len(plain) > 1:
        notes.append(
            f"labels are column {plain[0]!r}; data.label_column chooses another ({some(plain[1:])})"
        )
    return next(iter(plain), None)


def _is_image(kind: Any) -> bool:
    """Whether cells are encoded images: as the Hub writes them, bytes and a path, or bytes."""
    if isinstance(kind, dict):
        return _is_bytes(kind.get("bytes"))
    return type(kind).__name__ == "Image" or _is_bytes(kind)


def _is_bytes(kind: Any) -> bool:
    return getattr(kind, "dtype", None) in ("binary", "large_binary")


def _is_vector(kind: Any) -> bool:
    inner = getattr(kind, "feature", None)
    return str(getattr(inner, "dtype", "")).startswith("float")


def _is_plain(kind: Any) -> bool:
    return type(kind).__name__ in ("Value", "ClassLabel") and not _is_image(kind)


def _kind(kind: Any) -> str:
    if _is_image(kind):
        return "images"
    return "lists" if hasattr(kind, "feature") else "several values a row"


def _numbers(
    tables: Mapping[str, Table], label: str, where: str, notes: list[str]
) -> tuple[tuple[str, ...], dict[str, Ints | None]]:
    """Class names, and class numbers of each split that has any."""
    cells = {split: table.column(label) for split, table in tables.items()}
    named = f"{where}: column {label!r}"
    numbering = Numbering.of(
        cells["train"], named, getattr(tables["train"].features[label], "names", None)
    )
    numbers: dict[str, Ints | None] = {}
    present: set[int] = set()
    for split in sorted(tables, key=lambda split: split != "train"):
        y = numbering(cells[split], named)
        found = set(np.unique(y).tolist()) - {UNLABELLED}
        if split == "train":
            present = found
            if not found:
                raise UomhError(f"{named} holds no label at all, only missing ones; {NO_LABELS}")
        elif not found and len(y):
            notes.append(f"the {NAMES[split]} split has no labels and is left out")
            continue
        names = [numbering.classes[number] for number in sorted(found)]
        known_classes(names, [numbering.classes[i] for i in sorted(present)], split, where)
        numbers[split] = y
    return numbering.classes, numbers


def _images(
    table: Table, point: str, labels: Ints | None, place: str
) -> Iterator[tuple[list[Encoded], Ints | None]]:
    start = 0
    for batch in table.batches([point], BLOCK):
        cells = batch.column(point).to_pylist()
        rows = slice(start, start + len(cells))
        images = [_encoded(cell, f"in row {start + i} {place}") for i, cell in enumerate(cells)]
        yield images, None if labels is None else labels[rows]
        start = rows.stop


def _encoded(cell: Any, place: str) -> Encoded:
    """The image in a cell, which holds bytes, a dict of bytes and path, or None."""
    if not isinstance(cell, dict):
        return Encoded(place, cell)
    content, path = cell["bytes"], cell.get("path")
    name = f"{path} ({place})" if path else place
    if content is None and path:
        content = Path(path)
    return Encoded(name, content)


class _Vectors:
    """Lists of floats as vectors, which have one length in all splits."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.length: int | None = None

    def blocks(self, table: Table, point: str, labels: Ints | None) -> Iterator[Block]:
        start = 0
        for batch in table.batches([point], BLOCKS * BLOCK):
            x = self._block(batch.column(point), start)
            rows = np.arange(start, start + len(x))
            yield Block(x, None if labels is None else labels[rows], rows)
            start += len(x)

    def _block(self, column: Any, start: int) -> Array:
        """A column as (n, D) floats.

        Raises:
            UomhError: a list is missing, of another length, or holds what is no finite number.
        """
        lists = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        lengths = pc.list_value_length(lists).to_pylist()
        if self.length is None:
            self.length = next((length for length in lengths if length is not None), None)
        for row, length in enumerate(lengths, start):
            if not length:
                raise UomhError(f"{self.where} has no numbers in row {row}; remove such rows")
            if length != self.length:
                raise UomhError(
                    f"{self.where} has {length} numbers in row {row} and {self.length} in the rows "
                    "before it; vectors have one length"
                )
        x: Array = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lengths), -1)
        if x.dtype == np.float16:
            x = x.astype(np.float32)
        finite = np.isfinite(x).all(axis=1)
        if not finite.all():
            row = start + int(np.flatnonzero(~finite)[0])
            raise UomhError(
                f"{self.where} holds NaN, infinity or nothing in row {row}; remove such rows"
            )
        return x
