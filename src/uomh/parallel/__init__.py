"""Independent work, in this process, in processes, or on a Ray cluster; and how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attributes

if TYPE_CHECKING:
    from uomh.parallel.core import Outcome, Parallel, computing_with, raise_failures, resumable_map
    from uomh.parallel.progress import Progress

_HOMES = {
    "Outcome": "uomh.parallel.core",
    "Parallel": "uomh.parallel.core",
    "Progress": "uomh.parallel.progress",
    "computing_with": "uomh.parallel.core",
    "raise_failures": "uomh.parallel.core",
    "resumable_map": "uomh.parallel.core",
}

__all__ = ["Outcome", "Parallel", "Progress", "computing_with", "raise_failures", "resumable_map"]

__getattr__ = attributes(__name__, _HOMES)
