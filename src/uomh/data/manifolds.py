"""Points on manifolds of known dimension, by name.

What a name stands for is fixed, including the random matrices of an embedding; the seed draws the
points. Where the name says so a set is that of Hein & Audibert (2005, "M1" to "M13"), or of
Campadelli, Casiraghi, Ceruti & Rozza (2015, "Mbeta", "Mn", "Mp"), the benchmark that
scikit-dimension also carries. The code is written from their formulas.

>>> x, groups = sample_manifold("union-2-5", 1000, seed=0)
>>> x.shape, np.bincount(groups).tolist(), MANIFOLDS["union-2-5"].dimensions
((1000, 100), [500, 500], (2, 5))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uomh.errors import UomhError, unknown

Floats = NDArray[np.float64]
Sampler = Callable[[int, np.random.Generator], Floats]


@dataclass(frozen=True)
class Manifold:
    """A manifold, or a disjoint union of some, of known dimension.

    Attributes:
        name: by which ``sample_manifold`` knows it.
        dimensions: of its groups; one number where it is no union.
        ambient: number of coordinates.
        samplers: one for each group, (n, generator) to (n, ambient) points.
        summary: one line.
    """

    name: str
    dimensions: tuple[int, ...]
    ambient: int
    samplers: tuple[Sampler, ...]
    summary: str

    @property
    def dimension(self) -> float:
        """The harmonic mean of the dimensions of its groups, which are of equal size."""
        return len(self.dimensions) / sum(1 / d for d in self.dimensions)

    def sample(self, n: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
        """Points (n, ambient) in random order, and the group (n,) of each, 0 where there is one."""
        rng = np.random.default_rng(seed)
        sizes = [len(part) for part in np.array_split(np.arange(n), len(self.samplers))]
        points = [sampler(m, rng) for sampler, m in zip(self.samplers, sizes, strict=True)]
        order = rng.permutation(n)
        groups = np.repeat(np.arange(len(sizes)), sizes)
        return np.concatenate(points)[order], groups[order]


def sample_manifold(name: str, n: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Draw points from a manifold of the registry.

    Args:
        name: one of ``MANIFOLDS``.
        n: number of points, at least one a group.
        seed: of the draw.

    Returns:
        (n, ambient) points and (n,) groups.

    Raises:
        UomhError: the name is unknown (the nearest known one is named), or n is too small.
    """
    if name not in MANIFOLDS:
        raise unknown("manifold", name, MANIFOLDS)
    groups = len(MANIFOLDS[name].samplers)
    if n < groups:
        raise UomhError(f"manifold {name!r} has {groups} groups; n = {n} points are too few")
    return MANIFOLDS[name].sample(n, seed)


def _sphere(d: int) -> Sampler:
    def sample(n: int, rng: np.random.Generator) -> Floats:
        x = rng.standard_normal((n, d + 1))
        return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))

    return sample


def _ball(d: int) -> Sampler:
    return lambda n, rng: _sphere(d - 1)(n, rng) * rng.random((n, 1)) ** (1 / d)


def _cube(d: int) -> Sampler:
    return lambda n, rng: rng.random((n, d))


def _normal(d: int) -> Sampler:
    return lambda n, rng: rng.standard_normal((n, d))


def _cube_surface(d: int) -> Sampler:
    """The 2 (d+1) faces of the cube in d+1 dimensions."""

    def sample(n: int, rng: np.random.Generator) -> Floats:
        x = rng.random((n, d + 1))
        x[np.arange(n), rng.integers(d + 1, size=n)] = rng.integers(2, size=n)
        return x

    return sample


def _flat_torus(d: int) -> Sampler:
    return lambda n, rng: _circle(rng.random((n, d)))


def _circle(turns: Floats) -> Floats:
    angle = 2 * np.pi * turns
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)


def _torus(n: int, rng: np.random.Generator) -> Floats:
    """Tube of radius 1 about a circle of radius 2, uniform in area: density 2 + cos(v) in v."""
    u = 2 * np.pi * rng.random(n)
    v = np.empty(0)
    while len(v) < n:
        trial = 2 * np.pi * rng.random(2 * n)
        v = np.append(v, trial[3 * rng.random(2 * n) < 2 + np.cos(trial)])
    v = v[:n]
    ring = 2 + np.cos(v)
    return np.stack([ring * np.cos(u), ring * np.sin(u), np.sin(v)], axis=1)


def _klein_bottle(n: int, rng: np.random.Generator) -> Floats:
    """In four dimensions, without self-intersection: a tube turned over once around."""
    u, v = 2 * np.pi * rng.random((2, n))
    ring = 2 + np.cos(v)
    lift = np.sin(v)
    return np.stack(
        [ring * np.cos(u), ring * np.sin(u), lift * np.cos(u / 2), lift * np.sin(u / 2)], axis=1
    )


def _moebius(n: int, rng: np.random.Generator) -> Floats:
    """A band with ten half-twists."""
    turn, across = 2 * np.pi * rng.random(n), rng.random(n) - 0.5
    ring = 1 + across * np.cos(5 * turn)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), across * np.sin(5 * turn)], axis=1)


def _swiss_roll(n: int, rng: np.random.Generator) -> Floats:
    t = 1.5 * np.pi * (1 + 2 * rng.random(n))
    return np.stack([t * np.cos(t), 21 * rng.random(n), t * np.sin(t)], axis=1)


def _s_curve(n: int, rng: np.random.Generator) -> Floats:
    t = 3 * np.pi * (rng.random(n) - 0.5)
    return np.stack([np.sin(t), 2 * rng.random(n), np.sign(t) * (np.cos(t) - 1)], axis=1)


def _helix(n: int, rng: np.random.Generator) -> Floats:
    """Eight turns around a torus, closed."""
    t = 2 * np.pi * rng.random(n)
    ring = 2 + np.cos(8 * t)
    return np.stack([ring * np.cos(t), ring * np.sin(t), np.sin(8 * t)], axis=1)


def _helicoid(n: int, rng: np.random.Generator) -> Floats:
    r, p = 10 * np.pi * rng.random((2, n))
    return np.stack([r * np.cos(p), r * np.sin(p), p / 2], axis=1)


def _spiral(n: int, rng: np.random.Generator) -> Floats:
    t = 10 * np.pi * rng.random(n)
    curve = np.stack([100 * np.cos(t), 100 * np.sin(t), t], axis=1)
    return np.pad(curve, ((0, 0), (0, 10)))


def _nearly_3d(n: int, rng: np.random.Generator) -> Floats:
    """M3: four dimensions in six, easily taken for three."""
    a, b, c, d = rng.random((4, n))
    columns = [
        b**2 * np.cos(2 * np.pi * a),
        c**2 * np.sin(2 * np.pi * a),
        b + c + (b - d) ** 2,
        b - 2 * c + (a - d) ** 2,
        -b - 2 * c + (c - d) ** 2,
        a**2 - b**2 + c**2 - d**2,
    ]
    return np.stack(columns, axis=1)


def _chained(d: int, copies: int) -> Sampler:
    """M4, M6, M8: each coordinate is the radius at which the one before it turns."""

    def sample(n: int, rng: np.random.Generator) -> Floats:
        x = rng.random((n, d))
        radius = np.roll(x, -1, axis=1)
        return np.tile(np.tile(radius, 2) * _circle(x), copies)

    return sample


def _beta(n: int, rng: np.random.Generator) -> Floats:
    """Mbeta: ten coordinates crowded towards 1, each bent into a plane, twice."""
    x = rng.beta(10, 0.5, size=(n, 10))
    turn = 2 * np.pi * x
    return np.tile(np.concatenate([x * np.sin(np.cos(turn)), x * np.cos(np.sin(turn))], axis=1), 2)


def _tangents(d: int) -> Sampler:
    """Mn: each coordinate bent by the one that mirrors it, twice."""

    def sample(n: int, rng: np.random.Generator) -> Floats:
        x = rng.random((n, d))
        mirror = x[:, ::-1]
        bent = [np.tan(x * np.cos(mirror)), np.arctan(mirror * np.sin(x))]
        return np.tile(np.concatenate(bent, axis=1), 2)

    return sample


def _paraboloid(d: int) -> Sampler:
    """Mp: a paraboloid over Burr-distributed coordinates, with its sine and its square."""

    def sample(n: int, rng: np.random.Generator) -> Floats:
        waits = rng.exponential(size=(n, d + 1))
        x = waits[:, :1] / (waits[:, :1] + waits[:, 1:])
        y = np.concatenate([x, np.square(x).sum(axis=1, keepdims=True)], axis=1)
        return np.concatenate([y, np.sin(y), y**2], axis=1)

    return sample


def _turned(sampler: Sampler, d: int, ambient: int) -> Sampler:
    """An isometric image in more dimensions; d is the number of coordinates before."""

    def sample(n: int, rng: np.random.Generator) -> Floats:
        basis = np.linalg.qr(np.random.default_rng(d).standard_normal((ambient, d)))[0]
        return np.asarray(sampler(n, rng) @ basis.T)

    return sample


def _curved(sampler: Sampler, d: int, ambient: int, bend: float = 1.0) -> Sampler:
    """A random smooth image: sines of random projections, of about one radian a unit ``bend``."""

    def sample(n: int, rng: np.random.Generator) -> Floats:
        fixed = np.random.default_rng(ambient)
        weights = bend * fixed.standard_normal((d, ambient))
        phases = 2 * np.pi * fixed.random(ambient)
        return np.sin(sampler(n, rng) @ weights + phases)

    return sample


def _noisy(sampler: Sampler, deviation: float) -> Sampler:
    def sample(n: int, rng: np.random.Generator) -> Floats:
        x = sampler(n, rng)
        return x + deviation * rng.standard_normal(x.shape)

    return sample


def _apart(samplers: tuple[Sampler, ...], distance: float) -> tuple[Sampler, ...]:
    """Each sampler moved along the first coordinate, so that groups do not touch."""

    def moved(sampler: Sampler, by: float) -> Sampler:
        def sample(n: int, rng: np.random.Generator) -> Floats:
            x = sampler(n, rng)
            x[:, 0] += by
            return x

        return sample

    return tuple(moved(sampler, i * distance) for i, sampler in enumerate(samplers))


def _union(*dimensions: int) -> tuple[Sampler, ...]:
    return _apart(tuple(_turned(_ball(d), d, 100) for d in dimensions), 4.0)


_ONE: list[tuple[str, int, int, Sampler, str]] = [
    ("sphere-2", 2, 3, _sphere(2), "the sphere"),
    ("sphere-10", 10, 11, _sphere(10), "sphere of dimension 10 (M1)"),
    ("ball-5", 5, 5, _ball(5), "ball: mostly boundary"),
    ("ball-20", 20, 20, _ball(20), "ball: nearly all boundary"),
    ("affine-3-5", 3, 5, _turned(_cube(3), 3, 5), "cube of dimension 3 in 5 (M2)"),
    ("affine-20", 20, 20, _cube(20), "cube of dimension 20 (M9)"),
    ("affine-10-1000", 10, 1000, _turned(_normal(10), 10, 1000), "Gaussian of rank 10 in 1,000"),
    ("normal-20", 20, 20, _normal(20), "Gaussian of dimension 20 (M12)"),
    ("cube-10", 10, 11, _cube_surface(10), "surface of the cube in 11 dimensions (M10a)"),
    ("cube-17", 17, 18, _cube_surface(17), "surface of the cube in 18 dimensions (M10b)"),
    ("cube-24", 24, 25, _cube_surface(24), "surface of the cube in 25 dimensions (M10c)"),
    ("cube-70", 70, 71, _cube_surface(70), "surface of the cube in 71 dimensions (M10d)"),
    ("nonlinear-4-6", 4, 6, _nearly_3d, "four dimensions easily taken for three (M3)"),
    ("nonlinear-4-8", 4, 8, _chained(4, 1), "chained turns (M4)"),
    ("nonlinear-6-36", 6, 36, _chained(6, 3), "chained turns (M6)"),
    ("nonlinear-12-72", 12, 72, _chained(12, 3), "chained turns, highly curved (M8)"),
    ("helix", 1, 3, _helix, "curve around a torus (M5a)"),
    ("helicoid", 2, 3, _helicoid, "helicoid (M5b)"),
    ("swiss-roll", 2, 3, _swiss_roll, "Swiss roll (M7)"),
    ("moebius", 2, 3, _moebius, "Moebius band of ten half-twists (M11)"),
    ("s-curve", 2, 3, _s_curve, "S-shaped sheet (M13a)"),
    ("spiral", 1, 13, _spiral, "spiral curve in 13 dimensions (M13b)"),
    ("beta-10-40", 10, 40, _beta, "uneven density (Mbeta)"),
    ("tangents-18-72", 18, 72, _tangents(18), "nonlinear, high dimension (Mn1)"),
    ("tangents-24-96", 24, 96, _tangents(24), "nonlinear, high dimension (Mn2)"),
    ("paraboloid-3-12", 3, 12, _paraboloid(3), "paraboloid, uneven density (Mp1)"),
    ("paraboloid-6-21", 6, 21, _paraboloid(6), "paraboloid, uneven density (Mp2)"),
    ("paraboloid-9-30", 9, 30, _paraboloid(9), "paraboloid, uneven density (Mp3)"),
    ("torus", 2, 3, _torus, "torus in space, uniform in area"),
    ("flat-torus-2", 2, 4, _flat_torus(2), "product of two circles"),
    ("flat-torus-8", 8, 16, _flat_torus(8), "product of eight circles: no boundary"),
    ("klein-bottle", 2, 4, _klein_bottle, "Klein bottle in four dimensions"),
    ("curved-2-100", 2, 100, _curved(_cube(2), 2, 100, 3.0), "random smooth sheet in 100"),
    ("curved-5-1000", 5, 1000, _curved(_cube(5), 5, 1000), "random smooth image in 1,000"),
    ("curved-10-1000", 10, 1000, _curved(_cube(10), 10, 1000), "random smooth image in 1,000"),
    ("noisy-swiss-roll", 2, 3, _noisy(_swiss_roll, 0.1), "Swiss roll with noise of 0.1"),
    (
        "noisy-sphere-5-50",
        5,
        50,
        _noisy(_turned(_sphere(5), 6, 50), 0.01),
        "sphere of dimension 5 with noise of 0.01 in 50 directions",
    ),
]

MANIFOLDS: dict[str, Manifold] = {
    name: Manifold(name, (d,), ambient, (sampler,), summary)
    for name, d, ambient, sampler, summary in _ONE
} | {
    name: Manifold(name, dimensions, 100, _union(*dimensions), "separate balls turned into 100")
    for name, dimensions in [
        ("union-2-5", (2, 5)),
        ("union-8-12", (8, 12)),
        ("union-2-5-10", (2, 5, 10)),
    ]
}
