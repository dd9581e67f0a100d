"""Likelihood: the training objective, log-likelihood in nats, bits per dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol, runtime_checkable

from pydantic import Field
from torch import Tensor

from uomh.errors import UomhError
from uomh.metrics.adversarial import HasCritic, of_critic, scores
from uomh.metrics.core import Metric, MetricConfig
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.values import Kind, Value
from uomh.models.core import Learner
from uomh.models.leaf import Model
from uomh.models.trainable import Trainable
from uomh.nn.ais import LogPartition
from uomh.registry import register


def _kind(model: Learner | Trainable) -> Kind:
    return getattr(model, "likelihood", None) or "exact"


@register("metrics", "loss")
class Loss(Metric):
    """The model's own training objective, on held-out points; of a GAN, its critic's score of them.

    A GAN has no objective that says how good it is: the score is what the paper's code calls so.
    """

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Mean of `Model.objective`, on x + u where the model trains on such points."""
        model = evaluation.model
        if isinstance(model, HasCritic):
            yield self.name, of_critic(scores(evaluation, model)[:, 0], model)
            return
        if not isinstance(model, Trainable):
            raise UomhError("a composed model has no loss of its own; see its parts")
        noisy = isinstance(model, Model) and model.cells.dequantize
        if type(model).objective is Model.objective and noisy and not model.num_classes:
            losses = -evaluation.log_prob()  # which other metrics ask for as well
        else:
            losses = evaluation.over_points(
                lambda x, y: model.objective(evaluation.dequantized(x) if noisy else x, y),
                together=model.compared_together,
            )
        # Objectives of two kinds of models are two quantities.
        yield self.name, replace(Value.mean(losses, _kind(model)), basis=type(model).__name__)


@register("metrics", "log_likelihood")
class LogLikelihood(Metric):
    """Mean log-density of x + u in nats, in data space (pixel units)."""

    higher_is_better = True

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """E_u log p(x + u), u uniform over one grey level."""
        yield self.name, Value.mean(evaluation.log_prob(), _kind(evaluation.model))


@register("metrics", "importance_weighted_log_likelihood")
class ImportanceWeightedLogLikelihood(Metric):
    """Mean importance-weighted bound of the log-density, of a chosen number of draws.

    The bound grows with the number of draws towards the log-density (Burda et al. 2016).
    """

    class Config(MetricConfig):
        """Its settings."""

        draws: int = Field(256, ge=1)
        """draws k of the bound"""

    higher_is_better = True
    config: Config

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """E_u of the bound at x + u, as `log_likelihood`."""
        model = evaluation.generative
        if not any(hasattr(module, "importance_samples") for module in model.modules()):
            raise UomhError(f"{type(model).__name__} has no importance-weighted bound")
        yield self.name, Value.mean(evaluation.log_prob(draws=self.config.draws), _kind(model))


@register("metrics", "ais_log_likelihood")
class AnnealedLogLikelihood(Metric):
    """Mean log-density by annealed importance sampling, of models with codes and of energies.

    Of a model with codes it is a bound (Wu et al. 2017); of an energy it is an estimate, whose
    interval has the uncertainty of the normalising constant in it.
    """

    class Config(MetricConfig):
        """Its settings."""

        points: int = Field(128, ge=1)
        """points at most, of a model with codes"""
        chains: int = Field(16, ge=2)
        """chains for each point; for the constant of an energy, 16 times as many"""
        temperatures: int = Field(50, ge=1)
        """steps of a chain; of an energy, its own setting says"""

    higher_is_better = True
    config: Config

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """E_u of the bound or the estimate at x + u."""
        model = evaluation.generative
        if isinstance(model, HasEnergy):
            yield self.name, self._of_energy(evaluation, model)
        elif isinstance(model, HasAnnealedBound) and model.likelihood is not None:
            yield self.name, self._of_codes(evaluation, model)
        else:
            raise UomhError(
                f"{type(model).__name__} is neither an energy nor a model with codes, a prior and "
                "a Gaussian decoder"
            )

    def _of_codes(self, evaluation: Evaluation, model: HasAnnealedBound) -> Value:
        settings = self.config

        def bound(x: Tensor, y: Tensor | None) -> Tensor:
            if model.num_classes and y is None:
                raise UomhError("points have no labels, which the bound is taken given")
            labels = y if model.num_classes else None
            x = evaluation.dequantized(x)
            return model.annealed_bound(x, labels, settings.chains, settings.temperatures)

        rows = max(1, evaluation.batch_size // settings.chains)  # as many codes as points elsewhere
        value = Value.mean(evaluation.over_points(bound, settings.points, together=rows), "bound")
        given = "given the label" if model.num_classes else ""
        return replace(value, about=given)

    def _of_energy(self, evaluation: Evaluation, model: HasEnergy) -> Value:
        before, kind = model.log_partition.clone(), model.likelihood
        try:
            constant = model.estimate_log_partition(16 * self.config.chains)
            points = evaluation.over_points(lambda x, y: model.log_prob(evaluation.dequantized(x)))
        finally:
            model.log_partition.copy_(before)
            model.likelihood = kind
        value = Value.mean(points, "estimate")
        if value.value is None or value.low is None or value.high is None:
            return value
        # The constant of the worst-known label; the interval of its logarithm is not symmetric.
        up = float((constant.high - constant.value).max())
        down = float((constant.value - constant.low).max())
        low = value.value - math.hypot(value.value - value.low, up)
        high = value.value + math.hypot(value.high - value.value, down)
        effective = float(constant.effective.min())
        if not math.isfinite(low):
            raise UomhError(
                f"{effective:.1f} effective chains are too few to know the normalising constant; "
                "give more chains, or raise model.ais_temperatures"
            )
        about = f"{effective:.0f} effective chains"
        return replace(value, low=low, high=high, about=about)


@runtime_checkable
class HasAnnealedBound(Protocol):
    """A model with codes whose likelihood is an integral over them."""

    likelihood: Kind | None
    num_classes: int

    def annealed_bound(self, x: Tensor, y: Tensor | None, chains: int, temperatures: int) -> Tensor:
        """Bound of the log-density, (B,)."""


@runtime_checkable
class HasEnergy(Protocol):
    """A density that is known up to a constant."""

    likelihood: Kind | None
    log_partition: Tensor

    def estimate_log_partition(self, chains: int = 256) -> LogPartition:
        """Estimate the constant of each label, and keep it."""

    def log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Log-densities with the constant that is kept, (B,)."""


@register("metrics", "null_metric")
class NullMetric(Metric):
    """Always 0, as in the paper's code, where something has to be named."""

    groups = "none"

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Zero."""
        del evaluation
        yield self.name, Value(0.0, 0.0, 0.0)


@register("metrics", "bits_per_dim")
class BitsPerDim(Metric):
    """-E_u log p(x + u) / (D ln 2), u uniform over one grey level."""

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """The same measure for every model; a bound is labelled a bound."""
        scale = -1 / (evaluation.data.spec.dim * math.log(2))
        yield self.name, Value.mean(evaluation.log_prob() * scale, _kind(evaluation.model))
