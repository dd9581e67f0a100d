"""Metrics: what is measured of a model on held-out points, with intervals; and on plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attributes
from uomh.metrics.core import Metric, MetricConfig, Value, evaluate, weights_of
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.sources import Source

if TYPE_CHECKING:
    from uomh.metrics.balls import PRDC, PRDCEstimates, prdc, prdc_estimates
    from uomh.metrics.copies import Memorisation, c_t, memorisation
    from uomh.metrics.frechet import (
        fid_infinity,
        frechet_distance,
        frechet_estimate,
        frechet_from_moments,
    )
    from uomh.metrics.intervals import Estimate, difference
    from uomh.metrics.kernels import kid, kid_estimate, mmd, mmd_estimate
    from uomh.metrics.moments import Moments
    from uomh.metrics.separation import Stump, aupr, auroc, decision_stump, fpr_at_95
    from uomh.metrics.shares import Between, between_manifolds, share_beyond

# No module may be called as a function: importing it would put it in the function's place.
_HOMES = {
    "Between": "uomh.metrics.shares",
    "Estimate": "uomh.metrics.intervals",
    "Memorisation": "uomh.metrics.copies",
    "Moments": "uomh.metrics.moments",
    "PRDC": "uomh.metrics.balls",
    "PRDCEstimates": "uomh.metrics.balls",
    "Stump": "uomh.metrics.separation",
    "aupr": "uomh.metrics.separation",
    "auroc": "uomh.metrics.separation",
    "between_manifolds": "uomh.metrics.shares",
    "c_t": "uomh.metrics.copies",
    "decision_stump": "uomh.metrics.separation",
    "difference": "uomh.metrics.intervals",
    "fid_infinity": "uomh.metrics.frechet",
    "fpr_at_95": "uomh.metrics.separation",
    "frechet_distance": "uomh.metrics.frechet",
    "frechet_estimate": "uomh.metrics.frechet",
    "frechet_from_moments": "uomh.metrics.frechet",
    "kid": "uomh.metrics.kernels",
    "kid_estimate": "uomh.metrics.kernels",
    "memorisation": "uomh.metrics.copies",
    "mmd": "uomh.metrics.kernels",
    "mmd_estimate": "uomh.metrics.kernels",
    "prdc": "uomh.metrics.balls",
    "prdc_estimates": "uomh.metrics.balls",
    "share_beyond": "uomh.metrics.shares",
}

__all__ = [
    "PRDC",
    "Between",
    "Estimate",
    "Evaluation",
    "Memorisation",
    "Metric",
    "MetricConfig",
    "Moments",
    "PRDCEstimates",
    "Source",
    "Stump",
    "Value",
    "aupr",
    "auroc",
    "between_manifolds",
    "c_t",
    "decision_stump",
    "difference",
    "evaluate",
    "fid_infinity",
    "fpr_at_95",
    "frechet_distance",
    "frechet_estimate",
    "frechet_from_moments",
    "kid",
    "kid_estimate",
    "memorisation",
    "mmd",
    "mmd_estimate",
    "prdc",
    "prdc_estimates",
    "share_beyond",
    "weights_of",
]

__getattr__ = attributes(__name__, _HOMES)
