r"""Annealed importance sampling of an integral over codes (Neal 2001; Wu et al. 2017).

For p(x) = int p(x, z) dz and a Gaussian q(z) from which chains begin, let a chain move by steps
that keep each of f_b = q^(1-b) p(x, .)^b in turn, 0 = b_0 < ... < b_T = 1. Its weight

    log w = sum_t (b_t - b_{t-1}) (log p(x, z_{t-1}) - log q(z_{t-1})),      E[w] = p(x) exactly,

so the log of a mean of weights is a bound of log p(x) from below in expectation, as that of
importance sampling, which is T = 1. Moves are Hamiltonian, with Metropolis's test, in units of q's
deviations. Their sizes are found in a first pass and fixed in a second one, of which the weights
are taken, so that adapting them costs no bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

ACCEPTANCE = 0.7
"""share of accepted moves that step sizes aim at"""


def annealed_log_integral(
    log_joint: Callable[[Tensor], Tensor],
    mean: Tensor,
    log_std: Tensor,
    chains: int,
    temperatures: int,
    leapfrog: int = 5,
) -> Tensor:
    """Bound of log int p(x, z) dz for each of B points x, (B,).

    Args:
        log_joint: log p(x, z) of codes z (B * chains, d), point by point: (B * chains,).
        mean: of q, (B, d).
        log_std: log-deviations of q, (B, d).
        chains: weights for each point.
        temperatures: T.
        leapfrog: steps of each move.
    """
    points = len(mean)
    mean, log_std = (each.repeat_interleave(chains, 0) for each in (mean, log_std))
    constant = log_std.sum(1) + 0.5 * mean.shape[1] * math.log(2 * math.pi)

    def logs(u: Tensor) -> tuple[Tensor, Tensor]:
        """Log q and log p(x, .) at z = mean + std u."""
        return -0.5 * u.square().sum(1) - constant, log_joint(mean + log_std.exp() * u)

    def slope(u: Tensor, b: float) -> tuple[Tensor, Tensor]:
        """Log f_b and its derivative in u."""
        with torch.enable_grad():
            u = u.detach().requires_grad_()
            log_q, log_p = logs(u)
            value = (1 - b) * log_q + b * log_p
            (derivative,) = torch.autograd.grad(value.sum(), u)
        return value.detach(), derivative

    def moved(u: Tensor, b: float, size: Tensor) -> tuple[Tensor, Tensor]:
        """A move that keeps f_b, and which chains took it."""
        momentum = torch.randn_like(u)
        value, derivative = slope(u, b)
        before = value - 0.5 * momentum.square().sum(1)
        v = u
        for _ in range(leapfrog):
            momentum = momentum + 0.5 * size * derivative
            v = v + size * momentum
            value, derivative = slope(v, b)
            momentum = momentum + 0.5 * size * derivative
        after = value - 0.5 * momentum.square().sum(1)
        accepted = torch.rand_like(after).log() < after - before  # false where it is no number
        return torch.where(accepted[:, None], v, u), accepted

    sizes = mean.new_full((temperatures + 1, points), 0.3)
    for adapting in (True, False):
        u = torch.randn_like(mean)
        log_weights = torch.zeros_like(constant)
        for t in range(1, temperatures + 1):
            b = t / temperatures
            log_q, log_p = logs(u)
            log_weights = log_weights + (log_p - log_q) / temperatures
            if t == temperatures:
                break
            if adapting:
                sizes[t] = sizes[t - 1]
            u, accepted = moved(u, b, sizes[t].repeat_interleave(chains)[:, None])
            if adapting:
                share = accepted.to(u.dtype).reshape(points, chains).mean(1)
                sizes[t] *= torch.exp(0.2 * (share - ACCEPTANCE))
    return torch.logsumexp(log_weights.reshape(points, chains), 1) - math.log(chains)
