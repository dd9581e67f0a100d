"""Extractors by what a user writes: ``classifier``, ``run:PATH``, ``file.py:function``, ..."""

from __future__ import annotations

import torch

from uomh import registry
from uomh.data.core import Data
from uomh.errors import UomhError, unknown
from uomh.features.core import Extractor, ExtractorConfig
from uomh.parallel.progress import Progress
from uomh.settings import Nested


def extractor_settings(text: str = "classifier", weights: str | None = None) -> ExtractorConfig:
    """The settings of the extractor that a text names.

    Args:
        text: a registered name, ``run:PATH``, or ``module:NAME`` or ``file.py:NAME`` of a function
            or of a class derived from `Extractor`.
        weights: file of its weights.

    Raises:
        UomhError: there is none such, or it takes no weights.

    >>> extractor_settings("run:runs/digits_vae").name
    'run'
    """
    values: Nested = {}
    known = registry.entries("extractors")
    before, colon, after = text.partition(":")
    if text in known or not colon:
        cls, name = registry.load("extractors", text), text
    elif before == "run":
        cls, name = registry.load("extractors", "run"), "run"
        values["path"] = after
    elif not text.rpartition(":")[0] or not text.rpartition(":")[2]:
        raise unknown("extractor", text, known)
    else:
        target = registry.attribute(text)
        if isinstance(target, type) and issubclass(target, Extractor):
            # A class of a module made itself known when that was imported.
            name = text if before.endswith(".py") else target.name
            cls = registry.load("extractors", name)
        else:
            cls, name = registry.load("extractors", "function"), "function"
            values["target"] = text
    if weights is not None:
        if "weights" not in cls.Config.model_fields:
            raise UomhError(
                f"--feature-weights is for inception and dinov2; {text} reads no file of weights"
            )
        values["weights"] = weights
    settings: ExtractorConfig = cls.Config.of({**values, "name": name}, "extractor")
    return settings


def build_extractor(
    extractor: str | ExtractorConfig,
    data: Data,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    weights: str | None = None,
) -> Extractor:
    """An extractor for the points of a data set, ready to extract.

    Args:
        extractor: as in `extractor_settings`, or settings from there.
        data: it learns from these where it learns, and takes points of their shape.
        device: where it computes.
        progress: is told how training goes, where there is any.
        weights: file of its weights, for one that is named by a text.

    Raises:
        UomhError: there is none such, or it cannot be had for these data.
    """
    settings = extractor
    if isinstance(settings, str):
        settings = extractor_settings(settings, weights)
    cls: type[Extractor] = registry.load("extractors", settings.name)
    return cls(settings, data, device, progress)
