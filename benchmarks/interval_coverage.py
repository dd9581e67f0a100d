"""How often the 95% intervals of ``uomh.dimension.thinning`` hold; writes docs/coverage.md.

    OMP_NUM_THREADS=1 python benchmarks/interval_coverage.py [--draws 400] [--sizes 300 800]

Each cell is a shape, its dimension d, n points and k: of the draws, the share whose interval holds
the estimator's own mean (1 over the mean inverse dimension of all draws of that cell), and, where
the estimator has next to no bias (sphere and flat torus up to d = 2), the true dimension. Results
are kept in out/coverage.json and only what is missing is run.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from uomh.dimension.harmonic import Harmonic
from uomh.dimension.thinning import list_length
from uomh.files import replacing
from uomh.neighbours import Neighbours

DIMENSIONS, SIZES, KS = (1, 2, 4, 8, 13, 20), (300, 800), (3, 5, 10, 20)
ROOT = Path(__file__).parents[1]
CACHE, PAGE = ROOT / "out/coverage.json", ROOT / "docs/coverage.md"


def sphere(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform on the unit sphere of dimension d."""
    x = rng.standard_normal((n, d + 1))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def torus(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform in the unit cube, whose opposite faces ``neighbours`` joins."""
    return rng.random((n, d))


def ball(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform in the unit ball."""
    return sphere(n, d - 1, rng) * rng.random((n, 1)) ** (1 / d)


SHAPES = {"sphere": sphere, "torus": torus, "ball": ball}


def neighbours(x: np.ndarray, width: int, periodic: bool) -> Neighbours:
    """A small search of its own: 14,400 searches of up to 800 points are best done plainly."""
    if x.shape[1] <= 6:
        distances, indices = cKDTree(x, boxsize=1 if periodic else None).query(x, width + 1)
        distances, indices = distances[:, 1:], indices[:, 1:]
    else:
        if periodic:
            squared = np.zeros((len(x), len(x)))
            for column in x.T:
                apart = np.abs(column[:, None] - column)
                squared += np.minimum(apart, 1 - apart) ** 2
        else:
            squared = (x**2).sum(1)[:, None] + (x**2).sum(1) - 2 * x @ x.T
        np.fill_diagonal(squared, np.inf)
        near = np.argpartition(squared, width, axis=1)[:, :width]
        order = np.argsort(np.take_along_axis(squared, near, axis=1), axis=1)
        indices = np.take_along_axis(near, order, axis=1)
        distances = np.sqrt(np.take_along_axis(squared, indices, axis=1))
    return Neighbours(distances, indices, np.arange(len(x)))


def cell(shape: str, d: int, n: int, draws: int) -> list[tuple]:
    """Coverage at every k: (shape, d, n, k, own mean, of own mean, of d, mean relative width)."""
    rng = np.random.default_rng([list(SHAPES).index(shape), d, n])
    estimates, bounds = [], []
    for seed in range(draws):
        points = SHAPES[shape](n, d, rng)
        found = neighbours(points, list_length(max(KS), n), periodic=shape == "torus")
        fitted = list(Harmonic(KS, seed).estimates(found, None).values())
        estimates.append([e.dimension for e in fitted])
        bounds.append([(e.low, e.high) for e in fitted])
    mean = 1 / np.mean(1 / np.array(estimates), axis=0)
    low, high = np.moveaxis(np.array(bounds), 2, 0)
    own = ((low <= mean) & (mean <= high)).mean(axis=0)
    true = ((low <= d) & (d <= high)).mean(axis=0)
    width = ((high - low) / mean).mean(axis=0)
    return [(shape, d, n, k, *row) for k, *row in zip(KS, mean, own, true, width, strict=True)]


def page(rows: list[tuple], draws: int) -> str:
    """The results as markdown."""
    sizes = " ".join(str(n) for n in dict.fromkeys(row[2] for row in rows))
    command = f"python benchmarks/interval_coverage.py --sizes {sizes}"
    own = np.array([row[5] for row in rows])
    in_range = np.mean((own >= 0.90) & (own <= 0.98))
    flat = [row for row in rows if row[0] in ("sphere", "torus") and row[1] <= 2]
    true = np.array([row[6] for row in flat])
    lines = [
        "# Do the intervals hold?",
        "",
        f"95% intervals over {draws} draws of each of {len(rows)} cells (shape, dimension, number"
        f" of points, k), made by `{command}`. The torus is flat: the"
        " unit cube with opposite faces joined. The interval is that of"
        " `uomh verify` (`uomh.dimension.thinning`).",
        "",
        "| | wanted | measured |",
        "|---|---|---|",
        f"| own mean of the estimator, pooled | 93-97% | {own.mean():.1%} |",
        f"| cells between 90% and 98% | at least 90% | {in_range:.0%} |",
        f"| lowest and highest cell | | {own.min():.1%}, {own.max():.1%} |",
        f"| true dimension, sphere and torus up to d = 2, pooled | | {true.mean():.1%} |",
        f"| lowest and highest of those {len(true)} cells | | {true.min():.1%}, {true.max():.1%} |",
        "",
        "An interval speaks of the estimator's mean, which is the true dimension only where"
        " boundary and curvature do not move it; elsewhere the"
        " [calibration](estimators.md#calibration) says how far it may be off.",
        "",
        "Coverage of the estimator's own mean, and the intervals' mean width relative to it:",
        "",
        "| shape | d | n |" + "".join(f" k = {k} |" for k in KS),
        "|---|---|---|" + "---|" * len(KS),
    ]
    for i in range(0, len(rows), len(KS)):
        group = rows[i : i + len(KS)]
        values = "".join(f" {row[5]:.1%} ({row[7]:.0%}) |" for row in group)
        lines.append(f"| {group[0][0]} | {group[0][1]} | {group[0][2]} |{values}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    args = parser.parse_args()
    draws = args.draws
    cells = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    wanted = [(shape, n, d) for n in args.sizes for shape in SHAPES for d in DIMENSIONS]
    for shape, n, d in wanted:
        key = f"{shape}/{n}/{d}/{draws}"
        if key not in cells:
            cells[key] = cell(shape, d, n, draws)
            CACHE.parent.mkdir(exist_ok=True)
            with replacing(CACHE) as temporary:
                temporary.write_text(json.dumps(cells))
            print(key, flush=True)
    rows = [tuple(row) for shape, n, d in wanted for row in cells[f"{shape}/{n}/{d}/{draws}"]]
    PAGE.write_text(page(rows, draws), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
