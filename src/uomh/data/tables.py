"""A table of numbers in a ``.csv`` file, with a header line and a column of labels, or without."""

from __future__ import annotations

import csv
from array import array as compact
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from uomh.data.cache import Source
from uomh.data.labels import MISSING_TEXT, Numbering, labels_of_texts
from uomh.data.points import WHOLE_LIMIT, reading
from uomh.errors import UomhError

LABEL_COLUMNS = frozenset(["label", "labels", "class", "target", "y"])
"""names, in any case, of a column that holds labels"""
SEPARATORS = ",;\t"

Line = tuple[int, list[str]]


def table(path: Path, label_column: str | None = None) -> Source:
    """A ``.csv`` file: one point a line, separated by commas, semicolons or tabs.

    Args:
        path: of the file, in UTF-8.
        label_column: name of the column of labels; by default the one called label, labels, class,
            target or y, if there is one.

    Raises:
        UomhError: the file cannot be read, a cell is no number, or it is not clear what is meant.
    """
    lines = _filled(path)
    first = next(lines, None)
    if first is None:
        raise UomhError(f"{str(path)!r} is empty")
    header = _header(first[1], path)
    label = _label_place(header, label_column, path)
    width = len(first[1])
    values, texts, numbers = compact("d"), [], []
    for number, cells in lines if header else _with(first, lines):
        if len(cells) != width:
            raise UomhError(
                f"{path.name}: line {number} has {len(cells)} cells, the first line {width}; "
                "give every line the same columns"
            )
        if label is not None:
            texts.append(cells.pop(label))
        try:
            values.extend(map(float, cells))
        except ValueError:
            raise _no_number(cells, header, label, number, path) from None
        numbers.append(number)
    columns = width - (label is not None)
    if not columns or not numbers:
        raise UomhError(f"{path.name} holds no {'points' if columns else 'column of numbers'}")
    x = np.frombuffer(values, dtype=np.float64).reshape(len(numbers), columns)
    if not np.isfinite(x).all():
        line = numbers[int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])]
        raise UomhError(f"{path.name}: line {line} holds NaN or infinity; repair or remove it")
    if (np.abs(x) >= WHOLE_LIMIT).any():
        line = numbers[int(np.flatnonzero((np.abs(x) >= WHOLE_LIMIT).any(axis=1))[0])]
        _refuse_rounded(path, line, label)
    points = reading({path.name: x})
    if label is None:
        return Source(points.rows(path.name, None), None, (), None)
    where = f"{path.name}: column {header[label]!r}"
    labels = labels_of_texts(texts)
    numbering = Numbering.of(labels, where)
    y = numbering(labels, where)
    return Source(points.rows(path.name, y), None, numbering.classes, None)


def csv_rows(path: Path) -> Iterator[Line]:
    """The number and the cells of each line of a text file, blank ones too.

    Raises:
        UomhError: the file cannot be read, or is no text in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = next((line for line in file if line.strip()), "")
            file.seek(0)
            separator = max(SEPARATORS, key=start.count)
            lines = csv.reader(file, delimiter=separator, strict=True)
            for cells in lines:
                yield lines.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise UomhError(f"cannot read {str(path)!r}: {reason}") from None


def _filled(path: Path) -> Iterator[Line]:
    """Lines that are not blank, with the blanks around cells removed."""
    for number, row in csv_rows(path):
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield number, cells


def _with(first: Line, others: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from others


def _header(cells: list[str], path: Path) -> list[str]:
    """Names of the columns; none where the first line is a point already."""
    numbers = [cell for cell in cells if _is_number(cell)]
    counted = [str(i) for i in range(len(numbers))]
    if len(numbers) == len(cells) and (len(cells) == 1 or numbers != counted):
        return []
    if numbers and numbers != counted:  # pandas calls the columns of an array 0, 1, 2, ...
        raise UomhError(
            f"{path.name}: the first line holds both names and numbers; add a line with the names "
            "of the columns"
        )
    if "" in cells:
        raise UomhError(
            f"{path.name}: column {cells.index('') + 1} has no name, as a column of row numbers; "
            "remove it (pandas: to_csv(..., index=False)), or name it"
        )
    return [cells[0].removeprefix("#").strip(), *cells[1:]]


def _label_place(header: list[str], wanted: str | None, path: Path) -> int | None:
    if wanted is not None:
        places = [i for i, name in enumerate(header) if name == wanted]
        if not places:
            known = f"its columns: {', '.join(header)}" if header else "it has no line of names"
            raise UomhError(f"{path.name} has no label column {wanted!r}; {known}")
    else:
        places = [i for i, name in enumerate(header) if name.lower() in LABEL_COLUMNS]
    if len(places) > 1:
        names = " and ".join(header[place] for place in places)
        raise UomhError(
            f"{path.name} may have its labels in {names}; choose with data.label_column, and "
            "remove or rename the other"
        )
    return places[0] if places else None


def _no_number(
    cells: list[str], header: list[str], label: int | None, line: int, path: Path
) -> UomhError:
    names = [name for i, name in enumerate(header) if i != label]
    place = next(i for i, cell in enumerate(cells) if not _is_number(cell))
    column = repr(names[place]) if names else str(place + 1)
    if cells[place] in MISSING_TEXT:
        return UomhError(
            f"{path.name}: column {column} has no number in line {line}; fill it in, or remove it"
        )
    return UomhError(
        f"{path.name}: column {column} holds {cells[place]!r} in line {line}, which is no number; "
        "remove the column, or name it as the labels with data.label_column"
    )


def _refuse_rounded(path: Path, since: int, label: int | None) -> None:
    """Raise where a whole number is written that float64 would round."""
    for number, cells in _filled(path):
        if number < since:
            continue
        for place, cell in enumerate(cells):
            if place == label:
                continue
            with suppress(ValueError):
                whole = int(cell)
                if float(whole) != whole:
                    raise UomhError(
                        f"{path.name}: line {number} holds {cell}, which float64 would round; "
                        "subtract a common number first, or remove the column"
                    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
