"""Encoded images of a source, decoded in threads and brought to one shape, block by block."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uomh.data.cache import Block, Ints
from uomh.data.decode import BrokenImageError, FileReading, Levels, Picture, decode
from uomh.data.layout import counted, some
from uomh.errors import UomhError

BLOCK = 256
"""images that are decoded at once"""


class Encoded(NamedTuple):
    """An image before it is decoded: its name in errors, and its bytes or its file."""

    name: str
    content: bytes | Path | None


class Pictures:
    """The images of all splits of one source, which have one shape.

    Attributes:
        how: size, background, whether broken images are left out.
        where: the name of the source in errors.
        notes: gets a sentence on what was changed or left out when a split has been read.
    """

    def __init__(self, how: FileReading, where: str, notes: list[str]) -> None:
        self.how = how
        self.where = where
        self.notes = notes
        self.shape: tuple[int, ...] | None = None

    def blocks(
        self, split: str, batches: Iterable[tuple[list[Encoded], Ints | None]]
    ) -> Iterator[Block]:
        """Decoded blocks of a split.

        Args:
            split: name of the split in notes.
            batches: consecutive images and their class numbers.

        Raises:
            UomhError: an image cannot be decoded, or is unlike those before it.
        """
        done: Counter[str] = Counter()
        broken: list[str] = []
        brightest: list[int] = []
        start = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for images, y in batches:
                with warnings.catch_warnings():  # decoders warn of large sizes and odd metadata
                    warnings.simplefilter("ignore")
                    found = list(pool.map(self._decode, images))
                kept = [i for i, picture in enumerate(found) if picture is not None]
                broken += [images[i].name for i in range(len(images)) if found[i] is None]
                pictures = [picture for picture in found if picture is not None]
                for picture in pictures:
                    done.update(picture.changes)
                brightest += [p.brightest for p in pictures if p.brightest is not None]
                if pictures:
                    x = self._stacked(pictures, [images[i].name for i in kept])
                    yield Block(x, None if y is None else y[kept], start + np.array(kept))
                start += len(images)
        if brightest and max(brightest) < 256:
            raise UomhError(
                f"{self.where} holds 16-bit images of no value above {max(brightest)}, which would "
                "be black with 8 bits; save them as 8-bit images"
            )
        for what, count in done.items():
            self.notes.append(f"{counted(count, f'{split} image')} {what}")
        if broken:
            self.notes.append(
                f"{counted(len(broken), f'{split} image')} that cannot be decoded left out: "
                + some(broken)
            )

    def _decode(self, image: Encoded) -> Picture | None:
        try:
            return decode(image.content, image.name, self.how)
        except BrokenImageError:
            if self.how.skip_broken:
                return None
            raise

    def _stacked(self, pictures: list[Picture], names: list[str]) -> Levels:
        if self.shape is None:
            # An image with a palette of greys is grey, unless the other images have colours.
            certain = [p for p in pictures if not p.from_palette] or pictures
            self.shape = (len(certain[0].levels), *pictures[0].levels.shape[1:])
        arrays = []
        for picture, name in zip(pictures, names, strict=True):
            levels = picture.levels
            if picture.from_palette and self.shape[0] == 3:
                levels = levels.repeat(3, axis=0)
            if levels.shape != self.shape:
                raise self._unequal(levels.shape, self.shape, name)
            arrays.append(levels)
        return np.stack(arrays)

    def _unequal(self, shape: tuple[int, ...], first: tuple[int, ...], name: str) -> UomhError:
        if shape[0] != first[0]:
            return UomhError(
                f"{self.where} mixes images of one channel and of three: {name} has {shape[0]}, "
                f"the ones before it {first[0]}; convert them to one kind"
            )
        return UomhError(
            f"{self.where} holds images of unequal size: {name} is {shape[2]}x{shape[1]}, the ones "
            f"before it {first[2]}x{first[1]}; give --resize S to bring all to S x S"
        )
