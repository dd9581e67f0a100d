"""What samples are that data are not: between the manifolds, or copies of training points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from pydantic import Field

from uomh.metrics.copies import Memorisation, memorisation
from uomh.metrics.core import Metric, MetricConfig
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.intervals import Estimate
from uomh.metrics.shares import BetweenShares, between_manifolds, share_beyond
from uomh.metrics.sources import HELD_OUT, TRAIN, PointSource
from uomh.metrics.values import Value
from uomh.registry import register
from uomh.settings import ComponentSettings, component

FARTHEST = 32
"""samples between the manifolds that are shown"""
PAIRS = 16
"""closest pairs of a sample and a training point that are shown"""


class BetweenConfig(MetricConfig):
    """Settings of the shares between the manifolds."""

    samples: int | None = Field(None, ge=1)
    """samples; null: as many as the evaluation draws"""
    features: component("extractors") = None  # type: ignore[valid-type]
    """in which they are compared beside pixels; null: those of the evaluation"""
    level: float = Field(0.99, gt=0, lt=1)
    """share of held-out points that a sample has to exceed"""


@register("metrics", "between")
class Between(Metric):
    """Share of samples farther from the training set than 99% of held-out points, in features.

    Beside it: the same in pixels, and the share that a classifier cannot place, whose greatest
    probability is below that of 99% of held-out points. Of held-out data each is 1%.
    """

    Config = BetweenConfig
    config: BetweenConfig
    groups = "none"

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Three shares, with intervals over samples and held-out points."""
        config, drawn = self.config, PointSource("samples", self.config.samples)
        pixels, extractor = ComponentSettings(name="pixels"), evaluation.extractor(config.features)
        for name, features in ((self.name, config.features), (f"{self.name}_pixels", pixels)):
            found = between_manifolds(
                evaluation.features(drawn, features),
                evaluation.features(TRAIN, features),
                evaluation.features(HELD_OUT, features),
                config.level,
            )
            if name == self.name:
                self._show_farthest(evaluation, drawn, found)
            of = evaluation.extractor(features).label
            number = len(evaluation.points(HELD_OUT))
            about = f"{of} features; of {number} held-out points {found.held_out.value:.4g}"
            far = share_value(found.share, len(found.distances), about)
            yield name, replace(far, basis=evaluation.extractor(features).key)
        name = f"{self.name}_unplaced"
        if not hasattr(extractor, "probabilities"):
            reason = f"features of {extractor.label} say no class; take the classifier's"
            yield name, Value(None, reason=reason)
            return
        top, known = (
            extractor.probabilities(evaluation.features(of, config.features)).max(1).values.numpy()
            for of in (drawn, HELD_OUT)
        )
        share = share_beyond(-top, -known, config.level, seed=evaluation.seed)
        value = share_value(share, len(top), extractor.about)
        yield name, replace(value, basis=extractor.key)

    @staticmethod
    def _show_farthest(evaluation: Evaluation, drawn: PointSource, found: BetweenShares) -> None:
        """Leave the samples beyond the limit for a picture, the farthest first."""
        far = np.argsort(-found.distances, kind="stable")[:FARTHEST]
        far = far[found.distances[far] > found.limit]
        evaluation.shown["between"] = {
            "samples": far,
            "distances": found.distances[far],
            "limit": np.array(found.limit),
            "sample_points": evaluation.points(drawn).x[far].numpy(),
            "levels": np.array(evaluation.data.levels or 0),
        }


class MemorisationConfig(MetricConfig):
    """Settings of memorisation."""

    samples: int | None = Field(None, ge=1)
    """samples in all groups together; null: as many as the evaluation draws"""
    features: component("extractors") = Field(  # type: ignore[valid-type]
        "pixels", validate_default=True
    )
    """in which they are compared"""


@register("metrics", "memorisation")
class MemorisationMetric(Metric):
    """Share of samples that are nearer to a training than to a held-out point, above chance.

    Beside it the authenticity of samples (Alaa et al. 2022) and the statistic C_T (Meehan et al.
    2020); see `uomh.metrics.copies`. Samples are memorised where C_T and this share both say so.
    """

    Config = MemorisationConfig
    config: MemorisationConfig

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """The excess over chance, authenticity, C_T."""
        features, drawn = self.config.features, PointSource("samples", self.config.samples)
        found = memorisation(
            *(evaluation.features(source, features) for source in (drawn, TRAIN, HELD_OUT))
        )
        n = len(found.distances)
        self._show_closest(evaluation, drawn, found)
        verdict = "copies of training points" if found.memorises else "no copies"
        about = f"{verdict}; {evaluation.extractor(features).label} features"
        if found.excess is None:
            reason = (
                "samples are as near to training as to held-out points, or all points are the "
                "nearest of as many: the share has no interval; draw more samples"
            )
            yield self.name, Value(None, reason=reason)
        else:
            yield self.name, share_value(found.excess, n, about)
        authentic = share_value(found.authenticity, n, about)
        yield "authenticity", replace(authentic, higher_is_better=True)
        score = share_value(found.c_t_estimate, n, about)
        yield "c_t", replace(score, higher_is_better=None)

    @staticmethod
    def _show_closest(evaluation: Evaluation, drawn: PointSource, found: Memorisation) -> None:
        """Leave the closest pairs of sample and training point for a picture."""
        samples, training = found.closest(PAIRS)
        evaluation.shown["closest_pairs"] = {
            "samples": samples,
            "training": training,
            "distances": found.distances[samples],
            "sample_points": evaluation.points(drawn).x[samples].numpy(),
            "training_points": evaluation.points(TRAIN).x[training].numpy(),
            "levels": np.array(evaluation.data.levels or 0),
        }


def share_value(estimate: Estimate, n: int, about: str) -> Value:
    """A share of n samples as a value, of which less is better."""
    return Value(
        estimate.value,
        estimate.low,
        estimate.high,
        n,
        "estimate",
        higher_is_better=False,
        by="samples and held-out points",
        about=about,
        influences=estimate.influences,
    )
