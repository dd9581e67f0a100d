"""Whether the model tells other data apart from its own, by a score of each point.

`decision_stump` is the rate of the paper; AUROC, AUPR and the false positive rate at 95% stand
beside it. Pairs and protocol: training points of both sets fix the threshold, test points are
measured.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from uomh.errors import UomhError
from uomh.metrics.core import Metric, MetricConfig
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.intervals import Estimate, Floats
from uomh.metrics.manifold import density_kind
from uomh.metrics.pointwise import dimension_at
from uomh.metrics.separation import aupr, auroc, decision_stump, fpr_at_95
from uomh.metrics.sources import PointSource
from uomh.metrics.values import NORMAL_95, Value
from uomh.nn.transforms import Cells
from uomh.registry import register


class ForeignConfig(MetricConfig):
    """Settings of metrics that tell other data apart."""

    ood: str | None = None
    """name of the other data; null: those of the evaluation"""
    points: int = Field(2000, ge=2)
    """points of each split at most, spread evenly"""


class ForeignMetric(Metric):
    """Separation of other data by a score; its balanced accuracy bears the metric's name."""

    Config = ForeignConfig
    config: ForeignConfig
    higher_is_better = True
    kept_as: ClassVar[str]
    """what the arrays of scores are called, beside the set that they are of"""

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """The paper's rate, AUROC, AUPR, false positive rate at 95%."""
        other, most = self.config.ood, self.config.points
        if other is None:
            raise UomhError("no other data were named; give --ood DATASET")
        sources = (
            PointSource("train", most),
            PointSource("held_out", most),
            PointSource("train", most, other),
            PointSource("test", most, other),
        )
        x, x_test, y, y_test = (self.score(evaluation, source).numpy() for source in sources)
        n, about = len(x_test) + len(y_test), f"against {evaluation.other(other).name}"
        prefix = self.name.replace("_acc", "")
        stump = decision_stump(x, x_test, y, y_test)
        names = (
            f"{side}_{self.kept_as}" for side in ("is_train", "is_test", "oos_train", "oos_test")
        )
        shown = evaluation.shown.setdefault(f"ood_{evaluation.other(other).name}", {})
        shown |= dict(zip(names, (x, x_test, y, y_test), strict=True))
        shown[f"threshold_{self.kept_as}"] = np.array(stump.threshold)
        separations: tuple[tuple[str, Callable[[], Estimate], bool], ...] = (
            (self.name, lambda: stump.accuracy, True),
            (f"{prefix}_auroc", lambda: auroc(x_test, y_test), True),
            (f"{prefix}_aupr", lambda: in_logits(aupr(x_test, y_test), len(x_test)), True),
            (f"{prefix}_fpr95", lambda: fpr_at_95(x_test, y_test), False),
        )
        for name, separation, better in separations:
            try:
                found = separation()
            except UomhError as error:  # points that are too few for one may do for another
                yield name, Value(None, reason=str(error), higher_is_better=better)
                continue
            ends = (found.value, found.low, found.high)
            value = Value(*ends, n, "estimate", higher_is_better=better, by="points of both")
            yield name, replace(value, about=about, influences=found.influences)

    @abstractmethod
    def score(self, evaluation: Evaluation, source: PointSource) -> Tensor:
        """Scores of the points of a source, (n,), higher for the model's own data."""


@register("metrics", "likelihood_ood_acc")
class LikelihoodOOD(ForeignMetric):
    """Balanced accuracy of telling other data apart by log-likelihood, as in the paper."""

    kept_as = "lowdim_False"

    def score(self, evaluation: Evaluation, source: PointSource) -> Tensor:
        """Log-density of x + u in data space."""
        return evaluation.log_prob(source)


@register("metrics", "likelihood_ood_acc_low_dim")
class LowDimLikelihoodOOD(ForeignMetric):
    """Balanced accuracy of telling other data apart by the log-density of the codes."""

    kept_as = "lowdim_True"

    def score(self, evaluation: Evaluation, source: PointSource) -> Tensor:
        """Log p2(E(x)) of a two-step model."""
        model = evaluation.generative
        density_kind(model)  # refuses, where there is none
        return evaluation.over_points(lambda x, y: model.low_dim_log_prob(x), source=source)


@register("metrics", "reconstruction_ood_acc")
class ReconstructionOOD(ForeignMetric):
    """Balanced accuracy of telling other data apart by how well codes restore a point."""

    kept_as = "reconstruction"

    def score(self, evaluation: Evaluation, source: PointSource) -> Tensor:
        """The squared distance to the restored point, negative."""
        model, centres = evaluation.generative, Cells(dequantize=False)

        def closeness(x: Tensor, y: Tensor | None) -> Tensor:
            del y  # labels of other data are of other classes
            error: Tensor = (model.reconstruct(x) - centres(x)).flatten(1)
            return -error.square().sum(1)

        return evaluation.over_points(closeness, source=source)


@register("metrics", "neighbour_ood_acc")
class NeighbourOOD(ForeignMetric):
    """Balanced accuracy of telling other data apart by the distance to the nearest sample."""

    kept_as = "neighbour"

    def score(self, evaluation: Evaluation, source: PointSource) -> Tensor:
        """The distance to the nearest of the model's samples in features, negative."""
        found = evaluation.neighbours(PointSource("samples"), source, 1)
        return -torch.from_numpy(found.distances[:, 0].copy())


class LikelihoodDimensionConfig(ForeignConfig):
    """Settings of the likelihood with the pointwise dimension."""

    k: int = Field(20, ge=2)
    """neighbours among the training points that the pointwise dimension is of"""


@register("metrics", "likelihood_id_ood_acc")
class LikelihoodDimensionOOD(ForeignMetric):
    r"""Balanced accuracy of telling other data apart by likelihood and pointwise dimension.

    Data of fewer dimensions can have the higher likelihood and still hardly any probability, which
    is a density times a volume: a point is foreign where its log-likelihood is low, *or* where it
    is high and the local dimension is low (Kamkari et al. 2024, "A geometric explanation of the
    likelihood OOD detection paradox"). Both thresholds are one here, at the same quantile of
    training points, so that the rule has a score,

        s(x) = min( F(log p(x)), G(d(x)) ),

    F and G the distribution functions of log-likelihoods and of pointwise dimensions over training
    points, and d(x) by maximum likelihood from the k nearest training points at positive distance
    (`uomh.metrics.pointwise`), where Kamkari et al. take the rank of the model's Jacobian at x.
    The foreign data have no part in it.
    """

    Config = LikelihoodDimensionConfig
    config: LikelihoodDimensionConfig
    kept_as = "likelihood_id"

    def score(self, evaluation: Evaluation, source: PointSource) -> Tensor:
        """The lower of both places among training points, in [0, 1]."""
        known = PointSource("train", self.config.points)
        places = [
            placed(of(source).numpy(), of(known).numpy())
            for of in (evaluation.log_prob, partial(dimension_at, evaluation, k=self.config.k))
        ]
        return torch.from_numpy(np.minimum(*places))


def placed(values: Floats, known: Floats) -> Floats:
    """The share of known values below each value, equal ones counted half."""
    ordered = np.sort(known)
    below, upto = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((below + upto) / (2 * len(known)))


def in_logits(area: float, n: int) -> Estimate:
    """An area under the precision-recall curve with its interval (Boyd, Eng & Page 2013).

    Args:
        area: in [0, 1].
        n: number of positive points.
    """
    inside = min(max(area, 0.5 / n), 1 - 0.5 / n)
    half = NORMAL_95 / math.sqrt(n * inside * (1 - inside))
    logit = math.log(inside / (1 - inside))
    low, high = (1 / (1 + math.exp(-(logit + side * half))) for side in (-1, 1))
    return Estimate(area, min(low, area), max(high, area))
