"""uomh: do your data lie on a union of manifolds, and which generative models respect it?

The public names below load on first use, so that ``import uomh`` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

__version__ = "0.1.0"

if TYPE_CHECKING:
    from uomh import metrics as metrics
    from uomh.clusters.core import cluster as cluster
    from uomh.data.load import load_data as load_data
    from uomh.dimension.evidence import verify as verify
    from uomh.dimension.result import DimensionReport as DimensionReport
    from uomh.errors import UomhError as UomhError
    from uomh.metrics.comparison import compare as compare
    from uomh.neighbours import nearest_neighbours as nearest_neighbours
    from uomh.neighbours.core import Neighbours as Neighbours
    from uomh.registry import register as register
    from uomh.report import figures as figures
    from uomh.training.complete import complete as complete
    from uomh.training.load import load_run as load_run
    from uomh.training.measure import measure as measure
    from uomh.training.resolve import resolve as resolve
    from uomh.training.run import build as build
    from uomh.training.run import fit as fit
    from uomh.training.run import train as train
else:
    __all__, __dir__, __getattr__ = attach(__name__)
