"""Data as values: images or vectors with labels, from any source, decoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

if TYPE_CHECKING:
    from uomh.data.cache import Rows as Rows
    from uomh.data.cache import Source as Source
    from uomh.data.config import DataConfig as DataConfig
    from uomh.data.core import Data as Data
    from uomh.data.core import DataSpec as DataSpec
    from uomh.data.core import Split as Split
    from uomh.data.dataset import Dataset as Dataset
    from uomh.data.load import load_data as load_data
else:
    __all__, __dir__, __getattr__ = attach(__name__)
