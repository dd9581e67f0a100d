"""The one style of all figures: sizes, colours, and how they are written.

Figures are drawn without pyplot, so that nobody's settings or open figures are touched.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uomh.files import replacing

FORMATS = ("png", "pdf", "svg")
DOTS_PER_INCH = 220

COLUMN, PAGE = 3.35, 6.9
"""inches: the width of a column of text, and of a page of two columns"""

BLUE, ORANGE, RED = "#4c78a8", "#e8a33d", "#b3243c"
NAVY, GREY, RULE, GRID = "#27425f", "#5a5f66", "#b9bdc4", "#e4e6ea"
CYCLE = (BLUE, ORANGE, "#2a9d8f", RED, "#8a6fb0", "#7a5c3e", "#4fb3e8", "#5a5f66")
"""colours of lines in turn, told apart by people who do not see red or green, and in grey"""


def axes_of(ax: Axes | None, width: float = COLUMN, height: float = 2.5) -> Axes:
    """The axes to draw in: those given, or those of a new figure of so many inches."""
    if ax is not None:
        return ax
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def plain(ax: Axes, grid: str = "y") -> None:
    """Take away what carries no number: frame and ticks; faint lines along one axis guide."""
    ax.grid(axis=grid, color=GRID, lw=0.8)  # type: ignore[arg-type]
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.tick_params(length=0, labelsize=9, labelcolor="#2c3036")
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set(fontsize=9.5, color=GREY)


def save(
    figure: Figure,
    folder: str | os.PathLike[str],
    name: str,
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write ``NAME.{png,pdf,svg}`` into a folder, each whole or not at all.

    Args:
        figure: what to write.
        folder: made where there is none.
        name: of the files, without an ending.
        formats: which; those of matplotlib.

    Returns:
        The paths.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    paths = [place / f"{name}.{kind}" for kind in formats]
    for path, kind in zip(paths, formats, strict=True):
        # Two figures of the same numbers are the same file: no date goes in.
        dateless: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
        with replacing(path) as temporary, warnings.catch_warnings():
            # A letter that the font lacks is drawn as a box; nothing to warn of.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            figure.savefig(
                temporary, format=kind, dpi=DOTS_PER_INCH, metadata=dateless.get(kind, {})
            )
    return paths
