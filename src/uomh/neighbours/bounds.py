"""Lower bounds on all distances from few coordinates, safe against rounding.

Centre the points, let the columns of Q (D x m) be orthonormal, and give each point x the m + 1
coordinates z = (Q'x, |x - QQ'x|). Since | |u| - |v| | <= |u - v|, Pythagoras gives

    |z_i - z_j| <= |x_i - x_j|,

close to equality when Q spans the leading principal directions. With m = D and Q = I there is
nothing left over and the bound is the distance itself.

Everything is then computed at unit roundoff u (2^-24 in float32), as one matrix product
g_ij = c_i + c_j - 2 z_i.z_j whose rows carry (z_i, c_i, 1). Write N = |x| about the centre.
Rounding z moves it by at most 2uN (the projection itself is done in float64), and a sum of m + 3
products in any order is off by at most (m + 3) u times the sum of their absolute values, which is
at most 2 (N_i^2 + N_j^2). So if a pair lies within a distance of square t, then

    g_ij <= t (1 + 4u) + (2 (m + 3) + 4) u (N_i^2 + N_j^2),

and with c_i = |z_i|^2 - kappa N_i^2, kappa = 2 (m + 8) u, simply g_ij <= t (1 + 4u): a pair whose
g exceeds that cannot be a neighbour within sqrt(t), whatever was lost to rounding. A device that
takes numbers below 2^-126 for zero loses less than another 16 (m + 8) 2^-126, which c allows for.

All this rests on products of float32 numbers with all their digits. Programs may allow others: TF32
and bfloat16 keep 10 and 7 binary digits of what they multiply, and the same bounds would rule
neighbours out. `lower_bounds` forbids that while it computes, and `is_rough` tries if that helped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uomh.neighbours.core import Points

DIMENSIONS = (16, 32, 64, 96, 128, 192, 256)
SAMPLE = 64
PLANNED_FROM = 2560
"""points below which finding principal directions costs more than all products in full"""
# What a surviving pair costs, in multiplications of the matrix product: to list and to sort it,
# and, for each coordinate, to gather it and to square its difference (bytes are exact in float32).
LIST_COST, BYTE_COST, FLOAT_COST = 3000, 15, 45


@dataclass(frozen=True)
class Sketch:
    """How points become the rows whose products bound their distances.

    Attributes:
        centre: float64 (D,), subtracted first.
        scale: A power of two that brings norms below 1, so that squares neither overflow nor
            vanish in float32. Bounds are in scaled units.
        basis: Q, float64 (D, m), or None for the D coordinates themselves.
        dtype: float32, or float64 where distances are so much smaller than norms that rounding
            would hide them.
    """

    centre: Tensor
    scale: float
    basis: Tensor | None
    dtype: torch.dtype

    @property
    def kappa(self) -> float:
        """The share of the squared norm that covers every rounding error."""
        m = len(self.centre) if self.basis is None else self.basis.shape[1]
        return (m + 8) * torch.finfo(self.dtype).eps

    def columns(self, block: Tensor) -> Tensor:
        """Points (b, D) as rows (z, remainder, 1, c) of the right factor, `dtype` (b, m + 3)."""
        x = (block.double() - self.centre).mul_(self.scale)
        norms = torch.linalg.vector_norm(x, dim=1).square_()
        if self.basis is None:
            z = x.to(self.dtype)
            rest = z.new_zeros(len(z), 1)
        else:
            inside = x @ self.basis
            z = inside.to(self.dtype)
            rest = (norms - inside.square().sum(1)).clamp_(min=0).sqrt_()[:, None].to(self.dtype)
        exact = z.double().square().sum(1) + rest[:, 0].double().square()
        vanishing = 8 * (z.shape[1] + 8) * torch.finfo(torch.float32).tiny
        c = exact - self.kappa * norms - vanishing
        return torch.cat([z, rest, torch.ones_like(rest), c[:, None].to(self.dtype)], dim=1)


def lower_bounds(left: Tensor, columns: Tensor, out: Tensor) -> Tensor:
    """Bounds between p and q, of the left factor ``as_rows(p)`` and the columns of q, in `out`."""
    with all_digits():
        return torch.mm(left, columns.T, out=out)


@contextmanager
def all_digits() -> Iterator[None]:
    """In this block products of float32 numbers keep their digits; the host's setting returns.

    The setting has two interfaces in torch, and what was set by one is refused by the other.
    """
    try:
        allowed = torch.get_float32_matmul_precision()
    except RuntimeError:  # it was set by the newer one
        allowed = None
    if allowed == "highest":
        yield
        return
    backends: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", 0)]
    before = [(each, each.fp32_precision) for each in backends if hasattr(each, "fp32_precision")]
    if allowed is not None:
        torch.set_float32_matmul_precision("highest")
    else:
        for backend, _ in before:
            backend.fp32_precision = "ieee"
    try:
        yield
    finally:
        if allowed is not None:
            torch.set_float32_matmul_precision(allowed)
        for backend, precision in before:
            backend.fp32_precision = precision


@cache
def is_rough(device: torch.device) -> bool:
    """Whether a device loses digits of float32 products though it is told not to."""
    size = 1024
    digits = np.random.default_rng(0).uniform(1, 2, (2, size)).astype(np.float32)
    left, right = torch.zeros(2, size, 2 * DIMENSIONS[0])
    left[:, 0], right[:, 0] = torch.from_numpy(digits)
    out = torch.empty(size, size, device=device)
    found = lower_bounds(left.to(device), right.to(device), out)[:64].cpu().double()
    exact = left[:64, :1].double() * right[:, 0].double()
    return bool(((found / exact - 1).abs() > 2.0**-22).any())


def as_rows(columns: Tensor) -> Tensor:
    """The left factor: ``as_rows(p) @ q.T`` is the table of bounds between p and q."""
    left = columns * -2
    left[:, -2] = columns[:, -1]
    left[:, -1] = 1
    return left


def as_estimates(columns: Tensor) -> Tensor:
    """Right factors that estimate distances: as if what is left over were orthogonal."""
    right = columns.clone()
    right[:, -1] += columns[:, -3].square()
    right[:, -3] = 0
    return right


def make_sketch(
    points: Points, asked: Points, subset: Tensor, share: float, scale: float, rough: bool
) -> Sketch:
    """The cheapest sketch, judged by the pairs of a sample that it fails to rule out.

    Args:
        points: The set that is searched.
        asked: The points whose neighbours are wanted: `points` itself in a search within.
        subset: Rows of `points` in random order, a sample of them.
        share: The share of the set that a search for k neighbours cannot help looking at.
        scale: See `Sketch`.
        rough: Whether products of float32 numbers have too few digits for bounds.
    """
    within = asked is points
    sample = points.take(subset).double()
    centre = sample.mean(0)
    right = sample.sub_(centre).mul_(scale)
    ask = asked.take(torch.arange(min(SAMPLE, asked.n))).double().sub_(centre).mul_(scale)
    left = right[:SAMPLE] if within else ask
    norms = left.square().sum(1)[:, None] + right.square().sum(1)
    true = norms - 2 * left @ right.T
    if within:
        true.fill_diagonal_(torch.inf)
    rank = 1 + int(share * (len(right) - within))
    reach = true.kthvalue(min(rank, len(right) - within), dim=1, keepdim=True).values

    bounds = {points.dim: true}
    basis = torch.empty(points.dim, 0)
    if points.dim > 2 * DIMENSIONS[0] and points.n > PLANNED_FROM:
        widest = min(DIMENSIONS[-1], len(right), int(0.7 * points.dim))
        basis = principal_directions(right, widest)
        p, q = left @ basis, right @ basis
        for m in (m for m in DIMENSIONS if m <= widest):
            inside = torch.cdist(p[:, :m], q[:, :m], compute_mode="use_mm_for_euclid_dist")
            rest = _rest(left, p[:, :m])[:, None] - _rest(right, q[:, :m])
            bounds[m] = inside.square_() + rest.square_()

    byte = points.dtype == torch.uint8
    each = LIST_COST + (BYTE_COST if byte else FLOAT_COST) * points.dim
    best, least = Sketch(centre, scale, None, torch.float32), math.inf
    for dtype in (torch.float64,) if rough else (torch.float32, torch.float64):
        for m, bound in bounds.items():
            option = Sketch(centre, scale, None if m == points.dim else basis[:, :m], dtype)
            left_over = float((bound - option.kappa * norms <= reach).double().mean())
            products = (m + 3) * (0.5 if within else 1) * (2 if dtype == torch.float64 else 1)
            if (cost := products + left_over * each) < least:
                best, least = option, cost
    return best


def _rest(x: Tensor, inside: Tensor) -> Tensor:
    """The length of what a projection leaves of each row."""
    rest: Tensor = (x.square().sum(1) - inside.square().sum(1)).clamp_(min=0).sqrt_()
    return rest


def principal_directions(x: Tensor, m: int) -> Tensor:
    """About the m leading principal directions of centred rows, orthonormal float64 (D, m).

    A randomised range finder with one power iteration; any orthonormal basis gives valid bounds,
    so nothing hangs on its accuracy.
    """
    noise = np.random.default_rng(0).standard_normal((x.shape[0], m))
    small = x.float()
    start = small.T @ torch.from_numpy(noise).float()
    image = small.T @ (small @ torch.linalg.qr(start).Q)
    basis: Tensor = torch.linalg.qr(image.double()).Q
    inside = x @ basis
    turn: Tensor = torch.linalg.eigh(inside.T @ inside).eigenvectors
    return basis @ turn.flip(1)
