"""What a critic thinks of data and of samples; see `uomh.models.gan`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol, runtime_checkable

from torch import Tensor

from uomh.errors import UomhError
from uomh.metrics.core import Metric, weights_of
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.values import Value
from uomh.models.core import Learner
from uomh.models.trainable import Trainable
from uomh.registry import register


@runtime_checkable
class HasCritic(Protocol):
    """A model that is trained against a critic of points."""

    def judged(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Scores of points, and of as many samples, (B, 2)."""


def scores(evaluation: Evaluation, model: HasCritic) -> Tensor:
    """Scores of the held-out points, and of as many samples, (n, 2)."""
    return evaluation.over_points(lambda x, y: model.judged(x, y))


def of_critic(values: Tensor, model: Learner | Trainable) -> Value:
    """The mean (n,) of a critic's scores, in units that are those of this critic alone."""
    return replace(Value.mean(values), basis=weights_of(model))


@register("metrics", "disc_loss")
class DiscriminatorLoss(Metric):
    """Mean score of samples by the critic less that of held-out points, as in the paper's code.

    It is the negative of the Wasserstein-1 distance as the critic sees it. Scores are in units of
    each critic, so that they say how a run goes, and nothing beside those of another.
    """

    higher_is_better = None

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """E f(G(z)) - E f(x), as many draws z as points x."""
        model = evaluation.model
        if not isinstance(model, HasCritic):
            raise UomhError(f"{type(model).__name__} has no critic of points")
        of_points, of_samples = scores(evaluation, model).unbind(1)
        yield self.name, of_critic(of_samples - of_points, model)
