"""uomh: do your data lie on a union of manifolds, and which generative models respect it?

The public names below load on first use, so that ``import uomh`` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.errors import UomhError
from uomh.lazy import attributes
from uomh.registry import register

if TYPE_CHECKING:
    from uomh.clusters import cluster
    from uomh.data import load_data
    from uomh.dimension.evidence import verify
    from uomh.dimension.result import DimensionReport
    from uomh.neighbours import Neighbours, nearest_neighbours
    from uomh.training.load import load_run
    from uomh.training.measure import measure
    from uomh.training.resolve import resolve
    from uomh.training.run import build, fit, train

__version__ = "0.1.0"

_HOMES = {
    "DimensionReport": "uomh.dimension.result",
    "Neighbours": "uomh.neighbours",
    "build": "uomh.training.run",
    "cluster": "uomh.clusters",
    "fit": "uomh.training.run",
    "load_data": "uomh.data",
    "load_run": "uomh.training.load",
    "measure": "uomh.training.measure",
    "nearest_neighbours": "uomh.neighbours",
    "resolve": "uomh.training.resolve",
    "train": "uomh.training.run",
    "verify": "uomh.dimension.evidence",
}

__all__ = [
    "DimensionReport",
    "Neighbours",
    "UomhError",
    "build",
    "cluster",
    "fit",
    "load_data",
    "load_run",
    "measure",
    "nearest_neighbours",
    "register",
    "resolve",
    "train",
    "verify",
]


__getattr__ = attributes(__name__, _HOMES)
