"""Files of a folder in a fixed order, and the splits that names of folders and files stand for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from uomh.data.cache import Block, Rows
from uomh.errors import UomhError
from uomh.text import counted as counted

SPLITS = {
    "train": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "test": "test",
}
"""which split a folder or a parquet file of this name is"""
NAMES = {"train": "training", "valid": "validation", "test": "test"}
"""what notes and errors call the splits"""


def listed(folder: Path) -> list[Path]:
    """All files below a folder, sorted. Links are followed, pipes and hidden files left out.

    Raises:
        UomhError: a folder cannot be read, or is a link to one that holds it.
    """
    return sorted(_below(folder, frozenset()), key=lambda file: file.relative_to(folder).as_posix())


def _below(folder: Path, holders: frozenset[str]) -> list[Path]:
    place = os.path.realpath(folder)
    if place in holders:
        raise UomhError(f"folder {str(folder)!r} is a link to a folder that holds it; remove it")
    found: list[Path] = []
    for entry in shown(folder):
        if entry.is_dir():
            found += _below(entry, holders | {place})
        elif (
            entry.is_file() or entry.is_symlink()
        ):  # a broken link, too, so that reading it names it
            found.append(entry)
    return found


def shown(folder: Path) -> list[Path]:
    """What stands in a folder and is not hidden.

    Raises:
        UomhError: it cannot be read, or a name in it is no text.
    """
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError as error:
        raise UomhError(f"cannot read folder {str(folder)!r}: {error.strerror}") from None
    for name in names:
        if any("\ud800" <= letter <= "\udfff" for letter in name):  # bytes that are no UTF-8
            raise UomhError(f"the name {name!r} in {str(folder)!r} is no text; rename it")
    return [folder / name for name in names]


def state(path: Path) -> str:
    """What identifies a file or folder: its place and its files' names, sizes and times."""
    texts = [str(path.resolve())]
    for file in listed(path) if path.is_dir() else [path]:
        stat = file.stat() if file.exists() else file.lstat()  # of a broken link: its own
        texts.append(f"{file.relative_to(path)}:{stat.st_size}:{stat.st_mtime_ns}")
    return " ".join(texts)


def split_folders(names: Iterable[str]) -> dict[str, str] | None:
    """The split of each folder, where the folders are splits; None where they are not.

    They are where all are split names and ``train`` is among them: a class called ``test`` beside
    other classes is a class.

    >>> split_folders(["train", "test", "val"])
    {'train': 'train', 'test': 'test', 'val': 'valid'}
    >>> split_folders(["train", "bus"]), split_folders(["test", "valid"])
    (None, None)

    Raises:
        UomhError: two folders are one split.
    """
    folders = {name: SPLITS.get(name.lower(), "") for name in names}
    if "train" not in folders.values() or "" in folders.values():
        return None
    once_each(folders)
    return folders


def arranged(rows: Mapping[str, Rows], notes: list[str]) -> tuple[Rows, Rows | None]:
    """Training and test rows of a source that may have a validation split, too.

    The validation split serves as test split where there is no other. Elsewhere its rows join the
    training rows, of which ``data.valid_fraction`` is held out for validation.
    """
    train, test, valid = rows["train"], rows.get("test"), rows.get("valid")
    if valid is None:
        return train, test
    if test is None:
        notes.append("the validation split is the test split, as there is no other")
        return train, valid
    notes.append(
        f"the {counted(valid.n, 'row')} of the validation split joined to the training rows, of "
        "which data.valid_fraction is held out for validation"
    )

    def blocks() -> Iterator[Block]:
        yield from train.blocks()
        for x, y, at in valid.blocks():
            assert at is not None
            yield Block(x, y, at + train.n)

    return Rows(train.n + valid.n, blocks), test


def once_each(splits: dict[str, str]) -> None:
    """Check that no two folders are one split.

    Raises:
        UomhError: two are.
    """
    for split in splits.values():
        twins = [other for other in splits if splits[other] == split]
        if len(twins) > 1:
            raise UomhError(f"{' and '.join(map(repr, twins))} are one split; keep one of them")


def same_labelling(labelled: dict[str, bool], where: str) -> None:
    """Check that all splits have labels, or none.

    Raises:
        UomhError: some do and some do not.
    """
    if len(set(labelled.values())) == 2:
        with_labels, without = (
            next(split for split, has in labelled.items() if has is wanted)
            for wanted in (True, False)
        )
        raise UomhError(
            f"{where}: the {NAMES[with_labels]} split has class folders and the {NAMES[without]} "
            "split has none; give both or neither"
        )


def known_classes(present: Sequence[str], classes: Sequence[str], split: str, where: str) -> None:
    """Check that a split has no class that the training split lacks.

    Raises:
        UomhError: it has one.
    """
    for name in present:
        if name not in classes:
            raise UomhError(
                f"{where}: the {NAMES[split]} split has the class {name!r}, which no training row "
                "has; add such rows to the training split or remove the class"
            )


def some(names: list[str], shown: int = 3) -> str:
    """The first of many names.

    >>> some(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
