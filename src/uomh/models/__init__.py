"""Generative models, one in each file, on the contracts of `uomh.models.core`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

if TYPE_CHECKING:
    from uomh.models.codec import CodecModel as CodecModel
    from uomh.models.codec import CodesConfig as CodesConfig
    from uomh.models.core import Generative as Generative
    from uomh.models.core import build_model as build_model
    from uomh.models.core import model_class as model_class
    from uomh.models.leaf import Model as Model
    from uomh.models.trainable import ModelConfig as ModelConfig
    from uomh.models.trainable import ModelSettings as ModelSettings
    from uomh.models.trainable import Trainable as Trainable

else:
    __all__, __dir__, __getattr__ = attach(__name__)
