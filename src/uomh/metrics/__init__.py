"""Metrics: what is measured of a model on held-out points, with intervals."""

from uomh.metrics.core import Metric, MetricConfig, Value, evaluate, weights_of
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.sources import Source

__all__ = ["Evaluation", "Metric", "MetricConfig", "Source", "Value", "evaluate", "weights_of"]
