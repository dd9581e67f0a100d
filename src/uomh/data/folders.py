"""Folders of images in class folders, which may stand in folders of splits.

Every file has a place: images stand in class folders of one level, or all directly in the folder
of their split. An image elsewhere is refused by name; files that are no images are left out and
counted; hidden files are passed over. Names of files carry no meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uomh.data.cache import Block, Ints, Rows, Source
from uomh.data.decode import FileReading
from uomh.data.layout import (
    NAMES,
    arranged,
    counted,
    known_classes,
    listed,
    same_labelling,
    shown,
    some,
    split_folders,
)
from uomh.data.pictures import BLOCK, Encoded, Pictures
from uomh.errors import UomhError

IMAGE_ENDINGS = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".bmp",
        ".gif",
        ".webp",
        ".avif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
    ]
)


@dataclass(frozen=True)
class _Members:
    """Images of one split and the class of each, the name of its folder; None without such."""

    files: list[Path]
    classes: list[str] | None


def folder(path: Path, how: FileReading) -> Source:
    """A folder of images in class folders, or of parquet files in the Hub's layout.

    Raises:
        UomhError: it holds neither, or both; or what `image_folder` and `parquet_folder` raise.
    """
    files = listed(path)
    image = next((file for file in files if _is_image(file)), None)
    table = next((file for file in files if file.suffix.lower() == ".parquet"), None)
    if image is not None and table is not None:
        raise UomhError(
            f"folder {str(path)!r} holds images and parquet files, such as {str(image)!r} and "
            f"{str(table)!r}; give a folder of one kind"
        )
    if table is not None:
        from uomh.data.parquet import parquet_folder  # Arrow is slow to import

        return parquet_folder(path, how)
    if image is None:
        raise UomhError(f"folder {str(path)!r} holds neither parquet files nor images")
    return image_folder(path, how)


def image_folder(path: Path, how: FileReading) -> Source:
    """A folder of images.

    Raises:
        UomhError: an image stands where it has no clear class, a class folder is empty, or a split
            has classes that the training split lacks.
    """
    for name, column in (("label", how.label_column), ("point", how.point_column)):
        if column is not None:
            raise UomhError(
                f"data.{name}_column means nothing for {str(path)!r}, a folder of images; leave it "
                "out: the folders of images are their classes"
            )
    files = listed(path)
    images = [file for file in files if _is_image(file)]
    notes = []
    if others := [str(file.relative_to(path)) for file in files if not _is_image(file)]:
        notes.append(f"{counted(len(others), 'file')} of no image format left out: {some(others)}")
    folders = {entry.name: entry for entry in shown(path) if entry.is_dir()}
    splits = split_folders(sorted(folders))
    if splits is None:
        found = {"train": _members(path, images)}
    else:
        _none_beside(path, images, sorted(folders))
        found = {split: _members(folders[name], images) for name, split in splits.items()}
    same_labelling({split: m.classes is not None for split, m in found.items()}, str(path))
    classes = _ordered(found["train"].classes or [])
    pictures = Pictures(how, str(path), notes)

    rows = {}
    for split, members in found.items():
        known_classes(members.classes or [], classes, split, str(path))
        rows[split] = _rows(members, NAMES[split], classes, pictures)
    return Source(*arranged(rows, notes), tuple(classes), 256, notes)


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_ENDINGS


def _members(folder: Path, images: list[Path]) -> _Members:
    """The images of a split, whose classes are the folders in its folder."""
    inside = [file for file in images if file.is_relative_to(folder)]
    classes = sorted(entry.name for entry in shown(folder) if entry.is_dir())
    if not inside:
        raise UomhError(f"folder {str(folder)!r} holds no image; fill it or remove it")
    if not classes:
        return _Members(inside, None)
    _none_beside(folder, inside, classes)
    for file in inside:
        if len(file.relative_to(folder).parts) > 2:
            raise UomhError(
                f"{str(file)!r} is in a folder within a class folder, so its class is not clear; "
                f"move it up, or give the one folder in {str(folder)!r} that holds class folders"
            )
    labels = [file.parent.name for file in inside]
    for name in classes:
        if name not in set(labels):
            empty = str(folder / name)
            raise UomhError(f"class folder {empty!r} holds no image; fill it or remove it")
    return _Members(inside, labels)


def _none_beside(folder: Path, images: list[Path], folders: list[str]) -> None:
    for file in images:
        if file.parent == folder:
            raise UomhError(
                f"{str(file)!r} stands beside folders ({some(folders)}), so its class is not "
                "clear; move it into one of them, or remove it"
            )


def _ordered(names: list[str]) -> list[str]:
    """Classes in the order of labels of any source: numbers by size, other names by alphabet."""
    distinct = sorted(set(names))
    if all(name.isdecimal() for name in distinct):
        distinct.sort(key=int)
    return distinct


def _rows(members: _Members, split: str, classes: list[str], pictures: Pictures) -> Rows:
    number = {name: i for i, name in enumerate(classes)}
    labels: Ints | None = None
    if members.classes is not None:
        labels = np.array([number[name] for name in members.classes], dtype=np.int64)

    def blocks() -> Iterator[Block]:
        def batches() -> Iterator[tuple[list[Encoded], Ints | None]]:
            for start in range(0, len(members.files), BLOCK):
                part = slice(start, start + BLOCK)
                images = [Encoded(str(file), file) for file in members.files[part]]
                yield images, None if labels is None else labels[part]

        return pictures.blocks(split, batches())

    return Rows(len(members.files), blocks)
