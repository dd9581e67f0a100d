"""Data as values: images or vectors with labels, from any source, decoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attributes

if TYPE_CHECKING:
    from uomh.data.config import DataConfig
    from uomh.data.core import Data, DataSpec, Split
    from uomh.data.load import load_data

__all__ = ["Data", "DataConfig", "DataSpec", "Split", "load_data"]

__getattr__ = attributes(
    __name__,
    {
        "Data": "uomh.data.core",
        "DataSpec": "uomh.data.core",
        "Split": "uomh.data.core",
        "DataConfig": "uomh.data.config",
        "load_data": "uomh.data.load",
    },
)
