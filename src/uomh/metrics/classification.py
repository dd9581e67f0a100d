"""How well a classifier tells classes apart, and whether that goes with their dimension."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from uomh.errors import UomhError
from uomh.metrics.core import Metric, MetricConfig
from uomh.metrics.correlation import How, correlation
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.intervals import wilson
from uomh.metrics.values import Value
from uomh.models.class_dimension import ClassDimension
from uomh.models.classifier import Classifier
from uomh.registry import register


def _by_class(evaluation: Evaluation, points: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The numbers (n,) of the held-out points of each class that has any."""
    labels = evaluation.split.y
    assert labels is not None
    for label, name in enumerate(evaluation.data.classes):
        members = points[labels == label]
        if len(members):
            yield name, members


def _found(evaluation: Evaluation) -> Tensor:
    """Whether the classifier puts each held-out point into its class, (n,)."""
    labels = evaluation.split.y
    assert labels is not None
    return evaluation.logits().argmax(1) == labels


def _share(found: Tensor) -> Value:
    value, n = found.double().mean().item(), len(found)
    return Value(value, *wilson(value, n), n)


@register("metrics", "accuracy")
class Accuracy(Metric):
    """Share of points that a classifier puts into their class; of all, and of each class."""

    higher_is_better = True
    groups = "none"

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """With Wilson's intervals."""
        found = _found(evaluation)
        yield self.name, _share(found)
        for group, members in _by_class(evaluation, found):
            yield self.name, replace(_share(members), group=group)


@register("metrics", "right_probability")
class RightProbability(Metric):
    """Mean probability that a classifier gives the right class; over all, and over each class."""

    higher_is_better = True
    groups = "none"

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """With intervals within 0 and 1."""
        probabilities, labels = evaluation.logits().softmax(1), evaluation.split.y
        assert labels is not None
        right = probabilities.gather(1, labels[:, None])[:, 0]
        yield self.name, _within(Value.mean(right), 0, 1)
        for group, members in _by_class(evaluation, right):
            yield self.name, replace(_within(Value.mean(members), 0, 1), group=group)


@register("metrics", "calibration_error")
class CalibrationError(Metric):
    r"""Expected calibration error of a classifier: how far confidence is from accuracy.

    Points are put into bins of equal width by the largest probability, the confidence; the error is
    sum_b n_b/n |mean confidence - accuracy| (Guo et al. 2017). That is the mean over points of
    s_b (confidence - found), s_b the sign of the bin's difference, and has the interval of a mean.
    """

    class Config(MetricConfig):
        """Its settings."""

        bins: int = Field(15, ge=1)
        """of equal width"""

    groups = "none"
    config: Config

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Over all points."""
        confidence = evaluation.logits().softmax(1).amax(1)
        value = calibration_error(confidence, _found(evaluation), self.config.bins)
        yield self.name, value


def calibration_error(confidence: Tensor, found: Tensor, bins: int = 15) -> Value:
    """Expected calibration error with its interval.

    Args:
        confidence: (n,) probabilities of the class that was chosen.
        found: (n,) whether that was right.
        bins: of equal width.
    """
    gap = confidence.double() - found.double()
    which = (confidence.double() * bins).ceil().long().sub(1).clamp(0, bins - 1)
    signs = torch.zeros(bins, dtype=torch.float64).index_add(0, which, gap).sign()
    return _within(Value.mean(signs[which] * gap), 0, 1)


@register("metrics", "dimension_correlation")
class DimensionCorrelation(Metric):
    """Whether a classifier's accuracy by class goes with the dimension of the class.

    Spearman's correlation, and Pearson's, with intervals over classes and permutation tests; the
    same of the mean probability of the right class, which still differs where every point is put
    right; beside them the dimension of each class, of its training points.
    """

    higher_is_better = None
    groups = "none"

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Over the classes that have a dimension and held-out points."""
        model = evaluation.model
        if not isinstance(model, Classifier):
            raise UomhError(f"{type(model).__name__} is no classifier")
        dimensions = dict(zip(evaluation.data.classes, model.config.dimensions or (), strict=False))
        for name, found in dimensions.items():
            yield "class_dimension", replace(_dimension(found), group=name)
        labels = evaluation.split.y
        assert labels is not None
        right = evaluation.logits().softmax(1).gather(1, labels[:, None])[:, 0]
        k, seed = model.config.dimension_k, evaluation.seed
        for names, points in (
            ((self.name, "dimension_pearson"), _found(evaluation).double()),
            (("probability_correlation", "probability_pearson"), right),
        ):
            known = [
                (dimension, members)
                for group, members in _by_class(evaluation, points)
                if (dimension := dimensions[group].dimension) is not None
            ]
            yield from _correlations(names, known, seed, k)


def _correlations(
    names: tuple[str, str], classes: list[tuple[float, Tensor]], seed: int, k: int
) -> Iterator[tuple[str, Value]]:
    """Spearman's and Pearson's correlation of dimensions with the means of points of the classes.

    Args:
        names: of the two.
        classes: dimension and numbers of the points of each.
        seed: of permutations.
        k: neighbours that the dimensions are of.
    """
    d = [dimension for dimension, _ in classes]
    means = [members.mean().item() for _, members in classes]
    if len(classes) < 3 or min(means) == max(means) or min(d) == max(d):
        few = f"{len(classes)} classes have a dimension, and it needs three"
        alike = f"every class has the same mean, {means[0]:.3g}" if means else few
        yield names[0], Value(None, reason=few if len(classes) < 3 else alike)
        return
    about = f"k = {k}; {_chance([members for _, members in classes])}"
    hows: tuple[How, ...] = ("spearman", "pearson")
    for how, name in zip(hows, names, strict=True):
        r = correlation(d, means, how, seed=seed)
        yield name, Value(r.value, r.low, r.high, r.n, by="classes", about=about)
        yield f"{name}_p", Value(r.p_value, n=r.n, by="classes")


def _dimension(found: ClassDimension) -> Value:
    if found.dimension is None:
        return Value(None, reason=found.reason)
    return Value(found.dimension, found.low, found.high, found.n, kind="estimate")


def _chance(classes: list[Tensor]) -> str:
    """How much of the spread of classes' means so few points would give by chance, in words."""
    means = torch.stack([members.mean() for members in classes])
    several = [members.var() / len(members) for members in classes if len(members) > 1]
    if not several:
        return "classes of one point"
    share = min(1.0, float(torch.stack(several).mean() / means.var()))
    return f"chance alone would give {100 * share:.0f}% of the variance between classes"


def _within(value: Value, least: float, most: float) -> Value:
    """The value with the ends of its interval between what it can be."""
    if value.low is None or value.high is None:
        return value
    return replace(value, low=max(least, value.low), high=min(most, value.high))
