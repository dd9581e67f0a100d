"""A group's true dimension, learned from thousands of groups whose dimension is known.

The references are groups of some fifty families of shape, density and boundary, of 1 to 64
dimensions, clean, noisy and on grids, each with its traits (``uomh.dimension.traits``) and its true
dimension d. From the nearest of them, Gaussian processes (Rasmussen & Williams 2006, section 2.2)
tell log d - log T of a new group, T being its torus dimension at k = 10.

How far off is that? The variance of a process speaks of shapes like those it has seen, and a new
shape is like none. So every reference was predicted by the references of all *other* families, and
one more process learned how large that error e is for such traits. The standard error S of log d is

    S^2 = (a e^b)^2 + 0.01^2 + (s/2)^2 + v,

with s the posterior standard deviation, v the variance between the processes, and a and b of
greatest likelihood over the errors of left-out families. Traits that lie further from all
references than families do from one another are like nothing that was learned from: no dimension
is known. ``benchmarks/make_references.py`` draws the references and learns from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from uomh.dimension.core import Coordinates
from uomh.dimension.traits import torus_dimension, traits
from uomh.dimension.values import Floats, Group, Learned
from uomh.neighbours import Neighbours

Value = TypeVar("Value", float, Floats)

_NEAREST = 300  # references of a prediction: more of them change nothing that is seen
_FLOOR = 0.01  # of log d: nobody is told more exactly


@dataclass(frozen=True)
class Process:
    """A Gaussian process of Matern kernel (smoothness 5/2) and constant mean.

    Attributes:
        scales: (p,) how far each trait must move to matter.
        signal: variance of what the traits tell.
        noise: variance of what they do not.
        mean: of the values.
    """

    scales: Floats
    signal: float
    noise: float
    mean: float

    def kernel(self, distances: Floats) -> Floats:
        """Covariances at distances between scaled traits."""
        x = np.sqrt(5) * distances
        return np.asarray(self.signal * (1 + x + x**2 / 3) * np.exp(-x))

    def tell(self, known: Floats, values: Floats, asked: Floats) -> tuple[float, float, float]:
        """Mean and standard deviation at traits (p,), and how far the nearest known ones lie.

        Args:
            known: (r, p) traits.
            values: (r,) at these.
            asked: (p,) traits.
        """
        away = cdist(asked[None] / self.scales, known / self.scales)[0]
        near = np.argsort(away, kind="stable")[:_NEAREST]
        scaled = known[near] / self.scales
        covariance = self.kernel(cdist(scaled, scaled))
        covariance[np.diag_indices_from(covariance)] += self.noise
        factor = cho_factor(covariance, lower=True)
        to = self.kernel(away[near])
        mean = self.mean + to @ cho_solve(factor, values[near] - self.mean)
        variance = float(self.signal - to @ cho_solve(factor, to))
        return float(mean), max(variance, 0.0) ** 0.5, float(away[near[0]])


def standard_error(
    factor: float, power: float, miss: Value, posterior: Value, scatter: Value
) -> Value:
    """S, as above, from a, b, log e, s and v; of one group or of many."""
    squares = (factor * np.exp(power * miss)) ** 2 + _FLOOR**2 + (posterior / 2) ** 2 + scatter
    root: Value = np.sqrt(squares)
    return root


@dataclass(frozen=True)
class References:
    """What is known of groups of known dimension.

    Attributes:
        families: (r,) numbers of their families, in the order of ``names``.
        names: of the families.
        traits: (r, p), in units of their spread.
        centre: (p,) what was taken off the traits.
        spread: (p,) by what they were divided then.
        corrections: (r,) log d - log T.
        misses: (r,) the logarithm of the error where the own family was left out.
        processes: of the corrections.
        missing: the process of the misses.
        factor: a.
        power: b.
        reach: how far from the nearest reference the traits of a known group may lie.
    """

    families: NDArray[np.int64]
    names: tuple[str, ...]
    traits: Floats
    centre: Floats
    spread: Floats
    corrections: Floats
    misses: Floats
    processes: tuple[Process, ...]
    missing: Process
    factor: float
    power: float
    reach: float

    def learned(self, torus_dimension: float, traits: Floats) -> Learned:
        """The true dimension of a group by its torus dimension T and its traits (p,)."""
        asked = (traits - self.centre) / self.spread
        told = [process.tell(self.traits, self.corrections, asked) for process in self.processes]
        correction = float(np.mean([mean for mean, _, _ in told]))
        posterior = float(np.mean([deviation for _, deviation, _ in told]))
        miss, _, away = self.missing.tell(self.traits, self.misses, asked)
        scatter = float(np.var([mean for mean, _, _ in told]))
        error = standard_error(self.factor, self.power, miss, posterior, scatter)
        known = away <= self.reach
        return Learned(
            torus_dimension * float(np.exp(correction)), float(error if known else np.inf)
        )

    def without(self, families: Sequence[str]) -> References:
        """The references of all other families, as a new shape finds them."""
        kept = ~np.isin(self.families, [self.names.index(name) for name in families])
        fields = {
            name: getattr(self, name)[kept]
            for name in ("families", "traits", "corrections", "misses")
        }
        return References(**{**self.__dict__, **fields})

    def save(self, file: Path) -> None:
        """Write them; traits to seven digits."""
        processes = (*self.processes, self.missing)
        np.savez_compressed(
            file,
            families=self.families.astype(np.int16),
            names=np.array(self.names),
            traits=self.traits.astype(np.float32),
            centre=self.centre,
            spread=self.spread,
            corrections=self.corrections.astype(np.float32),
            misses=self.misses.astype(np.float32),
            scales=np.array([process.scales for process in processes]),
            variances=np.array([[p.signal, p.noise, p.mean] for p in processes]),
            constants=np.array([self.factor, self.power, self.reach]),
        )

    @classmethod
    def load(cls, file: Path) -> References:
        """What `save` wrote."""
        with np.load(file) as kept:
            processes = [
                Process(scales, *variances)
                for scales, variances in zip(
                    kept["scales"], kept["variances"].tolist(), strict=True
                )
            ]
            factor, power, reach = kept["constants"].tolist()
            return cls(
                kept["families"].astype(np.int64),
                tuple(kept["names"].tolist()),
                kept["traits"].astype(np.float64),
                kept["centre"],
                kept["spread"],
                kept["corrections"].astype(np.float64),
                kept["misses"].astype(np.float64),
                tuple(processes[:-1]),
                processes[-1],
                factor,
                power,
                reach,
            )


@cache
def shipped() -> References:
    """The references that the package brings."""
    return References.load(Path(__file__).with_name("references.npz"))


def learned_dimension(group: Group, found: Neighbours, points: Coordinates) -> Learned | None:
    """What the references say of a group as ``mle`` measured it; None where its traits are unknown.

    Args:
        group: its numbers.
        found: neighbours of all n points within it.
        points: (n, D).
    """
    values = traits(group, found, points)
    return None if values is None else shipped().learned(torus_dimension(group), values)
