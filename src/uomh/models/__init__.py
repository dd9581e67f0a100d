"""Generative models, one in each file, on the contracts of `uomh.models.core`."""

from uomh.models.core import Generative, Model, ModelConfig

__all__ = ["Generative", "Model", "ModelConfig"]
