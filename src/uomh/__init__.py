"""uomh: do your data lie on a union of manifolds, and which generative models respect it?

The public names below load on first use, so that ``import uomh`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

from uomh.errors import UomhError
from uomh.registry import register

__version__ = "0.1.0"

_HOMES: dict[str, str] = {
    "Neighbours": "uomh.neighbours",
    "nearest_neighbours": "uomh.neighbours",
}

__all__ = ["Neighbours", "UomhError", "nearest_neighbours", "register"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'uomh' has no attribute {name!r}")
