"""Clusterings: relabellings of data, one clusterer in each file, on the contract of `core`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attributes

if TYPE_CHECKING:
    from uomh.clusters.agreement import Agreement, compare
    from uomh.clusters.core import (
        Clusterer,
        ClustererConfig,
        PointClusterer,
        cluster,
        settings_of,
    )
    from uomh.clusters.partition import load_partition, save_partition

_HOMES = {
    "Agreement": "uomh.clusters.agreement",
    "Clusterer": "uomh.clusters.core",
    "ClustererConfig": "uomh.clusters.core",
    "PointClusterer": "uomh.clusters.core",
    "cluster": "uomh.clusters.core",
    "compare": "uomh.clusters.agreement",
    "load_partition": "uomh.clusters.partition",
    "save_partition": "uomh.clusters.partition",
    "settings_of": "uomh.clusters.core",
}

__all__ = [
    "Agreement",
    "Clusterer",
    "ClustererConfig",
    "PointClusterer",
    "cluster",
    "compare",
    "load_partition",
    "save_partition",
    "settings_of",
]

__getattr__ = attributes(__name__, _HOMES)
