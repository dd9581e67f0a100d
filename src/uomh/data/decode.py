"""One encoded image as grey levels.

A decoded image is uint8 of one channel or of three. Sixteen bits are scaled to eight, transparency
is laid on a colour, and the orientation that a camera wrote down is applied; each is counted in
`Picture.changes`. Several frames, floats and whatever else has no single meaning as 256 levels are
refused by name.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageFile

from uomh.errors import UomhError

Levels = NDArray[np.uint8]

SCALED = "scaled from 16 bits to 8"
TURNED = "turned as the EXIF orientation says"
FIRST = "taken from JPEG files with further pictures (MPO), which are left out"

GREY = frozenset(["1", "L", "LA", "La"])
COLOUR = frozenset(["RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"])
PALETTE = frozenset(["P", "PA"])
SIXTEEN_BITS = 65535 / 255
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""what brings an image upright, by the number in its EXIF data"""


class BrokenImageError(UomhError):
    """An image that cannot be decoded at all; ``data.skip_broken`` leaves it out."""


@dataclass(frozen=True)
class FileReading:
    """How images and tables are read.

    Attributes:
        resize: height and width that images are brought to.
        background: colour that transparent images are laid on.
        skip_broken: whether images that cannot be decoded are left out, and counted.
        point_column: column of the points; found by its type where it is None.
        label_column: column of the labels; found where it is None, none where it is empty.

    Raises:
        UomhError: the background is no colour.
    """

    resize: int | None = None
    background: str = "white"
    skip_broken: bool = False
    point_column: str | None = None
    label_column: str | None = None

    def __post_init__(self) -> None:
        self.colour  # noqa: B018  # raises where the background is no colour

    @property
    def colour(self) -> Levels:
        """The background, (3,) RGB."""
        try:
            channels = [*ImageColor.getrgb(self.background)]
        except ValueError:
            channels = []
        if len(channels) != 3:
            raise UomhError(
                f"data.background={self.background!r} is no colour; give a name such as white, "
                "or #rrggbb"
            )
        return np.array(channels, dtype=np.uint8)


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Attributes:
        levels: (C, H, W) grey levels, C 1 or 3.
        from_palette: whether it has one channel because its palette is of greys alone; beside
            images of colour it is an image of colour.
        changes: what was done to it, as participles.
        brightest: of the 16-bit values, where it had such.
    """

    levels: Levels
    from_palette: bool = False
    changes: tuple[str, ...] = ()
    brightest: int | None = None


def decode(encoded: bytes | Path | None, name: str, how: FileReading) -> Picture:
    """Decode one image.

    Args:
        encoded: its bytes or its file; None where there is none.
        name: of the image in errors.
        how: size and background.

    Raises:
        BrokenImageError: it cannot be read or decoded.
        UomhError: it has several frames, or pixels that are no grey levels.
    """
    try:
        if encoded is None:
            raise ValueError("no image")
        content = encoded.read_bytes() if isinstance(encoded, Path) else encoded
        with Image.open(io.BytesIO(content)) as opened:
            frames = getattr(opened, "n_frames", 1)
            if frames > 1 and opened.format != "MPO":
                raise _RefusedError(f"has {frames} frames; save each that you want as an image")
            # Asked before loading, which drops what the decoder knows of the pixels in the file.
            sixteen = any(_has_16_bits(opened, tile.args) for tile in opened.tile)
            opened.load()
            picture = _picture(opened, sixteen, how)
    except _RefusedError as refused:
        raise UomhError(f"the image {name} {refused}") from None
    except MemoryError:
        raise
    except Exception:  # decoders raise errors of any type on damaged files
        raise BrokenImageError(
            f"cannot decode the image {name}; repair or remove it, or leave out all such images "
            "by --skip-broken (data.skip_broken=true)"
        ) from None
    if frames > 1:
        return Picture(
            picture.levels, picture.from_palette, (*picture.changes, FIRST), picture.brightest
        )
    return picture


class _RefusedError(Exception):
    """An image that is whole, but not one of grey levels."""


def _has_16_bits(image: ImageFile.ImageFile, decoder: object) -> bool:
    """Whether the file has 16 bits a channel, which Pillow's mode tells only of grey images."""
    if image.format == "PPM" and isinstance(decoder, tuple):
        return int(decoder[-1]) > 255
    return ";16" in str(decoder)


def _picture(image: Image.Image, sixteen: bool, how: FileReading) -> Picture:
    changes = []
    turn = None
    with contextlib.suppress(Exception):  # without readable EXIF data the image stays as it is
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    if turn is not None:
        image = image.transpose(turn)
        changes.append(TURNED)
    brightest = None
    transparent = "A" in image.mode.upper() and image.mode != "LAB"
    if sixteen:
        changes.append(SCALED)
    if sixteen and image.mode.startswith("I"):
        if "transparency" in image.info:
            raise _RefusedError("has 16 bits and a transparent level; save it with 8 bits")
        values = np.asarray(image).astype(np.int64)
        brightest = int(values.max())
        image = Image.fromarray(np.rint(values / SIXTEEN_BITS).astype(np.uint8))
    if image.mode not in GREY | COLOUR | PALETTE:
        raise _RefusedError(
            f"has pixels of mode {image.mode!r}, which are not 256 levels; save it as 8-bit grey "
            "or RGB, or give the values as an .npz"
        )
    grey = image.mode in GREY
    if transparent or "transparency" in image.info:
        levels, laid = _laid_on(image, how.colour)
        if laid:
            changes.append(f"laid on {how.background} where transparent (data.background)")
            grey = grey and bool((how.colour == how.colour[0]).all())
    else:
        levels = np.asarray(image.convert("L" if grey else "RGB"))
    from_palette = image.mode in PALETTE and bool((levels == levels[..., :1]).all())
    if levels.ndim == 3 and (grey or from_palette):
        levels = levels[..., 0]
    if how.resize is not None:
        size = (how.resize, how.resize)
        levels = np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC))
    levels = levels[None] if levels.ndim == 2 else np.ascontiguousarray(levels.transpose(2, 0, 1))
    return Picture(levels, from_palette, tuple(changes), brightest)


def _laid_on(image: Image.Image, colour: Levels) -> tuple[Levels, bool]:
    """RGB pixels (H, W, 3) over a colour, and whether any of them is transparent."""
    if image.mode in ("La", "RGBa"):  # their colours are multiplied by alpha
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    pixels = np.asarray(image.convert("RGBA"))
    alpha = pixels[..., 3:].astype(np.int64)
    if alpha.min() == 255:
        return pixels[..., :3], False
    mixed = pixels[..., :3] * alpha + colour * (255 - alpha)
    return np.rint(mixed / 255).astype(np.uint8), True
