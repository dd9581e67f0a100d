"""Pictures of what was measured of a run, drawn from the arrays that measuring left in its folder.

    RUN/closest_pairs.png       the samples nearest to a training image, each above that image
    RUN/ood_D_SCORE.png         histograms of a score on the run's data and on the data set D

The arrays are read without torch. A picture is drawn again where arrays are newer than it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from uomh.files import replacing
from uomh.report.kept import SCORES
from uomh.text import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 100
"""of a histogram, as in the paper"""
SHOWN = 0.99
"""share of either set that the axis reaches; what lies beyond is in the bins at its ends"""
_INSIDE, _OUTSIDE, _BOUNDARY = "#4c78a8", "#e8a33d", "#b3243c"


def draw_measured(run_dir: Path) -> list[Path]:
    """Draw the pictures whose arrays are in a run's folder; the paths of those that are new."""
    drawn = []
    for path, sources, figure in _pictures(run_dir / "arrays", run_dir):
        try:
            newest = max(source.stat().st_mtime_ns for source in sources)
            if path.exists() and path.stat().st_mtime_ns >= newest:
                continue
            arrays = {source.stem: np.load(source, allow_pickle=False) for source in sources}
            picture = figure(arrays)
        except (OSError, ValueError, EOFError):  # missing in part, or damaged: measured anew
            continue
        if picture is not None:
            with replacing(path) as temporary:
                picture.savefig(temporary, format="png", dpi=150)
            drawn.append(path)
    return drawn


Arrays = Mapping[str, NDArray[Any]]
Drawing: TypeAlias = "Callable[[Arrays], Figure | None]"


def _pictures(folder: Path, run_dir: Path) -> Iterator[tuple[Path, list[Path], Drawing]]:
    """Every picture: its path, the files that it is drawn from, and how."""
    pairs = folder / "closest_pairs"
    if pairs.is_dir():
        names = ("distances", "sample_points", "training_points", "levels")
        sources = [pairs / f"{name}.npy" for name in names]
        yield run_dir / "closest_pairs.png", sources, pairs_figure
    for other in sorted(folder.glob("ood_*")):
        for key, (score, label) in SCORES.items():
            scores = (f"is_test_{key}", f"oos_test_{key}", f"threshold_{key}")
            sources = [other / f"{name}.npy" for name in scores]
            if not all(source.exists() for source in sources):
                continue
            title = shortened(other.name.removeprefix("ood_"), 40)

            def figure(
                arrays: Arrays,
                names: tuple[str, str, str] = scores,
                label: str = label,
                title: str = title,
            ) -> Figure:
                inside, outside, threshold = (arrays[name] for name in names)
                return separation_figure(inside, outside, float(threshold), label, title)

            yield run_dir / f"{other.name}_{score}.png", sources, figure


def pairs_figure(arrays: Arrays) -> Figure | None:
    """The closest pairs of a sample and a training image; None for points that are no images.

    Args:
        arrays: ``sample_points`` and ``training_points``, uint8 (N, C, H, W) of ``levels`` grey
            levels, and their ``distances``.
    """
    levels, both = int(arrays["levels"]), (arrays["sample_points"], arrays["training_points"])
    if not levels or both[0].ndim != 4 or both[0].shape[1] not in (1, 3):
        return None
    n = len(both[0])
    columns = min(n, 8)
    bands = -(-n // columns)
    from matplotlib.figure import Figure  # takes as long as all else, where nothing is new

    figure = Figure(figsize=(0.9 * columns + 0.9, 2.1 * bands + 0.3), layout="constrained")
    axes = figure.subplots(2 * bands, columns, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for i in range(n):
        band, column = divmod(i, columns)
        for row, points in enumerate(both):
            pixels = np.moveaxis(points[i], 0, -1).astype(np.float64) / (levels - 1)
            ax = axes[2 * band + row, column]
            ax.imshow(pixels.repeat(4 - pixels.shape[-1], -1) if pixels.shape[-1] == 1 else pixels)
        axes[2 * band, column].set_title(f"{float(arrays['distances'][i]):.3g}", fontsize=8)
    figure.suptitle("samples above their nearest training image, with the distance", fontsize=9)
    return figure


def separation_figure(
    inside: NDArray[np.float64],
    outside: NDArray[np.float64],
    threshold: float,
    label: str,
    other: str,
) -> Figure:
    """Histograms of a score on test points of a run's data and of others, with a boundary.

    Args:
        inside: scores of the run's data; infinite ones are in the bins at the ends.
        outside: of the others.
        threshold: the boundary of the decision stump, above which points are taken for the run's.
        label: of the score.
        other: name of the other data.
    """
    low, high = _reach(inside, outside)
    if np.isfinite(threshold):
        low, high = min(low, threshold), max(high, threshold)
    edges = np.linspace(low, high, BINS + 1)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    ax = figure.subplots()
    for scores, colour, name in (
        (inside, _INSIDE, "data of the run"),
        (outside, _OUTSIDE, other),
    ):
        share = np.histogram(np.clip(scores, low, high), edges)[0] / len(scores)
        ax.stairs(share, edges, fill=True, color=colour, alpha=0.6, label=f"{name}, test points")
    if np.isfinite(threshold):
        ax.axvline(threshold, color=_BOUNDARY, lw=1.4, label=f"boundary at {threshold:.4g}")
    ax.set_xlabel(label, fontsize=9.5)
    ax.set_ylabel("share of points", fontsize=9.5)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8.5)
    for text in ax.legend(frameon=False, fontsize=8.5).get_texts():
        text.set_parse_math(False)
    return figure


def _reach(*sets: NDArray[np.float64]) -> tuple[float, float]:
    """From where to where nearly all finite scores of both sets lie; never nowhere."""
    finite = [scores[np.isfinite(scores)] for scores in sets]
    tail = (1 - SHOWN) / 2
    ends = [np.quantile(scores, [tail, 1 - tail]) for scores in finite if len(scores)]
    if not ends:
        return -1.0, 1.0
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    if low == high:
        low, high = low - 0.5, high + 0.5
    return low, high
