"""Experiments: grids of runs that are trained, measured and compared; one in each file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

if TYPE_CHECKING:
    from uomh.experiments.core import Arm as Arm
    from uomh.experiments.core import Experiment as Experiment
    from uomh.experiments.result import ExperimentResult as ExperimentResult
else:
    __all__, __dir__, __getattr__ = attach(__name__)
