"""Draw the references that dimensions are learned from: `out/references.npz`.

    OMP_NUM_THREADS=1 python benchmarks/make_references.py [--count 4000]

Each is one group: a family of `families.py`, a dimension up to 64, 352 to 10,000 points, in some
more coordinates, a third of them with noise, a fifth on a grid; its true dimension and its traits
(`uomh.dimension.traits`) are kept. The draw of each depends on its number alone, so that the script
can be stopped and started, and a larger table begins with the smaller one.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from families import FAMILIES, dimension_of, noisy, rounded, turned, unit
from uomh.dimension.groups import THINNED
from uomh.dimension.mle import harmonic_dimension
from uomh.dimension.thinning import random_parts
from uomh.dimension.traits import FEWEST, KS, traits
from uomh.dimension.values import Coarse, Group, GroupAtScale, GroupEstimate
from uomh.files import replacing
from uomh.neighbours import Neighbours, nearest_neighbours

OUT = Path(__file__).parents[1] / "out/references.npz"
EVERY = 100  # references between two saves


@dataclass(frozen=True)
class Draw:
    """What a reference is of.

    Attributes:
        noise: its deviation over that of the set.
        levels: of the grid, 0 for none.
    """

    family: str
    d: int
    n: int
    ambient: int
    noise: float
    levels: int


def draw(rng: np.random.Generator) -> Draw:
    """What the next reference is to be."""
    d = 0
    while not d:
        family = str(rng.choice(list(FAMILIES)))
        d = dimension_of(family, rng, 1, 64)
    large = rng.random() < 0.08
    low, high = (3000, 10_000) if large else (FEWEST, 3000)
    n = int(np.exp(rng.uniform(np.log(low), np.log(high))))
    ambient = d + int(np.exp(rng.uniform(0, np.log(200))))
    noise = float(np.exp(rng.uniform(np.log(1e-3), np.log(0.3)))) if rng.random() < 0.35 else 0.0
    levels = int(rng.choice([8, 16, 32, 64, 256, 1024])) if rng.random() < 0.2 else 0
    return Draw(family, d, n, ambient, noise, levels)


def points_of(what: Draw, rng: np.random.Generator) -> NDArray[np.float64]:
    """The points of a reference, each only once."""
    x = unit(FAMILIES[what.family].sampler(what.n, what.d, rng))
    if what.levels:
        x = turned(x, what.ambient, rng)
    if what.noise:
        x = noisy(x, what.noise, what.ambient, rng)
    if what.levels:
        x = rounded(x, what.levels)
    return np.unique(x, axis=0)


def traits_of(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The traits of one group, as ``verify`` has them, without the intervals that they do not use.

    Among so few points all distances at once are quicker than a search.
    """
    n = len(x)
    found = _nearest(x, min(n - 1, 160))
    whole = {
        k: GroupEstimate(d, d, d, None, d, None)
        for k, d in zip(KS, _dimensions(found.distances, KS), strict=True)
    }
    coarse = []
    for (parts, times), ks in zip(THINNED, (KS, (3, 10)), strict=True):
        inverse = []
        for cut in range(min(times, 2)):
            part = random_parts(n, parts, np.random.default_rng((cut, parts)))
            for i in range(parts):
                near = _nearest(x[part == i], max(ks)).distances
                inverse.append(1 / np.array(_dimensions(near, ks)))
        dimensions = 1 / np.mean(inverse, axis=0)
        at = {k: GroupAtScale(d, d, d, None) for k, d in zip(ks, dimensions, strict=True)}
        coarse.append(Coarse(n // parts, at))
    return traits(Group("", n, 0, whole, tuple(coarse)), found, x)


def _nearest(x: NDArray[np.float64], k: int) -> Neighbours:
    if len(x) > 4000:
        return nearest_neighbours(x, k, duplicates="keep")
    x = x - x.mean(axis=0)
    squares = (x**2).sum(axis=1)
    apart = squares[:, None] + squares - 2 * x @ x.T
    np.fill_diagonal(apart, np.inf)
    k = min(k, len(x) - 1)
    indices = np.argpartition(apart, k - 1, axis=1)[:, :k]
    near = np.take_along_axis(apart, indices, axis=1)
    order = np.argsort(near, axis=1)
    distances = np.sqrt(np.maximum(np.take_along_axis(near, order, axis=1), 1e-24))
    return Neighbours(distances, np.take_along_axis(indices, order, axis=1), np.arange(len(x)))


def _dimensions(distances: NDArray[np.float64], ks: tuple[int, ...]) -> list[float]:
    return [harmonic_dimension(distances, k) for k in ks]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    rows, values = [], []
    if given.out.exists():
        with np.load(given.out, allow_pickle=False) as file:
            values = list(file["traits"])
            columns = {name: file[name].tolist() for name in Draw.__annotations__}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    started = time.time()
    first = len(rows)
    for number in range(first, given.count):
        rng = np.random.default_rng((7, number))
        while True:
            what = draw(rng)
            x = points_of(what, rng)
            if len(x) >= FEWEST:
                break
        try:
            found = traits_of(x)
        except Exception as error:
            print(f"{what}: {error}", flush=True)
            found = np.full(len(values[0]), np.nan)
        rows.append(asdict(what))
        values.append(found)
        if (number + 1) % EVERY == 0 or number + 1 == given.count:
            given.out.parent.mkdir(exist_ok=True)
            columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            with replacing(given.out) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, traits=np.array(values), **columns)
            print(f"{number + 1}: {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
