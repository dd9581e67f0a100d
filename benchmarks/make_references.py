"""Draws groups of known dimension and learns from them what `uomh.dimension.references` knows.

    python benchmarks/make_references.py [--jobs 2] [--drawn drawn.npz]

Groups of all families of `families.py`, as they are or turned into more coordinates, a third with
noise, a third rounded to a grid, always with the dimension that they have without: 7,500 of d 1 to
64 and 420 to 9,000 points, and 5,000 of d 2 to 16 and up to 2,500 points, where a group shows less
and shapes are told apart by more references. Drawing takes most of the time; what was drawn is kept
in ``--drawn`` and used again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path

import numpy as np

import uomh.dimension
from families import FAMILIES, Array, dimension_of, noisy, rounded, turned
from learning import learned, leave_out_table
from uomh.dimension.groups import measured_group
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.traits import traits
from uomh.dimension.values import Floats
from uomh.neighbours import distinct, nearest_neighbours

TARGET = Path(uomh.dimension.__path__[0]) / "references.npz"
WIDE, NEAR = 7500, 5000  # groups of each kind
N = (420, 9000)
NEAR_N, NEAR_D = (420, 2500), (2, 16)
AMBIENT = (20, 400)
NOISE = (1e-3, 0.3)
COLUMNS = ("families", "dimensions", "noisy", "grids", "traits")
LEVELS = (8, 16, 32, 64, 256)


def drawn(number: int) -> tuple[int, int, bool, bool, Floats] | None:
    """Family, dimension, whether noisy, whether on a grid, and traits of the group of a number."""
    rng = np.random.default_rng((7, number))
    names = list(FAMILIES)
    family = int(rng.integers(len(names)))
    near = number >= WIDE
    d = dimension_of(names[family], rng, *(NEAR_D if near else ()))
    n = int(np.exp(rng.uniform(*np.log(NEAR_N if near else N))))
    if d == 0:
        return None  # the family has no such dimension
    x = FAMILIES[names[family]].sampler(n, d, rng)
    if rng.random() < 0.85:
        x = turned(x, int(np.exp(rng.uniform(*np.log(AMBIENT)))), rng)
    noise, grid = rng.random(2) < 1 / 3
    if noise:
        x = noisy(x, float(np.exp(rng.uniform(*np.log(NOISE)))), x.shape[1], rng)
    if grid:
        x = rounded(x, int(rng.choice(LEVELS)))
    found = traits_of(x)
    return None if found is None else (family, d, bool(noise), bool(grid), found)


def traits_of(x: Array) -> Floats | None:
    """The traits that `uomh.verify` would find of a group."""
    x = x[distinct(x)]
    statistic = Harmonic()
    if len(x) < statistic.list_length(len(x)) + 2:
        return None
    found = nearest_neighbours(x, statistic.list_length(len(x)), duplicates="keep")
    group = measured_group(statistic, "", found, x, 0, [1.0] * len(statistic.ks))
    return traits(group, found, x)


def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--drawn", type=Path, default=Path("drawn.npz"))
    args = parser.parse_args()
    if not args.drawn.exists():
        started, rows = time.time(), []
        with multiprocessing.get_context("spawn").Pool(args.jobs, one_thread) as pool:
            for row in pool.imap_unordered(drawn, range(WIDE + NEAR), chunksize=4):
                rows += [] if row is None else [row]
                if len(rows) % 500 == 0:
                    print(f"{len(rows)} groups after {time.time() - started:.0f} s", flush=True)
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        np.savez_compressed(args.drawn, **dict(zip(COLUMNS, columns, strict=True)))
    with np.load(args.drawn) as file:
        families, dimensions, noise, grids, found = (file[name] for name in COLUMNS)
    references, left_out = learned(families, tuple(FAMILIES), dimensions, found)
    references.save(TARGET)
    print(f"{len(found)} references, {TARGET.stat().st_size / 1e3:.0f} kB")
    print(f"a {references.factor:.2f}, b {references.power:.2f}, reach {references.reach:.2f}")
    print("\n".join(leave_out_table(references, dimensions, noise, grids, left_out)))


if __name__ == "__main__":
    main()
