"""Metrics: what is measured of a model on held-out points, with intervals."""

from uomh.metrics.core import Evaluation, Metric, Value, evaluate

__all__ = ["Evaluation", "Metric", "Value", "evaluate"]
