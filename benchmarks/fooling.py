"""Is the verdict hard to fool? Sets whose answer is known, and what `uomh.verify` says of them.

    python benchmarks/fooling.py [--data-root DIR] [--seeds 3] [--shuffles 200] [--n 3000]
    python benchmarks/fooling.py --random 400 [--jobs 2]

Shuffled labels: the p-values of 200 shuffles, each against 199 nulls of its own, must be uniform.
One Gaussian cut at random, cut into slabs, ten sets of dimension 8 of different shape, density and
curvature: never "dimensions differ: supported". Nor is a trap: a product of Beta(0.5, 10) values,
nearly all of it in a corner, against directions of heavy-tailed length, without any references of
such families. One sphere with noise of a different level in each group: not supported, or not
stable over scale, and the sentence names noise. Unions of different dimension: supported. With
``--random`` as many random sets instead, see `random_sets.py`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from random_sets import trials, unseen
from uomh import DimensionReport, nearest_neighbours, verify
from uomh.dimension.claims import LabelsMatter
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.nulls import Shuffles

Array = NDArray[np.float64]
Sampler = Callable[[int, np.random.Generator], Array]
KS = (3, 10, 20)
D = 8


def sphere(n: int, rng: np.random.Generator, d: int = D) -> Array:
    x = rng.standard_normal((n, d + 1))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def ball(n: int, rng: np.random.Generator, d: int = D) -> Array:
    return sphere(n, rng, d - 1) * rng.random((n, 1)) ** (1 / d)


def torus(n: int, rng: np.random.Generator) -> Array:
    turn = 2 * np.pi * rng.random((n, D))
    return np.hstack([np.cos(turn), np.sin(turn)])


def paraboloid(n: int, rng: np.random.Generator) -> Array:
    x = ball(n, rng)
    return np.column_stack([x, 2 * (x**2).sum(axis=1)])


def swiss_roll(n: int, rng: np.random.Generator) -> Array:
    t = 1.5 * np.pi * (1 + 2 * rng.random(n))
    return np.column_stack([t * np.cos(t), t * np.sin(t), 20 * rng.random((n, D - 1))])


def network(n: int, rng: np.random.Generator) -> Array:
    fixed = np.random.default_rng(0)
    hidden = np.tanh(3 * rng.standard_normal((n, D)) @ fixed.standard_normal((D, 64)) / D**0.5)
    return hidden @ fixed.standard_normal((64, 100)) / 8


SHAPES: dict[str, Sampler] = {
    "ball": ball,
    "cube": lambda n, rng: rng.random((n, D)),
    "Gaussian": lambda n, rng: rng.standard_normal((n, D)),
    "sphere": sphere,
    "product of circles": torus,
    "paraboloid": paraboloid,
    "Swiss roll": swiss_roll,
    "simplex": lambda n, rng: rng.dirichlet(np.ones(D + 1), n),
    "ellipsoid 1:3": lambda n, rng: ball(n, rng) * np.linspace(1, 3, D),
    "random network": network,
}


TRAP = "a corner and heavy tails of dimension 8"
TRAP_FAMILIES = ("beta coordinates", "bent beta coordinates", "directions of heavy-tailed length")
TRAP_FAMILIES += ("heavy-tailed radii",)


def trap(n: int, rng: np.random.Generator) -> list[Array]:
    lengths = np.exp(rng.standard_normal((n, 1)))
    return [rng.beta(0.5, 10, (n, D)), sphere(n, rng, D - 1) * lengths]


def apart(parts: list[Array], rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """Each part brought to unit size and turned into 100 coordinates, far from the others."""
    placed = []
    for i, part in enumerate(parts):
        basis = np.linalg.qr(rng.standard_normal((100, 100)))[0][: part.shape[1]]
        unit = (part - part.mean(axis=0)) / np.sqrt(part.var(axis=0).sum())
        placed.append(np.pad(unit @ basis, ((0, 0), (0, 1)), constant_values=8.0 * i)[:, :101])
    labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return np.concatenate(placed), labels


def cases(n: int, rng: np.random.Generator) -> Iterator[tuple[str, str, Array, NDArray[np.int64]]]:
    gaussian = rng.standard_normal((5 * n, 5))
    yield "Gaussian of dimension 5, cut at random", "not", gaussian, rng.integers(0, 5, 5 * n)
    slabs = np.searchsorted(np.quantile(gaussian[:, 0], [0.2, 0.4, 0.6, 0.8]), gaussian[:, 0])
    yield "the same, cut into slabs", "not", gaussian, slabs
    yield "ten shapes of dimension 8", "not", *apart([f(n, rng) for f in SHAPES.values()], rng)
    yield TRAP, "not", *apart(trap(n, rng), rng)
    clean = np.pad(sphere(4 * n, rng, 5), ((0, 0), (0, 44)))
    group = np.repeat(np.arange(4), n)
    noise = np.array([0.0, 0.01, 0.03, 0.1])[group, None] * rng.standard_normal(clean.shape)
    yield "sphere of dimension 5, four noise levels", "noise", clean + noise, group
    for ds in ((2, 5, 10), (8, 12)):
        name = " and ".join(map(str, ds))
        for shape, sampler in (
            ("balls", ball),
            ("cubes", lambda n, rng, d: rng.random((n, d))),
            ("Gaussians", lambda n, rng, d: rng.standard_normal((n, d))),
        ):
            points, labels = apart([sampler(n, rng, d) for d in ds], rng)
            yield f"union of {name}: {shape}", "supported", points, labels


def said_of(
    name: str, points: Array, labels: NDArray[np.int64], nulls: int, seed: int
) -> DimensionReport:
    """What verify says of a set; of the trap, without having seen its like."""
    with unseen(TRAP_FAMILIES if name == TRAP else ()):
        return verify(points, labels, k=KS, nulls=nulls, seed=seed, name=name)


def held(expected: str, report: DimensionReport) -> bool:
    differ = report.claims.dimensions_differ
    if expected == "supported":
        return differ.status == "supported"
    named = differ.scale_stable is False and "noise" in report.verdict
    return differ.status != "supported" or (expected == "noise" and named)


def shuffled_p_values(images: Array, groups: int, count: int, nulls: int) -> Array:
    """(count, ks) p-values of shuffled labels; one search serves all of them."""
    statistic = Harmonic(KS)
    lists = statistic.lists(nearest_neighbours(images, 512, duplicates="keep"), images)
    rng = np.random.default_rng(0)
    ps = []
    for i in range(count):
        labels = rng.permutation(np.arange(len(images)) % groups)
        observed = statistic.parts(lists, labels, KS)
        draws = Shuffles(labels, nulls, seed=i)(lambda mixed: statistic.parts(lists, mixed, KS))
        found = LabelsMatter.of(observed, np.array(draws), np.bincount(labels), KS)
        ps.append([test.p_value for test in found.k.values()])
    return np.array(ps)


def shuffles(images: Array, count: int, nulls: int) -> None:
    ps = shuffled_p_values(images, 10, count, nulls)
    for k, p in zip(KS, ps.T, strict=True):
        test = ks_2samp(p, np.arange(1, nulls + 2) / (nulls + 1))
        print(
            f"shuffled labels, k = {k}: KS p = {test.pvalue:.3f}, "
            f"{np.mean(p <= 0.05):.3f} of p-values at most 0.05"
        )
    supported = np.mean((ps <= 0.05).all(axis=1))
    print(f"shuffled labels: 'labels matter' supported in {supported:.3f} of {count}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shuffles", type=int, default=200)
    parser.add_argument("--n", type=int, default=3000)
    parser.add_argument("--nulls", type=int, default=199)
    parser.add_argument("--random", type=int, default=0, help="random sets, half of them unions")
    parser.add_argument("--jobs", type=int, default=2, help="random sets looked at at once")
    args = parser.parse_args()
    if args.random:
        trials(args.random, args.nulls, args.jobs)
        return
    print("| set | expected | labels, dimensions, separated | stable | bands | learned | held |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for seed in range(args.seeds):
        for name, expected, points, labels in cases(args.n, np.random.default_rng(seed)):
            started = time.time()
            report = said_of(name, points, labels, args.nulls, seed)
            claims = report.claims
            bands = min(gap.gap for gap in claims.dimensions_differ.k.values())
            learned = claims.dimensions_differ.learned_gap
            between = "none" if learned is None else f"{learned:.2f}"
            print(
                f"| {name} | {expected} | {claims.labels_matter.status}, "
                f"{claims.dimensions_differ.status}, {claims.groups_separated.status} "
                f"| {claims.dimensions_differ.scale_stable} | {bands:.2f} | {between} "
                f"| {held(expected, report)} ({time.time() - started:.0f} s)",
                flush=True,
            )
    if args.data_root is not None and args.shuffles:
        from uomh import load_data

        data = load_data("mnist", data_root=args.data_root, valid_fraction=0.0, limit=5000)
        images = data.train.x.flatten(1).numpy()
        shuffles(images, args.shuffles, args.nulls)


if __name__ == "__main__":
    main()
