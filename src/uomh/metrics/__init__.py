"""Metrics: what is measured of a model on held-out points, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

if TYPE_CHECKING:
    from uomh.metrics.core import Evaluation as Evaluation
    from uomh.metrics.core import Metric as Metric
    from uomh.metrics.core import evaluate as evaluate
    from uomh.metrics.core import weights_of as weights_of
    from uomh.metrics.values import Value as Value
else:
    __all__, __dir__, __getattr__ = attach(__name__)
