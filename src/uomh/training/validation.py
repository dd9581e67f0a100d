"""Metrics on the validation split while a leaf is trained, every few epochs, on few samples."""

from __future__ import annotations

from functools import cached_property

from uomh import registry
from uomh.config import TrainConfig
from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.metrics import Evaluation, Value, evaluate
from uomh.models.trainable import Trainable
from uomh.settings import ComponentSettings
from uomh.training.scope import Scope


class Validation:
    """Of one leaf.

    Args:
        scope: where it is trained.
        config: how.
        model: as it is when values are asked for.
        data: that it is trained on.
    """

    def __init__(self, scope: Scope, config: TrainConfig, model: Trainable, data: Data) -> None:
        self.scope, self.config, self.model, self.data = scope, config, model, data

    @cached_property
    def evaluation(self) -> Evaluation:
        """Of the model as it is, on the validation split.

        Samples that are vectors, such as codes, are compared as they are: a classifier of them
        would be one of this leaf alone.
        """
        return Evaluation(
            self.model,
            self.data,
            self.data.valid,
            self.scope.seed,
            self.scope.valid_batch_size,
            samples=self.config.valid_samples,
            extractor=None if self.data.spec.is_image else ComponentSettings(name="pixels"),
        )

    def is_due(self, epoch: int) -> bool:
        """Whether this epoch is validated."""
        return epoch % self.config.valid_every == 0 or epoch >= self.config.max_epochs

    def values(self, epoch: int, first: bool) -> dict[str, Value]:
        """Validation metrics, by their keys; without a number where the model has no such thing.

        They draw from streams of their own, so that training goes on as if it were not validated.

        Args:
            epoch: for the error.
            first: whether the metric for early stopping had no number so far.

        Raises:
            UomhError: it yields none, by which weights could be chosen.
        """
        self.evaluation.forget_model()
        values = evaluate(self.config.metrics, self.evaluation)
        chosen = self.config.early_stopping_metric
        if chosen is not None and len(self.data.valid):
            value = values.get(metric_name(chosen))
            if value is None:
                raise UomhError(
                    f"train.early_stopping_metric={chosen} yields no value called "
                    f"{metric_name(chosen)!r}; let it yield one by its own name"
                )
            if value.value is None and not value.n and first:
                raise UomhError(
                    f"train.early_stopping_metric={chosen} has no value at epoch {epoch}: "
                    f"{value.reason}"
                )
        return values


def metric_name(setting: str) -> str:
    """The name of a metric's value; in the settings it may be ``file.py:Class``."""
    name: str = registry.load("metrics", setting).name
    return name
