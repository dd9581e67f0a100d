r"""Ordinary differential equations dx/dt = f(t, x) by an adaptive Runge-Kutta method.

The pair of orders 5 and 4 of Dormand & Prince (1980): the difference of the two estimates a step's
error. A step is accepted if the error of every point of the batch is below the tolerance, measured
as the root mean square over coordinates of error / (tol + tol max(|x|, |x'|)).

`zuko.utils.odeint` has the same pair of orders. Measured against it on trained fields of 2, 64 and
256 dimensions, it takes 1.1 to 1.5 times the evaluations at equal error and 1.3 to 2.3 times at
equal tolerance, since it does not use a step's last stage for the next; and it does not end where
the field is not finite.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from uomh.errors import UomhError

NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
"""weights of order 5 minus those of order 4"""

SHORTEST = 1e-7
"""shortest step, as a share of the interval: about the resolution of float32"""


def solve(
    f: Callable[[float, Tensor], Tensor],
    x: Tensor,
    start: float,
    end: float,
    tolerance: float,
    max_steps: int = 1000,
) -> Tensor:
    """X at time ``end`` of dx/dt = f(t, x), where it is the given x at time ``start``.

    Args:
        f: derivative of states (B, D) at a time.
        x: states (B, D) at the start.
        start: time to begin at.
        end: time to end at, later or earlier.
        tolerance: relative and absolute, of one step.
        max_steps: of the solver, accepted or not.

    Raises:
        UomhError: the tolerance cannot be reached in so many steps, or only by steps too short to
            move a float, as where the field is not finite.
    """
    sign = 1.0 if end >= start else -1.0
    span = abs(end - start)
    done, size = 0.0, min(0.05, span)
    slopes = [f(start, x)]
    for _ in range(max_steps):
        size = min(size, span - done)
        step, time = sign * size, start + sign * done
        del slopes[1:]
        for i, weights in enumerate(STAGES):
            point = x + step * _combined(weights, slopes)
            node = NODES[i + 1] if i + 1 < len(NODES) else 1.0
            slopes.append(f(time + node * step, point))
        error = step * _combined(ERROR, slopes)
        scale = tolerance * (1 + torch.maximum(x.abs(), point.abs()))
        worst = (error / scale).square().mean(1).max().sqrt().item()
        if worst <= 1:  # false for NaN
            x, done = point, done + size
            slopes[0] = slopes[-1]  # the last stage is the first of the next step
            if done >= span * (1 - 1e-9):
                return x
        factor = 0.9 * worst**-0.2 if worst > 0 else 5.0
        size *= min(max(factor, 0.2), 5.0) if worst == worst else 0.2
        if size < SHORTEST * span:
            raise UomhError(
                f"the differential equation cannot be solved beyond {done / span:.0%} of its way: "
                "there its field is not finite, or too steep for the tolerance; raise "
                "model.tolerance, and see whether the training diverged"
            )
    raise UomhError(
        f"the differential equation did not come to its end in {max_steps} steps at a tolerance "
        f"of {tolerance}; raise model.tolerance"
    )


def _combined(weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    total = weights[0] * slopes[0]
    for weight, slope in zip(weights[1:], slopes[1:], strict=True):
        if weight:
            total = total + weight * slope
    return total
