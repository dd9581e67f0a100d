"""Densities of two-step models that are no densities of data space: of codes, on the manifold.

They are in units of their own, and not comparable with `log_likelihood`, nor between models whose
codes differ in size; see `uomh.models.two_step`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from uomh.errors import UomhError
from uomh.metrics.core import Metric, weights_of
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.values import Kind, Value
from uomh.models.core import Generative
from uomh.registry import register

ENOUGH = 256
"""points whose Jacobian is taken; each costs as much as decoding ``latent_dim`` points"""


def density_kind(model: Generative) -> Kind:
    """Of the density of the codes; a model that has none refuses, and says why."""
    density = model.follow("density")
    if density is not model and density.likelihood is None:
        raise UomhError(f"{type(density).__name__}, the second step, has no likelihood")
    return density.likelihood or "exact"


@register("metrics", "low_dim_log_likelihood")
class LowDimLogLikelihood(Metric):
    """Mean log-density of the codes in nats, by the second step of a two-step model."""

    higher_is_better = True

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Of log p2(E(x)), in the units of the codes."""
        model = evaluation.generative
        kind = density_kind(model)
        value = Value.mean(evaluation.over_points(model.low_dim_log_prob), kind)
        yield self.name, replace(value, basis=weights_of(model.codec()))


@register("metrics", "manifold_log_likelihood")
class ManifoldLogLikelihood(Metric):
    """Mean log-density of restored points by area of a two-step model's manifold, in nats."""

    higher_is_better = True

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Of log p2(z) - 1/2 log det J'J at z = E(x); and the mean distance of x in grey levels."""
        model = evaluation.generative
        kind = density_kind(model)
        both = evaluation.over_points(
            lambda x, y: torch.stack(model.manifold_log_prob(x, y), 1), ENOUGH
        )
        yield self.name, replace(Value.mean(both[:, 0], kind), basis=weights_of(model.codec()))
        distance = Value.mean(both[:, 1])
        yield "manifold_distance", replace(distance, higher_is_better=False)
