"""Generative models, one in each file, on the contracts of `uomh.models.core`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

if TYPE_CHECKING:
    from uomh.models.core import Generative as Generative
    from uomh.models.core import Model as Model
    from uomh.models.core import ModelConfig as ModelConfig
else:
    __all__, __dir__, __getattr__ = attach(__name__)
