"""What measuring left in a run's folder, for the page: pairs and odd samples, scores, dimensions.

Of ``RUN/arrays`` (see ``uomh.training.shown``); what is missing or damaged is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.report.charts import Chart, State, lines, name_of, number, state
from uomh.report.pictures import Album, PageImage
from uomh.report.sheets import Pixels
from uomh.text import shortened

SCORES = {
    "lowdim_False": ("likelihood", "log-likelihood in nats"),
    "lowdim_True": ("likelihood_low_dim", "log-density of the codes in nats"),
    "reconstruction": ("reconstruction", "squared distance to the restored point, negative"),
    "neighbour": ("neighbour", "distance to the nearest sample in features, negative"),
    "likelihood_id": ("likelihood_id", "lower place of likelihood and pointwise dimension"),
}
"""names of scores in files of arrays: those in pictures' names, and what they are"""
BINS = 60
WIDTH = 470
"""pixels of the screen that a picture fills at most, where its own are fewer"""
COLUMNS = 8
"""images beside each other"""
TAIL = 0.005
"""share of either set beyond the axis, in the bins at its ends"""

Arrays = Mapping[str, NDArray[Any]]


def arrays_of(folder: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a folder by name; those that cannot be read are left out."""
    found = {}
    for path in sorted(folder.glob("*.npy")):
        try:
            found[path.stem] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            continue
    return found


def kept_pictures(run: Path, name: str, album: Album) -> Iterator[PageImage]:
    """Samples beside their nearest training image, and samples between the manifolds."""
    pairs = arrays_of(run / "arrays" / "closest_pairs")
    both = [_images(pairs, points) for points in ("sample_points", "training_points")]
    if both[0] is not None and both[1] is not None and len(both[0]) == len(both[1]):
        what = "the samples nearest to a training image, each above that image"
        yield _picture(_in_rows(both[0], both[1]), "Nearest training images", what, name, album)
    far = _images(arrays_of(run / "arrays" / "between"), "sample_points")
    if far is not None:
        what = "the samples farthest from every training point, the farthest first"
        yield _picture(_in_rows(far), "Between the manifolds", what, name, album)


def kinds_kept(run: Path) -> set[str]:
    """Kinds of pictures of which measuring left the numbers, were it that there is nothing odd."""
    kinds = {"closest_pairs", "between"}
    found = {kind for kind in kinds if (run / "arrays" / kind).is_dir()}
    return found | ({"ood"} if any((run / "arrays").glob("ood_*")) else set())


def _picture(pixels: Pixels, title: str, what: str, run: str, album: Album) -> PageImage:
    zoom = max(1, WIDTH // pixels.shape[1])
    return album.png(pixels, f"{title} of {run}: {what}", what, zoom, title)


def kept_charts(run: Path, section: str) -> Iterator[Chart]:
    """Histograms of scores on other data, and of the dimension of samples point by point."""
    points = arrays_of(run / "arrays" / "pointwise_id")
    if {"samples", "training"} <= points.keys():
        sets = {"training points": points["training"], "samples": points["samples"]}
        limits = [float(limit) for limit in points.get("limits", np.zeros(0)).ravel()]
        k = int(points["k"]) if "k" in points else None
        title = "Dimension point by point" + (f", from {k} neighbours" if k else "")
        note = "The lines hold 98% of training points; of fresh data 2% lie outside."
        chart = _histograms(f"{section}-pointwise", title, "dimension", sets, limits, note)
        if chart is not None:
            yield chart
    for place in sorted((run / "arrays").glob("ood_*")):
        scores, other = arrays_of(place), shortened(place.name.removeprefix("ood_"), 40)
        for key, (_, label) in SCORES.items():
            inside, outside = (scores.get(f"{side}_test_{key}") for side in ("is", "oos"))
            if inside is None or outside is None:
                continue
            boundary = scores.get(f"threshold_{key}")
            chart = _histograms(
                f"{section}-ood-{_slug(place.name)}-{key}",
                f"Told apart from {other}: {label.partition(' in ')[0]}",
                label,
                {"test points of the run": inside, f"of {other}": outside},
                [] if boundary is None else [float(boundary)],
                "The line is the boundary of the decision stump; points to its right are taken "
                "for the run's.",
            )
            if chart is not None:
                yield chart


def _slug(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)


def _histograms(
    chart: str,
    title: str,
    label: str,
    sets: Mapping[str, NDArray[Any]],
    marks: list[float],
    note: str,
) -> Chart | None:
    """Histograms of two sets over each other; None where either has no finite number."""
    try:
        values = {name: np.asarray(each, dtype=np.float64).ravel() for name, each in sets.items()}
    except (TypeError, ValueError):
        return None
    known = {name: each[np.isfinite(each)] for name, each in values.items()}
    if not all(len(each) for each in known.values()):
        return None
    ends = np.array([np.quantile(each, [TAIL, 1 - TAIL]) for each in known.values()])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    traces: list[State] = []
    top = 0.0
    for (name, each), tone in zip(known.items(), ("@1", "@accent"), strict=True):
        share = np.histogram(np.clip(each, low, high), edges)[0] / len(each)
        top = max(top, float(share.max()))
        traces.append(
            {
                "type": "bar",
                "x": ((edges[:-1] + edges[1:]) / 2).tolist(),
                "y": share.tolist(),
                "width": float(edges[1] - edges[0]),
                "marker": {"color": f"{tone}/0.55"},
                "hovertemplate": f"%{{x:.4g}}: %{{y:.2%}} of {name_of(name, 60)}<extra></extra>",
                "name": name_of(name, 48),
            }
        )
    for mark in (mark for mark in marks if low <= mark <= high):
        style = {"color": "@ink", "width": 1.6, "dash": "dash"}
        hover = f"{number(mark, 3)}<extra></extra>"
        traces.append(
            lines([mark] * 2, [0, top], line=style, hovertemplate=hover, showlegend=False)
        )
    middles = [
        f"half of {shortened(name, 48)} are below {number(float(np.median(each)), 3)}"
        for name, each in known.items()
    ]
    axes = {
        "xaxis": {"title": {"text": label}},
        "yaxis": {"title": {"text": "share"}, "tickformat": ".0%"},
    }
    words = ", ".join(middles).capitalize() + "."
    return Chart(chart, title, words, {"": state(traces, **axes)}, (), 320, note)


def _images(arrays: Arrays, name: str) -> Pixels | None:
    """Images (n, H, W, 3) of an array of grey levels (n, C, H, W); None where it holds none."""
    points, levels = arrays.get(name), arrays.get("levels")
    if points is None or levels is None or levels.size != 1 or int(levels) < 2:
        return None
    if points.ndim != 4 or points.shape[1] not in (1, 3) or not len(points):
        return None
    bright = np.rint(np.moveaxis(points, 1, -1) * (255 / (int(levels) - 1)))
    colours = np.repeat(bright, 3, axis=-1) if bright.shape[-1] == 1 else bright
    return np.asarray(np.clip(colours, 0, 255), dtype=np.uint8)


def _in_rows(*bands: Pixels) -> Pixels:
    """Images (n, H, W, 3) in rows of a few; with several sets, each above its like."""
    n, height, width, _ = bands[0].shape
    columns = min(n, COLUMNS)
    rows = -(-n // columns)
    gap, between = 4, 1
    band = len(bands) * (height + between) + (gap if len(bands) > 1 else 0)
    sheet = np.full((rows * band, columns * (width + between), 3), 128, dtype=np.uint8)
    for i in range(n):
        row, column = divmod(i, columns)
        x = column * (width + between)
        for j, images in enumerate(bands):
            y = row * band + j * (height + between)
            sheet[y : y + height, x : x + width] = images[i]
    return sheet[: -(between + (gap if len(bands) > 1 else 0)), :-between]
