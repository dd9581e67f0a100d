"""Metrics: what is measured of a model on held-out points, with intervals."""

from uomh.metrics.core import Evaluation, Metric, Value, evaluate, weights_of

__all__ = ["Evaluation", "Metric", "Value", "evaluate", "weights_of"]
