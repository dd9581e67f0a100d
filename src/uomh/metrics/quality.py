"""How good samples are: distances of their features to those of the data.

Features are those of an extractor, which stands beside every score: scores in different features
are not comparable, nor are Frechet distances of different numbers of samples, which stand there
too. The reference is the training split and as many samples as it has, as in the paper, unless the
settings say otherwise.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor

from uomh.metrics.balls import prdc_estimates
from uomh.metrics.core import Metric, MetricConfig
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.frechet import fid_infinity_estimate, frechet_estimate
from uomh.metrics.intervals import Estimate
from uomh.metrics.kernels import kid_estimate, mmd_estimate
from uomh.metrics.sources import PointSource
from uomh.metrics.values import Value
from uomh.registry import register
from uomh.settings import component


class SamplesConfig(MetricConfig):
    """Settings of metrics that compare samples with data."""

    samples: int | None = Field(None, ge=1)
    """samples in all groups together; null: as many as the evaluation draws"""
    reference: Literal["train", "valid", "test"] = "train"
    """split that they are compared with"""
    features: component("extractors") = None  # type: ignore[valid-type]
    """in which they are compared; null: those of the evaluation"""


class SamplesMetric(Metric):
    """A metric of the features of samples and of a reference."""

    Config = SamplesConfig
    config: SamplesConfig
    groups = "classes"

    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Compare, with the number of samples and the features beside each value."""
        config = self.config
        real = evaluation.features(PointSource(config.reference), config.features)
        drawn = evaluation.features(PointSource("samples", config.samples), config.features)
        extractor = evaluation.extractor(config.features)
        about = f"{extractor.label} features, {len(real)} {config.reference} points"
        if extractor.about:
            about = f"{about}, {extractor.about}"
        for name, estimate, better in self.compare(real, drawn, evaluation.seed):
            yield (
                name,
                Value(
                    estimate.value,
                    estimate.low,
                    estimate.high,
                    len(drawn),
                    "estimate",
                    higher_is_better=better,
                    by="samples and reference",
                    about=about,
                    basis=f"{extractor.key}, {len(real)} and {len(drawn)} points",
                    influences=estimate.influences,
                ),
            )

    @abstractmethod
    def compare(
        self, real: Tensor, drawn: Tensor, seed: int
    ) -> Iterator[tuple[str, Estimate, bool | None]]:
        """Named estimates, and whether higher is better.

        Args:
            real: features (n, F).
            drawn: features (m, F).
            seed: of what is random.
        """


@register("metrics", "fid")
class FID(SamplesMetric):
    """Frechet distance between Gaussians of the features of samples and data (FID)."""

    def compare(
        self, real: Tensor, drawn: Tensor, seed: int
    ) -> Iterator[tuple[str, Estimate, bool | None]]:
        """At these numbers of points, with the bias that they bring."""
        del seed
        yield self.name, frechet_estimate(real, drawn), False


@register("metrics", "fid_infinity")
class FIDInfinity(SamplesMetric):
    """Frechet distance extrapolated to samples without end (Chong & Forsyth 2020)."""

    def compare(
        self, real: Tensor, drawn: Tensor, seed: int
    ) -> Iterator[tuple[str, Estimate, bool | None]]:
        """Extrapolation draws the order in which points are dealt out."""
        yield self.name, fid_infinity_estimate(real, drawn, seed=seed), False


@register("metrics", "kid")
class KID(SamplesMetric):
    """Kernel distance of features, unbiased at any number of samples (KID)."""

    def compare(
        self, real: Tensor, drawn: Tensor, seed: int
    ) -> Iterator[tuple[str, Estimate, bool | None]]:
        """Of all points, with the cubic kernel of Binkowski et al. 2018."""
        del seed
        yield self.name, kid_estimate(real, drawn), False


@register("metrics", "mmd")
class MMD(SamplesMetric):
    """Squared maximum mean discrepancy of features with a Gaussian kernel, unbiased."""

    def compare(
        self, real: Tensor, drawn: Tensor, seed: int
    ) -> Iterator[tuple[str, Estimate, bool | None]]:
        """With the median distance as bandwidth (Gretton et al. 2012)."""
        del seed
        yield self.name, mmd_estimate(real, drawn), False


class PRDCConfig(SamplesConfig):
    """Settings of precision, recall, density and coverage."""

    k: int = Field(5, ge=1)
    """which neighbour sets the radii; 3 in Kynkaanniemi et al., 5 in Naeem et al."""


@register("metrics", "precision_recall_density_coverage")
class PrecisionRecallDensityCoverage(SamplesMetric):
    """Precision, recall, density and coverage of samples against data."""

    Config = PRDCConfig
    config: PRDCConfig
    higher_is_better = True

    def compare(
        self, real: Tensor, drawn: Tensor, seed: int
    ) -> Iterator[tuple[str, Estimate, bool | None]]:
        """Four values, each by its name."""
        found = prdc_estimates(real, drawn, self.config.k, seed=seed)
        for name, estimate in found._asdict().items():
            yield name, estimate, True
