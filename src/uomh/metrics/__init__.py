"""Metrics: what is measured of a model on held-out points, with intervals; and on plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

# No module may be called as a function: importing it would put it in the function's place.
if TYPE_CHECKING:
    from uomh.metrics.balls import PRDC as PRDC
    from uomh.metrics.balls import PRDCEstimates as PRDCEstimates
    from uomh.metrics.balls import prdc as prdc
    from uomh.metrics.balls import prdc_estimates as prdc_estimates
    from uomh.metrics.comparison import Comparison as Comparison
    from uomh.metrics.comparison import Difference as Difference
    from uomh.metrics.comparison import compare as compare
    from uomh.metrics.copies import Memorisation as Memorisation
    from uomh.metrics.copies import c_t as c_t
    from uomh.metrics.copies import memorisation as memorisation
    from uomh.metrics.core import Metric as Metric
    from uomh.metrics.core import MetricConfig as MetricConfig
    from uomh.metrics.core import evaluate as evaluate
    from uomh.metrics.core import weights_of as weights_of
    from uomh.metrics.evaluation import Evaluation as Evaluation
    from uomh.metrics.frechet import fid_infinity as fid_infinity
    from uomh.metrics.frechet import fid_infinity_estimate as fid_infinity_estimate
    from uomh.metrics.frechet import frechet_distance as frechet_distance
    from uomh.metrics.frechet import frechet_estimate as frechet_estimate
    from uomh.metrics.frechet import frechet_from_moments as frechet_from_moments
    from uomh.metrics.intervals import Estimate as Estimate
    from uomh.metrics.kernels import kid as kid
    from uomh.metrics.kernels import kid_estimate as kid_estimate
    from uomh.metrics.kernels import mmd as mmd
    from uomh.metrics.kernels import mmd_estimate as mmd_estimate
    from uomh.metrics.moments import Moments as Moments
    from uomh.metrics.pairing import PairedDifference as PairedDifference
    from uomh.metrics.pairing import paired_difference as paired_difference
    from uomh.metrics.separation import Stump as Stump
    from uomh.metrics.separation import aupr as aupr
    from uomh.metrics.separation import auroc as auroc
    from uomh.metrics.separation import decision_stump as decision_stump
    from uomh.metrics.separation import fpr_at_95 as fpr_at_95
    from uomh.metrics.shares import BetweenShares as BetweenShares
    from uomh.metrics.shares import between_manifolds as between_manifolds
    from uomh.metrics.shares import share_beyond as share_beyond
    from uomh.metrics.sources import PointSource as PointSource
    from uomh.metrics.values import Value as Value
else:
    __all__, __dir__, __getattr__ = attach(__name__)
