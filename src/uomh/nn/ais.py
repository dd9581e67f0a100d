r"""Annealed importance sampling of normalising constants (Neal 2001), on a box.

For an energy E on a box of volume V, Z = int exp(-E(x)) dx. Between the uniform density (b = 0) and
exp(-E) / Z (b = 1) stand exp(-b E). A chain begins with a uniform draw and moves by steps that
leave one after the other of these densities invariant; it has the weight

    log w = log V - sum_t (b_t - b_{t-1}) E(x_{t-1}),      E[w] = Z exactly.

The steps are Hamiltonian, with Metropolis's test; the walls of the box reflect, which is reversible
and keeps volume. Step sizes are found in a first pass and fixed in a second one, which gives the
weights, so that adapting the step sizes causes no bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from uomh.devices import as_float64

NORMAL_95 = NormalDist().inv_cdf(0.975)
"""97.5% quantile of the standard normal"""
ACCEPTANCE = 0.7
"""share of accepted moves that the step sizes are adapted to"""


class LogPartition(NamedTuple):
    """An estimate of log Z for each of G groups of chains, each (G,).

    The interval is that of the mean of the weights, by the delta method; it can be relied on where
    ``effective``, the effective number of chains, is well above one.
    """

    value: Tensor
    low: Tensor
    high: Tensor
    effective: Tensor


def ais_log_partition(
    energy: Callable[[Tensor], Tensor],
    low: Tensor,
    high: Tensor,
    chains: int,
    groups: int = 1,
    temperatures: int = 500,
    leapfrog: int = 3,
) -> LogPartition:
    """Log of int exp(-E) over the box [low, high], with a 95% interval.

    Args:
        energy: from points (groups * chains, ...), group by group, to energies in nats (N,).
        low: lower corner of the box, of the shape of one point.
        high: upper corner.
        chains: weights in each group.
        groups: number of energies that are estimated side by side.
        temperatures: steps between the uniform density and the last.
        leapfrog: steps of each Hamiltonian move.
    """
    moves = _Moves(energy, low, high, leapfrog)
    # Temperatures lie densest near b = 0: a mode of width s leaves the walls at b ~ (s / side)^2.
    schedule = torch.linspace(0, 1, temperatures + 1).pow(4).tolist()
    start = torch.full((temperatures + 1, groups), 0.1, device=low.device, dtype=low.dtype)
    sizes = moves.anneal(chains, schedule, start, adapt=True)[1]
    log_weights = moves.anneal(chains, schedule, sizes, adapt=False)[0]
    log_weights = as_float64(log_weights).reshape(groups, chains)
    log_volume = as_float64(high - low).log().sum()
    value = torch.logsumexp(log_weights, 1) - math.log(chains) + log_volume
    shares = log_weights.softmax(1)
    effective = 1 / shares.square().sum(1)
    # Relative variance of the mean weight: (n sum share^2 - 1) / (n - 1).
    half = NORMAL_95 * ((chains / effective - 1).clamp_min(0) / max(chains - 1, 1)).sqrt()
    below = torch.where(half < 1, (1 - half).clamp_min(1e-300).log(), -math.inf)
    return LogPartition(value, value + below, value + half.log1p(), effective)


class _Moves:
    """Hamiltonian moves in a box, in units of its sides."""

    def __init__(
        self, energy: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, leapfrog: int
    ) -> None:
        self.energy = energy
        self.low = low
        self.side = high - low
        self.leapfrog = leapfrog

    def anneal(
        self, chains: int, schedule: list[float], sizes: Tensor, adapt: bool
    ) -> tuple[Tensor, Tensor]:
        """Log-weights (G * chains,), without the volume, and the step sizes used, (T, G)."""
        groups = sizes.shape[1]
        u = torch.rand(
            groups * chains, *self.low.shape, device=self.low.device, dtype=self.low.dtype
        )
        value, slope = self.value_and_slope(u)
        log_weights = torch.zeros_like(value)
        sizes = sizes.clone()
        for t in range(1, len(schedule)):
            log_weights = log_weights - (schedule[t] - schedule[t - 1]) * value
            if adapt:
                sizes[t] = sizes[t - 1]
            size = sizes[t].repeat_interleave(chains).reshape(-1, *(1,) * (u.dim() - 1))
            u, value, slope, accepted = self.move(u, value, slope, schedule[t], size)
            if adapt:
                share = accepted.to(u.dtype).reshape(groups, chains).mean(1)
                sizes[t] *= torch.exp(0.2 * (share - ACCEPTANCE))
        return log_weights, sizes

    def move(
        self, u: Tensor, value: Tensor, slope: Tensor, beta: float, size: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One move that keeps exp(-beta E): points, energies, slopes, accepted or not."""
        momentum = torch.randn_like(u)
        before = beta * value + 0.5 * momentum.square().flatten(1).sum(1)
        v, new_slope = u, slope
        for _ in range(self.leapfrog):
            momentum = momentum - 0.5 * size * beta * new_slope
            v = torch.remainder(v + size * momentum, 2)
            outside = v > 1
            v, momentum = torch.where(outside, 2 - v, v), torch.where(outside, -momentum, momentum)
            new_value, new_slope = self.value_and_slope(v)
            momentum = momentum - 0.5 * size * beta * new_slope
        after = beta * new_value + 0.5 * momentum.square().flatten(1).sum(1)
        accept = torch.rand_like(value).log() < before - after
        accept_points = accept.reshape(-1, *(1,) * (u.dim() - 1))
        moved = torch.where(accept_points, v, u)
        slopes = torch.where(accept_points, new_slope, slope)
        return moved, torch.where(accept, new_value, value), slopes, accept

    def value_and_slope(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Energies (n,) and their derivatives in u, points in units of the box."""
        with torch.enable_grad():
            u = u.detach().requires_grad_()
            value = self.energy(self.low + self.side * u)
            (slope,) = torch.autograd.grad(value.sum(), u)
        return value.detach(), slope
