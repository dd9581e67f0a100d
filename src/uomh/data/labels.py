"""Labels of any kind as class numbers: one rule for every source of data and for ``uomh.verify``.

A label is a whole number, a number, a truth value or text. It is missing where it is None, NaN,
pandas' NA or NaT, empty text, or text as Python writes a missing value (``nan``, ``<NA>``); and
where it is -1 beside class numbers 0, 1, ..., the mark of unlabelled rows on the Hub and in
scikit-learn. (Labels -1 and 1 alone are two classes.) Callers leave rows without a label out, and
say how many there are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.errors import UomhError

UNLABELLED = -1
"""the class number of a row without a label"""
MISSING_TEXT = frozenset(["", "nan", "NaN", "NaT", "<NA>"])
LARGEST_WHOLE = 2.0**53
"""from here on a float may stand for several whole numbers, and is not taken for one"""

WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}|(0|-?[1-9][0-9]{0,14})\.0+")
"""a whole number as it is usually written; ``007`` is taken as a name, whose zeros are kept"""

Ints = NDArray[np.int64]
Key = bool | int | float | str


@dataclass(frozen=True)
class Numbering:
    """Which label has which class number.

    Attributes:
        classes: names of the classes, in the order of their numbers.
        number: class number of each label.
    """

    classes: tuple[str, ...]
    number: Mapping[Key, int]

    @classmethod
    def of(cls, values: Any, where: str, names: Sequence[Any] | None = None) -> Numbering:
        """The numbering of these labels.

        Args:
            values: (n,) or (n, 1) labels: an array, list, tensor or column.
            where: their name in errors.
            names: names of the classes 0, 1, ...; the labels are then such numbers, or the names.
                By default the distinct labels are the classes, numbers by size, text by alphabet.

        Raises:
            UomhError: they are not labels, two classes have one name, or there is no label at all.
        """
        if names is not None:
            classes = tuple(map(str, names))
            if len(set(classes)) < len(classes):
                twice = next(name for name in classes if classes.count(name) > 1)
                raise UomhError(f"{where}: two classes are called {twice!r}; rename one")
            by_name: dict[Key, int] = {name: i for i, name in enumerate(classes)}
            numbering = cls(classes, by_name | {i: i for i in range(len(classes))})
            numbering(values, where)
            return numbering
        found = _distinct(values, where)
        if not found:
            raise UomhError(f"{where} holds no label at all, only missing ones; leave it out")
        return cls(tuple(map(str, found)), {key: i for i, key in enumerate(found)})

    def __call__(self, values: Any, where: str) -> Ints:
        """Class numbers (n,) of labels, `UNLABELLED` where one is missing.

        Raises:
            UomhError: they are not labels, or one is of no class.
        """
        keys, group = _keys(values, where)
        numbers = np.empty(len(keys), dtype=np.int64)
        for i, key in enumerate(keys):
            if key is None or (key == -1 and self._marks_missing()):
                numbers[i] = UNLABELLED
            elif key in self.number:
                numbers[i] = self.number[key]
            else:
                raise UomhError(
                    f"{where} has the label {key!r}, which is none of the {len(self.classes)} "
                    f"classes ({_shown(self.classes)}); mend it, or name its class"
                )
        return numbers[group]

    def _marks_missing(self) -> bool:
        return -1 not in self.number


def _distinct(values: Any, where: str) -> list[Key]:
    """The labels that are there, in the order of their numbers."""
    keys = [key for key in _keys(values, where)[0] if key is not None]
    kinds = {isinstance(key, str) for key in keys}
    if len(kinds) == 2:
        raise UomhError(f"{where} mixes text and numbers; write all labels in one way")
    if -1 in keys and 0 in keys and min(key for key in keys if not isinstance(key, str)) == -1:
        keys.remove(-1)
    texts = [key for key in keys if isinstance(key, str)]
    if texts and all(_is_number(text) for text in texts):
        texts.sort(key=lambda text: (float(text), text))
        return list(texts)
    return sorted(keys)


def _keys(values: Any, where: str) -> tuple[list[Key | None], Ints]:
    """Distinct labels, None for missing ones, and which of them each row has."""
    array = _array(values, where)
    if array.dtype.kind in "biu":
        found, group = np.unique(array, return_inverse=True)
        return found.tolist(), group
    number: dict[Key | None, int] = {}
    rows = np.empty(len(array), dtype=np.int64)
    for row, value in enumerate(array.tolist() if array.dtype.kind in "fUS" else array):
        key = _key(value, where, row)
        rows[row] = number.setdefault(key, len(number))
    return list(number), rows


def _array(values: Any, where: str) -> NDArray[Any]:
    if isinstance(values, np.ma.MaskedArray):
        raise UomhError(f"{where} is a masked array; give plain labels, NaN or None where missing")
    if hasattr(values, "toarray"):
        raise UomhError(f"{where} is sparse; use .toarray()")
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        array = np.asarray(values)
        if array.dtype.kind in "US" and isinstance(values, list | tuple):
            array = np.asarray(values, dtype=object)  # numpy had turned numbers and NaN into text
    except (TypeError, ValueError):
        raise UomhError(f"{where} must hold one label a point, not lists of several") from None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = "; of one-hot rows take y.argmax(1)" if array.ndim == 2 else ""
        raise UomhError(f"{where} must hold one label a point; its shape is {array.shape}{hint}")
    if array.dtype.kind in "mM":
        return np.where(np.isnat(array), "", array.astype(str))
    if array.dtype.kind not in "biufUSO":
        raise UomhError(f"{where} must hold numbers or text; it is {array.dtype}")
    return array


def _key(value: Any, where: str, row: int) -> Key | None:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise UomhError(f"{where} has a label that is no text, in row {row}") from None
    if isinstance(value, str):
        return None if value in MISSING_TEXT else value
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            raise UomhError(f"{where} has an infinite label in row {row}; repair or remove it")
        return int(value) if value.is_integer() and abs(value) < LARGEST_WHOLE else value
    raise UomhError(
        f"{where} has a label of type {type(value).__name__} in row {row}; "
        "a label is one number or one text"
    )


def labels_of_texts(texts: Sequence[str]) -> list[Key | None]:
    """Labels written in a file: whole numbers where all that are not missing are written as such.

    >>> labels_of_texts(["2", "10", "", "-1.0"]), labels_of_texts(["02", "10"])
    ([2, 10, None, -1], ['02', '10'])
    """
    present = {text for text in texts if text not in MISSING_TEXT}
    if not all(WHOLE.fullmatch(text) for text in present):
        return [None if text in MISSING_TEXT else text for text in texts]
    number = {text: int(text.partition(".")[0]) for text in present}
    return [number.get(text) for text in texts]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _shown(classes: Sequence[str]) -> str:
    shown = ", ".join(map(repr, classes[:5]))
    return shown + (", ..." if len(classes) > 5 else "")
