"""How references are learned from: processes, what they miss of unseen families, rates of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from uomh.dimension.claims.dimensions_differ import LEARNED_APART
from uomh.dimension.references import Process, References, standard_error
from uomh.dimension.values import Floats

Ints = NDArray[np.int64]
MEMBERS = 4  # processes that are averaged
SAMPLE = 1500  # references that a process is fitted to
STEPS = 40
SMALL = 0.003  # errors below it are alike
REACH = 0.995  # of left-out groups that lie within reach
ERRORS = (2.0, 2.5, 3.0, 3.25, 3.5)


def fitted(traits: Floats, values: Floats, families: Ints, seed: int) -> Process:
    """The process that tells the values of left-out families best, of a sample of references.

    Its objective is the mean log density of Student's t (4 degrees of freedom) of every value given
    those of the other families, in closed form: with P the inverse covariance and B a family, the
    errors are (P_BB)^-1 (P y)_B, their covariance (P_BB)^-1.
    """
    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(len(values), min(SAMPLE, len(values)), replace=False))
    x, y = torch.from_numpy(traits[some]), torch.from_numpy(values[some])
    mean = float(y.mean())
    blocks = [torch.from_numpy(np.flatnonzero(families[some] == f)) for f in set(families[some])]
    spread = float(y.var())
    start = [np.log(np.sqrt(x.shape[1]) * 2)] * x.shape[1] + [np.log(spread), np.log(spread / 10)]
    logs = torch.tensor(start, dtype=torch.float64, requires_grad=True)

    def loss() -> torch.Tensor:
        scaled = x / logs[:-2].exp()
        squares = (scaled**2).sum(dim=1)
        square = squares[:, None] + squares - 2 * scaled @ scaled.T
        away = (5 * square.clamp_min(0) + 1e-12).sqrt()
        kernel = logs[-2].exp() * (1 + away + away**2 / 3) * torch.exp(-away)
        kernel = kernel + (logs[-1].exp() + 1e-6) * torch.eye(len(x), dtype=torch.float64)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel))
        weights = inverse @ (y - mean)
        total = torch.zeros((), dtype=torch.float64)
        for block in blocks:
            covariance = torch.linalg.inv(inverse[block][:, block])
            errors, variances = covariance @ weights[block], covariance.diagonal().clamp_min(1e-9)
            scatter = 2.5 * torch.log1p(errors**2 / variances / 4)
            total = total + (scatter + variances.log() / 2).sum()
        # Traits that tell nothing drift to where the covariance is singular: hold them weakly.
        return total / len(x) + 1e-3 * ((logs[:-2] - start[0]) ** 2).mean()

    optimiser = torch.optim.LBFGS([logs], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)
    values_of = logs.detach().exp().numpy()
    return Process(values_of[:-2], float(values_of[-2]), float(values_of[-1]) + 1e-6, mean)


def learned(
    families: Ints, names: tuple[str, ...], dimensions: Ints, traits: Floats
) -> tuple[References, Floats]:
    """The references, and what each has where its own family is left out, (r, 5).

    The columns: correction, posterior deviation, variance between processes, miss, distance to the
    nearest reference.
    """
    centre, spread = traits.mean(axis=0), traits.std(axis=0) + 1e-9
    x = (traits - centre) / spread
    corrections = np.log(dimensions) - traits[:, 0]
    processes = tuple(fitted(x, corrections, families, seed) for seed in range(MEMBERS))
    with ThreadPoolExecutor() as pool:
        tables = pool.map(lambda process: left_out(process, x, corrections, families), processes)
        told = np.array(list(tables))
    off = corrections - told[:, :, 0].mean(axis=0)
    misses = np.log(np.abs(off) + SMALL)
    missing = fitted(x, misses, families, MEMBERS)
    miss = left_out(missing, x, misses, families)
    table = np.stack(
        [
            *(told[:, :, 0].mean(axis=0), told[:, :, 1].mean(axis=0), told[:, :, 0].var(axis=0)),
            *(miss[:, 0], miss[:, 2]),
        ],
        axis=1,
    )
    factor, power = constants(off, table)
    reach = float(np.quantile(table[:, 4], REACH))
    references = References(
        *(families, names, x, centre, spread, corrections, misses, processes, missing),
        *(factor, power, reach),
    )
    return references, table


def left_out(process: Process, x: Floats, values: Floats, families: Ints) -> Floats:
    """What a process tells of every reference from those of other families, (r, 3)."""
    result = np.empty((len(x), 3))
    for family in np.unique(families):
        others = families != family
        known, there = x[others], values[others]
        for row in np.flatnonzero(~others):
            result[row] = process.tell(known, there, x[row])
    return result


def errors_of(table: Floats, factor: float, power: float) -> Floats:
    """S of every left-out reference."""
    return standard_error(factor, power, table[:, 3], table[:, 1], table[:, 2])


def constants(off: Floats, table: Floats) -> tuple[float, float]:
    """The factor a and the power b of S that are of greatest likelihood."""

    def loss(logs: Floats) -> float:
        s = errors_of(table, float(np.exp(logs[0])), float(logs[1]))
        return float(np.mean(np.log(s) + (off / s) ** 2 / 2))

    factor, power = minimize(loss, [1.0, 1.2], method="Nelder-Mead").x
    return float(np.exp(factor)), float(power)


def pair_rates(
    families: Ints, dimensions: Ints, d: Floats, s: Floats, z: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Shares of pairs called different: of one dimension, and of gap 2 to 5 and d up to 8."""
    rows = rng.integers(len(d), size=(2, 400_000))
    apart = families[rows[0]] != families[rows[1]]
    low, high = rows[:, apart & (dimensions[rows[0]] <= dimensions[rows[1]])]
    told = d[high] * np.exp(-z * s[high]) - d[low] * np.exp(z * s[low]) >= LEARNED_APART
    back = d[low] * np.exp(-z * s[low]) - d[high] * np.exp(z * s[high]) >= LEARNED_APART
    gap = dimensions[high] - dimensions[low]
    same = gap == 0
    union = (gap >= 2) & (gap <= 5) & (dimensions[high] <= 8)
    return float(np.mean((told | back)[same])), float(np.mean(told[union]))


def leave_out_table(
    references: References, dimensions: Ints, noisy: Ints, grids: Ints, table: Floats
) -> Iterator[str]:
    """Lines: errors of left-out families, and rates of pairs by half of the families.

    The constants of S are those of the one half of the families, the rates those of the other.
    """
    off = references.corrections - table[:, 0]
    s = errors_of(table, references.factor, references.power)
    z = np.abs(off / s)
    yield "| groups | median error | 95% | beyond 2 S | beyond 3 S |"
    yield "|---|---|---|---|---|"
    some = {
        "as they are": ~noisy & ~grids,
        "with noise": noisy & ~grids,
        "on grids": grids & ~noisy,
        "both": noisy & grids,
    }
    for low, high in ((1, 4), (5, 10), (11, 32), (33, 64)):
        some[f"d {low} to {high}"] = (dimensions >= low) & (dimensions <= high)
    for name, rows in some.items():
        median, most = (np.expm1(np.quantile(np.abs(off[rows]), q)) for q in (0.5, 0.95))
        beyond = (f"{np.mean(z[rows] > errors):.1%}" for errors in (2, 3))
        yield f"| {name} | {median:.1%} | {most:.0%} | " + " | ".join(beyond) + " |"
    yield ""
    log_t = references.traits[:, 0] * references.spread[0] + references.centre[0]
    d = np.exp(log_t + table[:, 0])
    rng = np.random.default_rng(0)
    order = rng.permutation(len(references.names))
    yield "| errors apart | one dimension | unions of gap 2 to 5, d up to 8 |"
    yield "|---|---|---|"
    for errors in ERRORS:
        cells = []
        for half in (order[::2], order[1::2]):
            fixed = np.isin(references.families, half)
            other = ~fixed
            factor, power = constants(off[fixed], table[fixed])
            s = errors_of(table, factor, power)
            cells.append(
                pair_rates(
                    *(references.families[other], dimensions[other], d[other], s[other]),
                    *(errors, np.random.default_rng(1)),
                )
            )
        same, union = zip(*cells, strict=True)
        yield f"| {errors:g} | {same[0]:.2%}, {same[1]:.2%} | {union[0]:.0%}, {union[1]:.0%} |"
