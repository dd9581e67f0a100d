"""Likelihood: the training objective, log-likelihood in nats, bits per dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator

from uomh.errors import UomhError
from uomh.metrics.core import Evaluation, Metric
from uomh.metrics.values import Kind, Value
from uomh.models.core import Generative, Model, Trainable
from uomh.registry import register


def _kind(model: Generative | Trainable) -> Kind:
    return getattr(model, "likelihood", None) or "exact"


@register("metrics", "loss")
class Loss(Metric):
    """The model's own training objective, on held-out points."""

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Mean of `Model.objective`, on x + u where the model trains on such points."""
        model = evaluation.model
        if not isinstance(model, Trainable):
            raise UomhError("a composed model has no loss of its own; see its parts")
        noisy = isinstance(model, Model) and model.cells.dequantize
        if type(model).objective is Model.objective and noisy and not model.num_classes:
            losses = -evaluation.log_prob  # which other metrics ask for as well
        else:
            losses = evaluation.over_points(
                lambda x, y: model.objective(evaluation.dequantized(x) if noisy else x, y),
                together=model.compared_together,
            )
        yield self.name, Value.mean(losses, _kind(model))


@register("metrics", "log_likelihood")
class LogLikelihood(Metric):
    """Mean log-density of x + u in nats, in data space (pixel units)."""

    higher_is_better = True

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """E_u log p(x + u), u uniform over one grey level."""
        yield self.name, Value.mean(evaluation.log_prob, _kind(evaluation.model))


@register("metrics", "bits_per_dim")
class BitsPerDim(Metric):
    """-E_u log p(x + u) / (D ln 2), u uniform over one grey level."""

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """The same measure for every model; a bound is labelled a bound."""
        scale = -1 / (evaluation.data.spec.dim * math.log(2))
        yield self.name, Value.mean(evaluation.log_prob * scale, _kind(evaluation.model))
