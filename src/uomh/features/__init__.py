"""Extractors: points to the features that sample metrics compare, one in each file."""

from uomh.features.core import Extractor, ExtractorConfig
from uomh.features.named import build_extractor, extractor_settings

__all__ = ["Extractor", "ExtractorConfig", "build_extractor", "extractor_settings"]
