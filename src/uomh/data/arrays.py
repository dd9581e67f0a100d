"""Arrays in files: ``.npz`` with points and maybe labels, test points and class names; ``.npy``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.data.cache import Array, Source
from uomh.data.labels import Numbering
from uomh.data.points import MOST_LEVELS, reading
from uomh.errors import UomhError

ROLES = {
    "x": (
        *("x", "x_train", "train_x", "data", "images", "train_images", "train_data"),
        *("features", "embeddings", "arr_0"),
    ),
    "y": (
        *("y", "y_train", "train_y", "label", "labels", "target", "targets", "train_labels"),
        "arr_1",
    ),
    "x_test": ("x_test", "test_x", "test_images", "test_data"),
    "y_test": ("y_test", "test_y", "test_labels"),
    "classes": ("classes", "class_names", "target_names"),
    "levels": ("levels",),
}
"""the names, in upper or lower case, by which an array of a file is known for what it is"""


def arrays(path: Path) -> Source:
    """An ``.npz`` file: points, and maybe labels, test points and labels, classes, levels.

    Points are vectors (N, D) or images (N, H, W), (N, H, W, C), (N, C, H, W), of values as
    `uomh.data.points` says. Labels are numbers or text, (N,) or (N, 1); see `uomh.data.labels`.

    Raises:
        UomhError: the file cannot be read, two arrays have one role, or they do not fit together.
    """
    found, unused = _read_npz(path)
    named = {role: f"{path.name}: {key}" for role, (key, _) in found.items()}
    values = {role: value for role, (_, value) in found.items()}
    for role, other in (("y", "x"), ("x_test", "x"), ("y_test", "x_test"), ("classes", "y")):
        if role in found and other not in found:
            raise UomhError(f"{named[role]} is there without an array {other!r}; add or remove one")
    for x, y in (("x", "y"), ("x_test", "y_test")):
        if y in values and values[y].shape[:1] != values[x].shape[:1]:
            raise UomhError(
                f"{named[y]} has shape {values[y].shape}, {named[x]} {values[x].shape}; "
                "give one label a point"
            )
    if "x_test" in values and ("y" in values) != ("y_test" in values):
        lacks = "test" if "y" in values else "training"
        raise UomhError(f"{path.name} has no labels of its {lacks} points; add or remove labels")
    levels = _levels(values["levels"], named["levels"]) if "levels" in values else None
    points = {named[role]: values[role] for role in ("x", "x_test") if role in values}
    read = reading(points, levels)
    notes = read.notes
    if unused:
        notes.append(f"{path.name}: arrays not used: {', '.join(unused)}")
    labels: dict[str, NDArray[np.int64]] = {}
    classes: tuple[str, ...] = ()
    if "y" in values:
        names = _classes(values["classes"], named["classes"]) if "classes" in values else None
        numbering = Numbering.of(values["y"], named["y"], names)
        labels = {y: numbering(values[y], named[y]) for y in ("y", "y_test") if y in values}
        classes = numbering.classes
    train = read.rows(named["x"], labels.get("y"))
    test = read.rows(named["x_test"], labels.get("y_test")) if "x_test" in values else None
    return Source(train, test, classes, read.levels, notes)


def array(path: Path) -> Source:
    """An ``.npy`` file of points without labels, read as the points of `arrays`.

    Raises:
        UomhError: the file cannot be read, or does not hold points.
    """
    read = reading({path.name: load_array(path)})
    return Source(read.rows(path.name, None), None, (), read.levels, read.notes)


def _read_npz(path: Path) -> tuple[dict[str, tuple[str, Array]], list[str]]:
    """The key and the array of each role, and the keys that have none."""
    found = {}
    with _opened(path) as file:
        keys = {
            role: [key for key in file.files if key.lower() in known]
            for role, known in ROLES.items()
        }
        for several in keys.values():
            if len(several) > 1:
                raise UomhError(
                    f"{str(path)!r} has the arrays {' and '.join(several)}; which is meant? "
                    "Keep one, or call them x, y, x_test, y_test"
                )
        used = [key for several in keys.values() for key in several]
        unused = [key for key in file.files if key not in used]
        if not keys["x"] or any(key.startswith("arr_") for key in unused):
            raise UomhError(
                f"{str(path)!r} has the arrays {', '.join(file.files) or '(none)'}; "
                "call the points x, and what else there is y, x_test, y_test, classes, levels"
            )
        for role, several in keys.items():
            for key in several:
                try:
                    found[role] = (key, np.asarray(file[key]))
                except Exception as error:  # damaged files raise errors of any type
                    raise _unreadable(path, f"array {key!r} of ", error) from None
    return found, unused


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        try:
            # Opened here, to be closed in any case: numpy leaves a file open that is no archive.
            file = np.load(stack.enter_context(path.open("rb")), allow_pickle=False)
        except Exception as error:  # damaged files raise errors of any type
            raise _unreadable(path, "", error) from None
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise UomhError(f"{str(path)!r} is one array, not a file of arrays; call it .npy")
        yield stack.enter_context(file)


def load_array(path: Path) -> Array:
    """The array of an ``.npy`` file, memory-mapped; pickled objects may run code and are refused.

    Raises:
        UomhError: the file cannot be read as one.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # damaged files raise errors of any type
        raise _unreadable(path, "", error) from None


def _unreadable(path: Path, what: str, error: Exception) -> UomhError:
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    if "pickle" in reason or "Python objects" in reason:
        return UomhError(
            f"cannot read {what}{str(path)!r}: it holds Python objects, which are never unpickled; "
            "save numbers, or text as y.astype(str)"
        )
    return UomhError(f"cannot read {what}{str(path)!r}, it may be damaged: {reason}")


def _classes(value: Array, where: str) -> list[str]:
    if value.ndim != 1:
        raise UomhError(f"{where} should be a list of names; its shape is {value.shape}")
    return value.astype(str).tolist()  # type: ignore[no-any-return]


def _levels(value: Array, where: str) -> int:
    number: float = value.item() if value.size == 1 and value.dtype.kind in "iuf" else 0
    if number not in range(2, MOST_LEVELS + 1):
        raise UomhError(f"{where} should be one whole number from 2 to {MOST_LEVELS}")
    return int(number)
