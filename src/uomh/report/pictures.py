"""Pictures in a page: PNG files and cells of sheets as data URIs, within a budget of bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from uomh.dimension.details import Details, Extreme
from uomh.report.charts import number
from uomh.report.records import RunRecord
from uomh.report.sheets import EXTREMES, PAIRS, Pixels, Sheet
from uomh.text import shortened

BUDGET = 9_000_000
"""bytes of all pictures of a page, which with plotly.js stays below 15 MB"""


@dataclass(frozen=True)
class PageImage:
    """An image of the page.

    Attributes:
        uri: ``data:...``; empty where it was left out, and ``caption`` says so.
        width: of its pixels.
        height: of its pixels.
        alt: what it shows, for who does not see it.
        title: a heading, or nothing.
        caption: what stands below it.
        zoom: how many pixels of the screen one of its own should have.
    """

    uri: str
    width: int
    height: int
    alt: str
    title: str = ""
    caption: str = ""
    zoom: int = 1


KINDS = (
    ("samples", "Samples", "drawn from the model"),
    ("samples_by_group", "Samples by group", "a row of samples for each group"),
    ("reconstructions", "Reconstructions", "test images, each above its reconstruction"),
    ("interpolation", "Latent interpolation", "decoded codes between two test images of a class"),
    ("closest_pairs", "Nearest training images", "samples, each beside the nearest training image"),
    ("between", "Between the manifolds", "samples farther from the training set than nearly all "
     "held-out points"),
    ("ood", "Other data told apart", "histograms of scores of the run's data and of the others"),
)  # fmt: skip
"""pictures of a run by how their file's name begins: a heading and what they show"""
SOURCES = {
    "samples": "a model of images that can be sampled has them once it is trained",
    "reconstructions": "a model of images with an encoder has them once it is trained",
    "interpolation": "a model of images with codes has it once it is trained",
    "closest_pairs": "uomh evaluate --metrics memorisation writes it",
    "between": "uomh evaluate --metrics between writes it",
    "ood": "uomh evaluate --ood D writes them",
}
"""what makes them; the others are not missed where they are not"""


class Album:
    """Turns pictures into data URIs as long as there is room."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.left = budget

    def png(
        self, pixels: Pixels, alt: str, caption: str = "", zoom: int = 1, title: str = ""
    ) -> PageImage:
        """A picture of pixels (H, W, 3)."""
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(stream, format="PNG", optimize=True)
        height, width = pixels.shape[:2]
        uri = self._uri(stream.getvalue(), "png")
        if not uri:
            caption = f"{caption} (left out: the page would be too large)".strip()
        return PageImage(uri, width, height, alt, title, caption, zoom)

    def file(self, path: Path, title: str, alt: str, caption: str) -> PageImage | None:
        """A picture of a file, pixel by pixel; None where it cannot be read."""
        try:
            content = path.read_bytes()
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
                smaller = io.BytesIO()
                image.save(smaller, format="WEBP", lossless=True)
        except (OSError, ValueError, SyntaxError):
            return None
        best = min((content, "png"), (smaller.getvalue(), "webp"), key=lambda pair: len(pair[0]))
        uri = self._uri(*best)
        if not uri:
            caption = f"left out, for the page would be too large; it is {path.name} of the run"
        return PageImage(uri, width, height, alt, title, caption)

    def _uri(self, content: bytes, kind: str) -> str:
        text = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        if len(text) > self.left:
            return ""
        self.left -= len(text)
        return text


@dataclass(frozen=True)
class Ends:
    """A group's images of lowest and of highest dimension."""

    label: str
    low: PageImage
    high: PageImage


def extremes_of(folder: Path, details: Details, album: Album) -> list[Ends]:
    """The images of lowest and highest dimension of every group; empty where none were kept."""
    sheet = Sheet.load(folder / EXTREMES)
    if sheet is None or sheet.fingerprint != details.fingerprint:
        return []
    if len(sheet.cells) != len(details.groups):
        return []
    half = sheet.cells.shape[1] // 2
    result = []
    for group, row in zip(details.groups, sheet.cells, strict=True):
        label = shortened(group.label, 60) or "the set"
        strips = []
        for which, end, cells in (
            ("lowest", group.lowest, row[:half]),
            ("highest", group.highest, row[half:]),
        ):
            values = _range(end[:half])
            alt = f"{label}: images of {which} pointwise dimension, {values}"
            strips.append(album.png(strip(cells[: len(end)]), alt, values, _zoom(cells)))
        result.append(Ends(label, *strips))
    return result


def pairs_of(folder: Path, details: Details, album: Album) -> list[PageImage]:
    """The nearest pairs of a set, a picture each; empty where none were kept."""
    sheet = Sheet.load(folder / PAIRS)
    if sheet is None or sheet.fingerprint != details.fingerprint:
        return []
    result = []
    for pair, row in zip(details.pairs, sheet.cells, strict=False):
        share = pair.distance / details.typical_distance if details.typical_distance > 0 else 0.0
        alt = f"rows {pair.row} and {pair.other}, {share:.2g} of the typical distance apart"
        caption = f"{pair.row}, {pair.other}: {share:.2g}"
        result.append(album.png(strip(row), alt, caption, _zoom(row)))
    return result


def strip(cells: Pixels) -> Pixels:
    """Cells (n, H, W, 3) beside each other with a grey line between."""
    n, height, width, _ = cells.shape
    joined = np.full((height, n * (width + 1) - 1, 3), 128, dtype=np.uint8)
    for i, cell in enumerate(cells):
        joined[:, i * (width + 1) : i * (width + 1) + width] = cell
    return joined


def _zoom(cells: Pixels) -> int:
    """How large a cell is shown, so that eight of them fit into half a page."""
    width: int = cells.shape[2]
    return max(1, 68 // (width + 1))


def _range(end: Sequence[Extreme]) -> str:
    if not end:
        return "none"
    first, last = sorted(point.dimension for point in (end[0], end[-1]))
    return f"{number(first, 1)} to {number(last, 1)}"


def pictures_of(
    record: RunRecord, name: str, album: Album, drawn: Collection[str] = ()
) -> Iterator[PageImage]:
    """The pictures of a run, the known kinds first, with what they show.

    Args:
        record: of the run.
        name: of the run.
        album: that has room for them.
        drawn: kinds that the page draws by itself.
    """
    rank = {kind: i for i, (kind, _, _) in enumerate(KINDS)}
    kinds = [(path, kind) for path in record.pictures if (kind := kind_of(path)) not in drawn]
    for path, kind in sorted(kinds, key=lambda pair: (rank.get(pair[1], 99), pair[0].name)):
        words = next(((title, what) for known, title, what in KINDS if known == kind), None)
        rest = path.stem.removeprefix(kind).strip("_-").replace("_", " ")
        title = f"{words[0]}{': ' * bool(rest)}{rest}" if words else shortened(path.name, 60)
        what = words[1] if words else "a picture in the folder of the run"
        alt = f"{title} of {name}: {what}"
        picture = album.file(path, title, alt, what)
        if picture is not None:
            yield picture


def kind_of(path: Path) -> str:
    """The kind of a run's picture: how its name begins.

    >>> [kind_of(Path(name)) for name in ("ood_svhn.png", "samples_by_group.png", "mine.png")]
    ['ood', 'samples_by_group', 'mine']
    """
    stem = path.stem
    found = [
        kind
        for kind, _, _ in KINDS
        if stem == kind or stem.startswith(f"{kind}_") or stem.endswith(f"_{kind}")
    ]
    return max(found, key=len, default=stem)


def absent(record: RunRecord, drawn: Collection[str] = ()) -> list[str]:
    """Sentences on pictures that a run of images does not have; none for vectors."""
    if record.data is not None and record.data.levels is None:
        return []
    there = {*map(kind_of, record.pictures), *drawn}
    return [
        f"{title}: {SOURCES[kind]}."
        for kind, title, _ in KINDS
        if kind in SOURCES and kind not in there
    ]
