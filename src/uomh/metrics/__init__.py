"""Metrics: what is measured of a model on held-out points, with intervals."""

from uomh.metrics.core import Evaluation, Metric, MetricConfig, Value, evaluate, weights_of

__all__ = ["Evaluation", "Metric", "MetricConfig", "Value", "evaluate", "weights_of"]
