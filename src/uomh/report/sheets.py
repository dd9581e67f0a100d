"""Sheets of small images beside a report: points of odd dimension, and nearest pairs.

A sheet is a PNG of cells of one size without lines between them. What stands in it is kept in its
text fields, so that it can be cut up again, and one that is of other points is noticed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from uomh.dimension.details import Details
from uomh.files import replacing

EXTREMES, PAIRS = "extremes.png", "pairs.png"
LARGEST = 64
"""pixels of a cell's longer side; larger images are made smaller"""
MOST = 1600
"""cells of a sheet; many groups have fewer each"""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Sheet:
    """Cells (rows, columns, H, W, 3), and the fingerprint of the points that they show."""

    cells: Pixels
    fingerprint: str

    def save(self, path: Path) -> None:
        """Write the sheet, whole or not at all."""
        rows, columns, height, width, _ = self.cells.shape
        info = PngInfo()
        info.add_text("fingerprint", self.fingerprint)
        info.add_text("cells", f"{rows} {columns}")
        joined = self.cells.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
        with replacing(path) as temporary:
            Image.fromarray(joined).save(temporary, format="PNG", pnginfo=info, optimize=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Sheet | None:
        """A sheet that `save` wrote; None where there is none, or it is damaged."""
        try:
            with Image.open(path) as image:
                text: dict[str, Any] = {**getattr(image, "text", {})}
                rows, columns = map(int, text["cells"].split())
                pixels = np.asarray(image.convert("RGB"))
            height, width = pixels.shape[0] // rows, pixels.shape[1] // columns
            cells = pixels.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
            return cls(cells, text["fingerprint"])
        except (OSError, KeyError, ValueError, SyntaxError, ZeroDivisionError):
            return None


Sheets = Mapping[str, Sheet | None]
"""sheets by the names of their files"""


def extremes_sheet(details: Details, images: Any, levels: int | None) -> Sheet | None:
    """A row for each group: its points of lowest dimension, then those of highest.

    Args:
        details: which points these are.
        images: (N, C, H, W) grey levels of all points, as an array or a tensor.
        levels: number of grey levels; None where the points are no images.

    Returns:
        The sheet, of an even number of columns; None where there is nothing to show.
    """
    groups = details.groups
    most = max((len(group.lowest) for group in groups), default=0)
    count = min(most, max(1, MOST // (2 * max(1, len(groups)))))
    rows = [
        [[point.row for point in end[:count]] for end in (group.lowest, group.highest)]
        for group in groups
    ]
    if levels is None or not count:
        return None
    padded = [_padded(low, count) + _padded(high, count) for low, high in rows]
    return Sheet(_cells(padded, images, levels), details.fingerprint)


def pairs_sheet(details: Details, images: Any, levels: int | None) -> Sheet | None:
    """A row for each of the nearest pairs; None where the points are no images."""
    if levels is None or not details.pairs:
        return None
    rows = [[pair.row, pair.other] for pair in details.pairs]
    return Sheet(_cells(rows, images, levels), details.fingerprint)


def sheets_of(details: Details, images: Any, levels: int | None) -> Sheets:
    """The sheets of a report by the names of their files, as the two functions above."""
    return {
        EXTREMES: extremes_sheet(details, images, levels),
        PAIRS: pairs_sheet(details, images, levels),
    }


def save_sheets(sheets: Sheets, folder: Path) -> None:
    """Write sheets into a folder; where one is None, that of before is gone."""
    for name, sheet in sheets.items():
        if sheet is None:
            (folder / name).unlink(missing_ok=True)
        else:
            sheet.save(folder / name)


def _padded(rows: list[int], count: int) -> list[int]:
    return rows + [-1] * (count - len(rows))


def _cells(rows: Sequence[Sequence[int]], images: Any, levels: int) -> Pixels:
    """Cells of the images in these rows; -1 stands for an empty one."""
    found = [[_cell(images, row, levels) for row in line] for line in rows]
    shape = next(cell.shape for line in found for cell in line if cell is not None)
    empty = np.zeros(shape, dtype=np.uint8)
    return np.array([[empty if cell is None else cell for cell in line] for line in found])


def _cell(images: Any, row: int, levels: int) -> Pixels | None:
    if row < 0:
        return None
    image = np.asarray(images[row]).astype(np.float64) * (255 / (levels - 1))
    pixels = np.rint(image).astype(np.uint8).transpose(1, 2, 0)
    pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3)) if pixels.shape[2] == 1 else pixels
    height, width = pixels.shape[:2]
    if max(height, width) > LARGEST:
        scale = LARGEST / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size))
    return np.asarray(pixels)
