"""Where data come from: scikit-learn's digits, arrays, the Hub, folders in the Hub's layout.

Each function returns a `Source`: rows that are read and decoded block by block when asked for.
"""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from uomh.data.cache import Array, Block, Rows, Source
from uomh.data.manifolds import MANIFOLDS
from uomh.errors import UomhError, unknown

IMAGE_ENDINGS = frozenset(
    [".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"]
)
BLOCK = 1024


def digits() -> Source:
    """The digits inside scikit-learn: 8x8 images of 17 grey levels."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    return Source(Rows.of(images, bunch.target), None, tuple(map(str, range(10))), levels=17)


def manifold(name: str, n: int) -> Source:
    """Points on a manifold of known dimension; a union has its groups as classes."""
    known = MANIFOLDS.get(name)
    if known is None:
        raise unknown("manifold", name, MANIFOLDS)
    points, groups = known.sample(n)
    classes = tuple(f"{i}: {d}-dimensional" for i, d in enumerate(known.dimensions))
    labels = groups if len(classes) > 1 else None
    rows = Rows.of(points, labels)
    return Source(rows, None, classes if labels is not None else (), levels=None)


def hub(
    name: str, configuration: str | None, resize: int | None, label_column: str | None
) -> Source:
    """A data set on the Hub, ``ORG/NAME`` or ``ORG/NAME@REVISION``."""
    repository, _, revision = name.partition("@")
    tables = _load(repository, configuration, revision=revision or None)
    return _columns(tables, repository, resize, label_column)


@contextmanager
def folder(path: Path, resize: int | None, label_column: str | None) -> Iterator[Source]:
    """A folder of parquet files in the Hub's layout, or of images in class folders."""
    files = [file for file in path.rglob("*") if file.is_file()]
    if any(file.suffix == ".parquet" for file in files):
        options: dict[str, Any] = {}
        name = str(path.resolve())
    elif any(file.suffix.lower() in IMAGE_ENDINGS for file in files):
        for inner in path.rglob("*"):
            if inner.is_dir() and not any(inner.iterdir()):
                raise UomhError(f"class folder {str(inner)!r} is empty; fill it or remove it")
        options = {"data_dir": str(path.resolve())}
        name = "imagefolder"
    else:
        raise UomhError(f"folder {str(path)!r} holds neither parquet files nor images")
    # The decoded copy is cached by us; a second, undecoded one would only fill the disk.
    with tempfile.TemporaryDirectory(prefix="uomh-") as scratch:
        tables = _load(name, cache_dir=scratch, **options)
        yield _columns(tables, str(path), resize, label_column)


def _load(name: str, configuration: str | None = None, **options: Any) -> Any:
    import datasets

    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return datasets.load_dataset(name, configuration, **options)
    except Exception as error:  # the library raises whatever its file systems and parsers raise
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UomhError(
            f"cannot load the data set {name!r}: {reason}; without a network, put it as parquet "
            "files or class folders into a folder of its name below --data-root"
        ) from None


def _columns(tables: Any, where: str, resize: int | None, label_column: str | None) -> Source:
    """Find the splits, the image column and the label column, whatever they are called."""
    import datasets

    train = _first(tables, ("train",))
    if train is None:
        raise UomhError(f"{where} has no split 'train'; it has: {', '.join(tables)}")
    test = _first(tables, ("test", "validation", "valid", "val"))
    features = train.features
    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    if not images:
        raise UomhError(f"{where} has no image column; its columns: {', '.join(features)}")
    labelled = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    if label_column is not None and label_column not in features:
        raise UomhError(
            f"{where} has no label column {label_column!r}; its columns: {', '.join(features)}"
        )
    preferred = [name for name in ("label", "fine_label", "labels") if name in features]
    label = label_column or next(iter([*preferred, *labelled]), None)
    classes, number = _classes(train, label)

    def rows(table: Any) -> Rows:
        return _image_rows(table, images[0], label, number, where, resize)

    return Source(rows(train), rows(test) if test is not None else None, classes, levels=256)


def _first(tables: Any, names: tuple[str, ...]) -> Any | None:
    return next((tables[name] for name in names if name in tables), None)


def _classes(table: Any, label: str | None) -> tuple[tuple[str, ...], Callable[[Any], int]]:
    """Class names and the function from a cell of the label column to a class number."""
    if label is None:
        return (), int
    names = getattr(table.features[label], "names", None)
    if names is not None:
        return tuple(names), int
    values = sorted(set(table[label]))
    number = {value: index for index, value in enumerate(values)}
    return tuple(map(str, values)), number.__getitem__


def _image_rows(
    table: Any,
    image: str,
    label: str | None,
    number: Callable[[Any], int],
    where: str,
    resize: int | None,
) -> Rows:
    import datasets

    table = table.cast_column(image, datasets.Image(decode=False))
    table = table.select_columns([image] if label is None else [image, label])

    def blocks() -> Iterator[Block]:
        expected: tuple[int, ...] | None = None
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(table), BLOCK):
                cells = table[start : start + BLOCK]
                names = [
                    cell["path"] or f"row {start + i} of {where}"
                    for i, cell in enumerate(cells[image])
                ]
                decoded = list(pool.map(_decode, cells[image], names, [resize] * len(names)))
                for array, name in zip(decoded, names, strict=True):
                    expected = expected or array.shape
                    if array.shape != expected:
                        raise _unequal(array.shape, expected, name, where)
                labels = None
                if label is not None:
                    labels = np.array([number(cell) for cell in cells[label]], dtype=np.int64)
                yield Block(np.stack(decoded), labels)

    return Rows(len(table), blocks)


def _decode(cell: dict[str, Any], name: str, resize: int | None) -> Array:
    try:
        content = cell["bytes"] or Path(cell["path"]).read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            image = opened.convert("L" if opened.mode in ("1", "L", "LA") else "RGB")
    except (OSError, SyntaxError, TypeError, ValueError):
        raise UomhError(f"cannot decode the image {name}; repair or remove it") from None
    if resize is not None:
        image = image.resize((resize, resize), Image.Resampling.BICUBIC)
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _unequal(shape: tuple[int, ...], expected: tuple[int, ...], name: str, where: str) -> UomhError:
    if shape[0] != expected[0]:
        return UomhError(
            f"{where} mixes images of one channel and of three: {name} has {shape[0]}, the ones "
            f"before it {expected[0]}; convert them to one kind"
        )
    return UomhError(
        f"{where} holds images of unequal size: {name} is {shape[2]}x{shape[1]}, the ones before "
        f"it {expected[2]}x{expected[1]}; give --resize S to bring all to S x S"
    )
