"""Make ``src/uomh/dimension/calibration.npz``: what the MLE sees on a flat torus and in a ball.

    python benchmarks/make_calibration.py

No simulation: the derivation in ``uomh.dimension.calibration`` turns the estimator's mean into an
integral of one function for each shape and dimension d,

    phi_d(u) = d/d(log u) E_x[ log r_x(u) ],

with r_x(u) the radius around x that holds a share u of the probability. It is tabulated here as its
mean over bins of logit(u). Both shapes have that share in closed form or nearly:

* ball of radius 1, x at distance rho from the centre: a lens, two spherical caps, whose volumes are
  incomplete beta functions; rho has density d rho^(d-1).
* flat torus of side 1 (every x is alike): V_d r^d up to r = 1/2, and beyond it by the recursion
  F_d(s) = 2 int_0^(1/2) F_{d-1}(s - x^2) dx in s = r^2, one wrapped coordinate at a time.
"""

from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import betainc, expit, gammaln, logit

TARGET = Path(__file__).parents[1] / "src/uomh/dimension/calibration.npz"
DIMENSIONS = np.unique(np.r_[1:21, np.geomspace(20, 1024, 30).round().astype(int)])
EDGES = np.linspace(-18.5, 7.0, 256)  # logit of u, from 1e-8 to 0.999, steps of 0.1
Floats = np.ndarray


def log_share_in_ball(r: Floats, rho: float, d: int) -> Floats:
    """Log of the share of a unit d-ball within r of a point at depth 1 - rho."""

    def cap(cosine: Floats) -> Floats:
        """Share of a ball beyond a plane at this (signed) distance from its centre, in radii."""
        cosine = np.clip(cosine, -1, 1)
        half = 0.5 * betainc((d + 1) / 2, 0.5, 1 - cosine**2)
        return np.where(cosine >= 0, half, 1 - half)

    plane = (1 - r**2 + rho**2) / (2 * rho)
    lens = cap(plane) + r**d * cap((rho - plane) / r)
    return np.where(r <= 1 - rho, d * np.log(r), np.log(np.minimum(lens, 1)))


def ball(d: int) -> Floats:
    """Mean log radius in a ball at every edge."""
    depth = np.geomspace(1e-11, 1 - 1e-9, 400)  # below the surface: small where r is
    weight = d * (1 - depth) ** (d - 1) * depth * np.gradient(np.log(depth))
    mean = np.zeros(len(EDGES))
    for t, w in zip(depth, weight / weight.sum(), strict=True):
        r = np.geomspace(expit(EDGES[0]) ** (1 / d), 2 - t, 4000)
        share = np.maximum.accumulate(log_share_in_ball(r, 1 - t, d))
        mean += w * inverted(np.log(r), share)
    return mean


def torus(up_to: int) -> dict[int, Floats]:
    """Mean log radius on the flat torus at every edge, for every d up to ``up_to``."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    s = np.geomspace(1e-18, 0.25, 4000)
    log_share = np.log(2 * np.sqrt(s))
    radii = {1: inverted(np.log(s) / 2, log_share)}
    for d in range(2, up_to + 1):
        below = CubicSpline(np.log(s), log_share)
        low, slope = np.log(s[0]), below(np.log(s[0]), 1)
        wrapped = np.geomspace(max(s[0], 0.25), d / 4, 4000)
        start = np.sqrt(np.maximum(wrapped - (d - 1) / 4, 0))  # nearer than this F_{d-1} is 1
        half = (0.5 - start) / 2
        x = start[:, None] + half[:, None] * (1 + nodes)
        log_rest = np.log(np.maximum(wrapped[:, None] - x**2, 1e-300))
        inner = np.where(log_rest < low, log_share[0] + slope * (log_rest - low), below(log_rest))
        total = 2 * (start + half * (np.exp(np.minimum(inner, 0)) @ weights))
        log_wrapped = np.log(np.minimum(total, 1))
        if s[0] < 0.25:  # the ball of radius 1/2 does not yet touch itself
            log_volume = d / 2 * np.log(np.pi) - gammaln(d / 2 + 1)
            flat = np.geomspace(np.exp(2 * (-40 - log_volume) / d), 0.25, 4000)[:-1]
            flat = flat[flat < 0.25]
            s = np.r_[flat, wrapped]
            log_share = np.r_[log_volume + d / 2 * np.log(flat), log_wrapped]
        else:
            s, log_share = wrapped, log_wrapped
        keep = log_share > -40
        s, log_share = s[keep], log_share[keep]
        radii[d] = inverted(np.log(s) / 2, log_share)
    return radii


def inverted(log_r: Floats, log_share: Floats) -> Floats:
    """Radius (its log) at every edge, from log F on a grid of log r."""
    share = np.minimum(np.exp(log_share), 1 - 1e-12)
    return np.interp(EDGES, log_share - np.log1p(-share), log_r)


def main() -> None:
    log_u = np.log(expit(EDGES))
    assert np.allclose(logit(np.exp(log_u)), EDGES)
    on_torus = torus(int(DIMENSIONS[-1]))
    slopes = {
        "torus": [np.diff(on_torus[int(d)]) / np.diff(log_u) for d in DIMENSIONS],
        "ball": [np.diff(ball(int(d))) / np.diff(log_u) for d in DIMENSIONS],
    }
    tables = {shape: np.array(rows, dtype=np.float32) for shape, rows in slopes.items()}
    np.savez_compressed(TARGET, dimensions=DIMENSIONS, edges=EDGES, **tables)
    print(f"{TARGET.name}: {len(DIMENSIONS)} dimensions, {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
