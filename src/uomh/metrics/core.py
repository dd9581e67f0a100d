"""The contract of metrics: named values with 95% intervals over test points.

A metric is given an `Evaluation`, which holds the model, the points, and what several metrics share
(samples, features, neighbours, log-densities, each computed once). It yields (name, `Value`). What
cannot be measured yields a value of None and the reason.

Likelihoods are averages over points x + u, where u is uniform over one grey level and drawn from
the seed, so that they are densities of data space for every model, and comparable.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from uomh import registry
from uomh.errors import UomhError
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.failures import LINEAR_ALGEBRA, reason_of
from uomh.metrics.groups import groups_of
from uomh.metrics.values import Value
from uomh.models.core import Learner
from uomh.seeds import seeded
from uomh.settings import ComponentSettings


def weights_of(model: nn.Module) -> str:
    """A short hash of a model's parameters and buffers: equal for equal bits, on any device."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


class MetricConfig(ComponentSettings):
    """Settings of a metric."""


class Metric(ABC):
    """Something that is measured.

    Args:
        config: settings, of the class's own ``Config``.

    Attributes:
        higher_is_better: the direction, for early stopping and comparison, of the value that bears
            the metric's name; None: it has none. Further values say their own.
        groups: of what it is measured beside the whole: of the ``parts`` of a disconnected model,
            of the ``classes`` of a conditional one as well, or of ``none``.
    """

    Config: ClassVar[type[MetricConfig]] = MetricConfig

    name: ClassVar[str]
    higher_is_better: ClassVar[bool | None] = False
    groups: ClassVar[Literal["parts", "classes", "none"]] = "parts"

    def __init__(self, config: MetricConfig | None = None) -> None:
        self.config = config or self.Config(name=self.name)

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that are not the defaults."""
        return self.config.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)

    @abstractmethod
    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Yield named values.

        Raises:
            UomhError: the model has nothing of the kind; its sentence becomes the reason.
        """


def evaluate(
    metrics: Iterable[str | ComponentSettings], evaluation: Evaluation
) -> dict[str, Value]:
    """Measure, each metric on a random stream of its own; what fails leaves the others.

    Args:
        metrics: names as registered, or settings.
        evaluation: model and points.

    Returns:
        The values by their `Value.key`.

    Raises:
        UomhError: no such metric.
    """
    chosen = [built(metric) for metric in metrics]
    values: dict[str, Value] = {}
    was_training = evaluation.model.training
    evaluation.model.eval()
    for metric in chosen:
        with seeded(evaluation.seed, "metric", metric.name):
            for name, value in _measured(metric, evaluation):
                value = replace(value, name=name, metric=metric.name, settings=metric.changed)
                if evaluation.group is not None:
                    value = replace(value, group=evaluation.group)
                if name == metric.name:
                    value = replace(value, higher_is_better=metric.higher_is_better)
                values[value.key] = value
    evaluation.model.train(was_training)
    return values


def evaluate_with_groups(
    metrics: Iterable[str | ComponentSettings], evaluation: Evaluation
) -> dict[str, Value]:
    """Measure the whole and the groups that each metric is for.

    Args:
        metrics: names as registered, or settings.
        evaluation: of the whole.

    Raises:
        UomhError: no such metric.
    """
    chosen = tuple(metrics)
    values = evaluate(chosen, evaluation)
    model = evaluation.model
    named = ("parts", "classes") if isinstance(model, Learner) and model.parts() else ("classes",)
    by_group = [metric for metric in chosen if built(metric).groups in named]
    for group in groups_of(evaluation) if by_group else ():
        values |= evaluate(by_group, group)
    return values


def built(metric: str | ComponentSettings) -> Metric:
    """The metric of a name, with its defaults, or of settings.

    Raises:
        UomhError: no such metric.
    """
    name = metric if isinstance(metric, str) else metric.name
    cls: type[Metric] = registry.load("metrics", name)
    if isinstance(metric, cls.Config):
        return cls(metric)
    return cls(cls.Config(name=name))


def _measured(metric: Metric, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
    """What a metric yields; where it fails before its value, why it has none."""
    given = set()
    try:
        for name, value in metric.measure(evaluation):
            if value.group is None:
                given.add(name)
            yield name, value
    except (UomhError, *LINEAR_ALGEBRA) as error:
        if metric.name not in given:
            yield metric.name, Value(None, reason=reason_of(error))
