"""`DataConfig`: which data; apart from what reads them, so that help needs no torch."""

from __future__ import annotations

from pydantic import Field

from uomh.settings import Settings


class DataConfig(Settings):
    """Which data, and which of its rows."""

    dataset: str = "digits"
    """a name (see `uomh list datasets`), hub:ORG/NAME, a folder, or a file .npz"""
    data_root: str = "data"
    """folder in which DATA_ROOT/NAME is read instead of the Hub where it exists"""
    valid_fraction: float = Field(0.1, ge=0, lt=1)
    """share of the training rows held out for validation"""
    test_fraction: float = Field(0.1, ge=0, lt=1)
    """share of all rows held out for testing where the source has no test split"""
    limit: int | None = Field(None, gt=0)
    """keep only the first rows of the shuffled training split"""
    test_limit: int | None = Field(None, gt=0)
    """keep only the first rows of the shuffled test split"""
    class_ind: tuple[int, ...] | None = None
    """keep only the classes of these numbers, renumbered from 0"""
    resize: int | None = Field(None, gt=0)
    """bring images to this height and width"""
    label_column: str | None = None
    """column of the labels, where it cannot be found by itself"""
