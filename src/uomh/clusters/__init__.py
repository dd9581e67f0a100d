"""Clusterings: relabellings of data, one clusterer in each file, on the contract of `core`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

if TYPE_CHECKING:
    from uomh.clusters.agreement import Agreement as Agreement
    from uomh.clusters.agreement import compare as compare
    from uomh.clusters.core import Clusterer as Clusterer
    from uomh.clusters.core import ClustererConfig as ClustererConfig
    from uomh.clusters.core import PointClusterer as PointClusterer
    from uomh.clusters.core import cluster as cluster
    from uomh.clusters.core import settings_of as settings_of
    from uomh.clusters.partition import load_partition as load_partition
    from uomh.clusters.partition import save_partition as save_partition
else:
    __all__, __dir__, __getattr__ = attach(__name__)
