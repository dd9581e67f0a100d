"""Extractors: points to the features that sample metrics compare, one in each file."""

from uomh.metrics.features.core import Extractor, ExtractorConfig

__all__ = ["Extractor", "ExtractorConfig"]
