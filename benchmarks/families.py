"""Families of shape with a known dimension: what references are drawn from, and random sets.

A family draws n points of a d-dimensional set, its other properties (bends, densities, boundaries)
at random. `drawn` embeds it: turned into more coordinates, with noise, rounded to a grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rng = np.random.Generator
Sampler = Callable[[int, int, Rng], Array]
FAMILIES: dict[str, Family] = {}


@dataclass(frozen=True)
class Family:
    """A family of shapes: how to draw n points of dimension d, and for which d."""

    sampler: Sampler
    most: int
    fits: Callable[[int], bool]


def family(
    name: str, most: int = 64, fits: Callable[[int], bool] = lambda d: True
) -> Callable[[Sampler], Sampler]:
    """Register a sampler as a family of dimensions up to ``most`` that ``fits`` holds of."""

    def register(sampler: Sampler) -> Sampler:
        FAMILIES[name] = Family(sampler, most, fits)
        return sampler

    return register


def _sphere(n: int, d: int, rng: Rng) -> Array:
    x = rng.standard_normal((n, d + 1))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def _ball(n: int, d: int, rng: Rng) -> Array:
    return _sphere(n, d - 1, rng) * rng.random((n, 1)) ** (1 / d)


def _circles(turns: Array) -> Array:
    return np.hstack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)])


def _bent(x: Array, ambient: int, bend: float, rng: Rng) -> Array:
    """A smooth random image: sines of projections of unit size, times ``bend``."""
    weights = bend * rng.standard_normal((x.shape[1], ambient)) / np.sqrt(x.shape[1])
    return np.sin(x @ weights + 2 * np.pi * rng.random(ambient))


@family("ball")
def _(n: int, d: int, rng: Rng) -> Array:
    return _ball(n, d, rng)


@family("cube")
def _(n: int, d: int, rng: Rng) -> Array:
    return rng.random((n, d))


@family("Gaussian")
def _(n: int, d: int, rng: Rng) -> Array:
    return rng.standard_normal((n, d))


@family("sphere")
def _(n: int, d: int, rng: Rng) -> Array:
    return _sphere(n, d, rng)


@family("circles", 24)
def _(n: int, d: int, rng: Rng) -> Array:
    return _circles(rng.random((n, d)))


@family("unequal circles", 32)
def _(n: int, d: int, rng: Rng) -> Array:
    radius = np.exp(rng.uniform(0, 1.5) * rng.random(d))
    return _circles(rng.random((n, d))) * np.tile(radius, 2)


@family("paraboloid")
def _(n: int, d: int, rng: Rng) -> Array:
    x = _ball(n, d, rng) if rng.random() < 0.5 else rng.standard_normal((n, d)) / np.sqrt(d)
    return np.column_stack([x, rng.uniform(0.2, 3) * (x**2).sum(axis=1)])


@family("saddle")
def _(n: int, d: int, rng: Rng) -> Array:
    x = _ball(n, d, rng)
    heights = [x @ rng.standard_normal((d, d)) * x for _ in range(rng.integers(1, 4))]
    return np.column_stack([x, *(rng.uniform(0.1, 1) * h.sum(axis=1) for h in heights)])


@family("Swiss roll", 32)
def _(n: int, d: int, rng: Rng) -> Array:
    t = np.pi * (1 + rng.uniform(1, 4) * rng.random(n))
    width = rng.uniform(5, 25)
    return np.column_stack([t * np.cos(t), t * np.sin(t), width * rng.random((n, d - 1))])


@family("simplex")
def _(n: int, d: int, rng: Rng) -> Array:
    return rng.dirichlet(np.full(d + 1, np.exp(rng.uniform(-0.3, 1.5))), n)


@family("ellipsoid")
def _(n: int, d: int, rng: Rng) -> Array:
    return _ball(n, d, rng) * np.linspace(1, rng.uniform(1, 5), d)


@family("ellipsoid's surface")
def _(n: int, d: int, rng: Rng) -> Array:
    return _sphere(n, d, rng) * np.linspace(1, rng.uniform(1, 4), d + 1)


@family("Gaussian of decaying spectrum")
def _(n: int, d: int, rng: Rng) -> Array:
    return rng.standard_normal((n, d)) * np.arange(1, d + 1) ** -rng.uniform(0, 0.8)


@family("smooth network")
def _(n: int, d: int, rng: Rng) -> Array:
    scale, width = rng.uniform(0.5, 4), int(rng.integers(32, 129))
    hidden = np.tanh(scale * rng.standard_normal((n, d)) @ rng.standard_normal((d, width)) / d**0.5)
    return hidden @ rng.standard_normal((width, int(rng.integers(2 * d, 2 * d + 100))))


@family("piecewise linear network")
def _(n: int, d: int, rng: Rng) -> Array:
    x, width = rng.standard_normal((n, d)), max(4 * d, 64)
    for _ in range(int(rng.integers(1, 3))):
        shift = rng.standard_normal(width) * rng.uniform(0, 1)
        x = np.maximum(x @ rng.standard_normal((x.shape[1], width)) / np.sqrt(d) + shift, 0)
    return x


@family("bent cube")
def _(n: int, d: int, rng: Rng) -> Array:
    return _bent(rng.random((n, d)) - 0.5, 4 * d + int(rng.integers(100)), rng.uniform(1, 6), rng)


@family("bent Gaussian")
def _(n: int, d: int, rng: Rng) -> Array:
    x = rng.standard_normal((n, d))
    return _bent(x, 4 * d + int(rng.integers(100)), rng.uniform(0.3, 1.5), rng)


@family("bent torus", 16)
def _(n: int, d: int, rng: Rng) -> Array:
    return _bent(_circles(rng.random((n, d))), 60 + 4 * d, rng.uniform(0.5, 2), rng)


@family("surface of the cube")
def _(n: int, d: int, rng: Rng) -> Array:
    x = rng.random((n, d + 1))
    x[np.arange(n), rng.integers(d + 1, size=n)] = rng.integers(2, size=n)
    return x


@family("heavy-tailed radii")
def _(n: int, d: int, rng: Rng) -> Array:
    freedom = np.exp(rng.uniform(0.4, 3))
    return rng.standard_normal((n, d)) / np.sqrt(rng.chisquare(freedom, (n, 1)) / freedom)


@family("directions of heavy-tailed length")
def _(n: int, d: int, rng: Rng) -> Array:
    return _sphere(n, max(d - 1, 1), rng)[:, :d] * np.exp(
        rng.uniform(0.1, 1.2) * rng.standard_normal((n, 1))
    )


@family("beta coordinates")
def _(n: int, d: int, rng: Rng) -> Array:
    return rng.beta(*np.exp(rng.uniform(-0.7, 2.3, 2)), (n, d))


@family("exponential coordinates")
def _(n: int, d: int, rng: Rng) -> Array:
    return rng.gamma(np.exp(rng.uniform(-0.4, 1.5)), size=(n, d))


@family("Laplace coordinates")
def _(n: int, d: int, rng: Rng) -> Array:
    return rng.laplace(size=(n, d))


@family("log-normal coordinates")
def _(n: int, d: int, rng: Rng) -> Array:
    return np.exp(rng.uniform(0.2, 1.2) * rng.standard_normal((n, d)))


@family("some Gaussians")
def _(n: int, d: int, rng: Rng) -> Array:
    count = int(rng.integers(2, 9))
    centres = rng.uniform(1, 5) * rng.standard_normal((count, d))
    sizes = np.exp(rng.uniform(-1, 1, count) * rng.random())
    which = rng.integers(count, size=n)
    return centres[which] + sizes[which, None] * rng.standard_normal((n, d))


@family("some balls of unlike planes", 32)
def _(n: int, d: int, rng: Rng) -> Array:
    count, ambient = int(rng.integers(2, 6)), d + int(rng.integers(1, 30))
    which = rng.integers(count, size=n)
    turns = np.array([np.linalg.qr(rng.standard_normal((ambient, d)))[0].T for _ in range(count)])
    centres = rng.uniform(1, 4) * rng.standard_normal((count, ambient)) / np.sqrt(ambient)
    return centres[which] + np.einsum("nd,nda->na", _ball(n, d, rng), turns[which])


@family("sphere by cube")
def _(n: int, d: int, rng: Rng) -> Array:
    a = int(rng.integers(1, d + 1))
    return np.hstack([_sphere(n, a, rng), rng.uniform(0.5, 3) * rng.random((n, d - a))])


@family("spheres by spheres", 48)
def _(n: int, d: int, rng: Rng) -> Array:
    parts, left = [], d
    while left:
        a = int(rng.integers(1, left + 1))
        parts.append(rng.uniform(0.5, 2) * _sphere(n, a, rng))
        left -= a
    return np.hstack(parts)


@family("chained turns", 16, lambda d: d > 1)
def _(n: int, d: int, rng: Rng) -> Array:
    x = rng.uniform(0, 0.5) + rng.random((n, d))
    return np.tile(np.roll(x, -1, axis=1), 2) * _circles(rng.uniform(0.3, 1) * x)


@family("tangents", 48)
def _(n: int, d: int, rng: Rng) -> Array:
    x = rng.random((n, d)) ** rng.uniform(0.7, 1.5)
    mirror = x[:, ::-1]
    return np.hstack([np.tan(x * np.cos(mirror)), np.arctan(mirror * np.sin(x))])


@family("Burr paraboloid", 16)
def _(n: int, d: int, rng: Rng) -> Array:
    waits = rng.exponential(size=(n, d + 1))
    x = waits[:, :1] / (waits[:, :1] + waits[:, 1:])
    y = np.hstack([x, (x**2).sum(axis=1, keepdims=True)])
    return np.hstack([y, np.sin(y), y**2])


@family("bent beta coordinates", 24)
def _(n: int, d: int, rng: Rng) -> Array:
    x = rng.beta(np.exp(rng.uniform(0, 2.3)), np.exp(rng.uniform(-0.7, 0.7)), (n, d))
    turn = 2 * np.pi * x
    return np.hstack([x * np.sin(np.cos(turn)), x * np.cos(np.sin(turn))])


@family("moment curves", 24)
def _(n: int, d: int, rng: Rng) -> Array:
    x = 2 * rng.random((n, d)) - 1
    return np.hstack([x, rng.uniform(0.3, 1) * x**2, rng.uniform(0.3, 1) * x**3])


@family("rotations", 21, lambda d: d in (1, 3, 6, 10, 15, 21))
def _(n: int, d: int, rng: Rng) -> Array:
    m = round((1 + np.sqrt(1 + 8 * d)) / 2)
    q, r = np.linalg.qr(rng.standard_normal((n, m, m)))
    return (q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]).reshape(n, -1)


@family("lines through the origin", 16)
def _(n: int, d: int, rng: Rng) -> Array:
    x = _sphere(n, d, rng)
    return np.einsum("ni,nj->nij", x, x).reshape(n, -1)


@family("matrices of rank one", 32, lambda d: d > 2)
def _(n: int, d: int, rng: Rng) -> Array:
    a = int(rng.integers(2, d))
    left, right = rng.standard_normal((n, a)), rng.standard_normal((n, d + 1 - a))
    return np.einsum("ni,nj->nij", left, right).reshape(n, -1)


@family("images of spots", 12, lambda d: d > 1)
def _(n: int, d: int, rng: Rng) -> Array:
    side, width = 12, rng.uniform(0.12, 0.3)
    grid = np.linspace(0, 1, side)
    pixels = np.zeros((n, side, side))
    for _ in range(d // 2):
        x, y = rng.random((2, n, 1))
        rows, columns = (np.exp(-((grid - c) ** 2) / (2 * width**2)) for c in (x, y))
        pixels += rng.uniform(0.5, 1) * rows[:, :, None] * columns[:, None, :]
    if d % 2:
        pixels *= 1 + rng.random((n, 1, 1))
    return pixels.reshape(n, -1)


@family("waves", 12)
def _(n: int, d: int, rng: Rng) -> Array:
    t = np.linspace(0, 1, 40)
    phase = rng.random((n, d, 1))
    # Waves of one band would span fewer directions than there are phases.
    frequency = 1 + np.arange(d)[:, None] + rng.uniform(-0.3, 0.3, (d, 1))
    return np.cos(2 * np.pi * (frequency * t + phase)).sum(axis=1) * np.ones((n, 1))


@family("cap")
def _(n: int, d: int, rng: Rng) -> Array:
    x = np.column_stack([rng.uniform(0.3, 2) * _ball(n, d, rng), np.ones(n)])
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


@family("thick shell")
def _(n: int, d: int, rng: Rng) -> Array:
    inner = rng.uniform(0.3, 0.95) if d > 1 else 0.3
    return _sphere(n, d - 1, rng) * rng.uniform(inner**d, 1, (n, 1)) ** (1 / d)


@family("ball, denser or thinner inside")
def _(n: int, d: int, rng: Rng) -> Array:
    return _sphere(n, d - 1, rng) * rng.random((n, 1)) ** (rng.uniform(0.5, 2) / d)


@family("crowded cube")
def _(n: int, d: int, rng: Rng) -> Array:
    return rng.random((n, d)) ** rng.uniform(0.5, 2.5)


@family("cone")
def _(n: int, d: int, rng: Rng) -> Array:
    height = rng.random((n, 1)) ** (1 / d)
    return (
        np.hstack([height, rng.uniform(0.3, 2) * height * _ball(n, d - 1, rng)])
        if d > 1
        else height
    )


@family("logistic-normal simplex")
def _(n: int, d: int, rng: Rng) -> Array:
    x = np.exp(rng.uniform(0.3, 1.5) * rng.standard_normal((n, d + 1)))
    return np.asarray(x / x.sum(axis=1, keepdims=True))


@family("helicoid by cube", 16, lambda d: d > 1)
def _(n: int, d: int, rng: Rng) -> Array:
    r, p = rng.uniform(2, 10) * rng.random(n), rng.uniform(2, 12) * rng.random(n)
    return np.column_stack([r * np.cos(p), r * np.sin(p), p, 3 * rng.random((n, d - 2))])


@family("correlated factors")
def _(n: int, d: int, rng: Rng) -> Array:
    x = rng.standard_normal((n, d)) * rng.gamma(2, size=d)
    return x @ rng.standard_normal((d, 3 * d + 20))


@family("random curves", 8)
def _(n: int, d: int, rng: Rng) -> Array:
    turns, order = rng.random((n, d, 1)), np.arange(1, int(rng.integers(2, 6)))
    size = rng.standard_normal((d, len(order))) / order
    angle = 2 * np.pi * turns * order
    return np.hstack([(size * np.cos(angle)).reshape(n, -1), (size * np.sin(angle)).reshape(n, -1)])


@family("squares of factors", 32)
def _(n: int, d: int, rng: Rng) -> Array:
    x = rng.standard_normal((n, d))
    mixed = x @ rng.standard_normal((d, 3 * d)) / np.sqrt(d)
    return np.hstack([x, rng.uniform(0.1, 0.6) * mixed**2])


def dimension_of(name: str, rng: Rng, low: int = 1, high: int = 64) -> int:
    """A random dimension that the family has, evenly in the logarithm."""
    shape = FAMILIES[name]
    fit = np.array([d for d in range(low, min(high, shape.most) + 1) if shape.fits(d)])
    return int(rng.choice(fit, p=(1 / fit) / (1 / fit).sum())) if len(fit) else 0


def noisy(x: Array, level: float, ambient: int, rng: Rng) -> Array:
    """The set in ``ambient`` coordinates, with noise of ``level`` times its typical coordinate."""
    x = unit(x)
    x = np.pad(x, ((0, 0), (0, max(0, ambient - x.shape[1]))))
    return x + level * rng.standard_normal(x.shape) / np.sqrt(x.shape[1])


def unit(x: Array) -> Array:
    """The set about its mean, of total variance 1."""
    x = x - x.mean(axis=0)
    return np.asarray(x / np.sqrt(x.var(axis=0).sum()))


def turned(x: Array, ambient: int, rng: Rng) -> Array:
    """An isometric image in more coordinates, at random."""
    ambient = max(ambient, x.shape[1])
    return np.asarray(x @ np.linalg.qr(rng.standard_normal((ambient, x.shape[1])))[0].T)


def rounded(x: Array, levels: int) -> Array:
    """The set on a grid of ``levels`` steps over its range, as bytes and their like are."""
    low, high = x.min(), x.max()
    return np.round((x - low) / (high - low) * (levels - 1))
