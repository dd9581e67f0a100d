"""`DataConfig`: which data; apart from what reads them, so that help needs no torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, field_validator

from uomh.data.names import HUB
from uomh.settings import Settings

if TYPE_CHECKING:
    from uomh.data.decode import Reading

READING = ("resize", "background", "skip_broken", "point_column", "label_column")
"""settings of how a source is read, which not every source knows"""


class DataConfig(Settings):
    """Which data, and which of its rows."""

    dataset: str = "digits"
    """a name (see `uomh list datasets`), hub:ORG/NAME, a folder, or a file .npz, .npy, .csv"""
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
    """column of the labels, where it cannot be found by itself; empty: no labels"""
    point_column: str | None = None
    """column of the images or vectors, where it cannot be found by itself"""
    background: str = "white"
    """colour that transparent images are laid on: a name, or #rrggbb"""
    skip_broken: bool = False
    """leave out images that cannot be decoded, and say how many"""

    def reading(self) -> Reading:
        """How images and tables are read."""
        from uomh.data.decode import Reading  # imaging libraries are not needed for help

        return Reading(**{name: getattr(self, name) for name in READING})

    @field_validator("class_ind")
    @classmethod
    def _each_class_once(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and not value:
            raise ValueError("name at least one class, or leave it out")
        if value is not None and len(set(value)) < len(value):
            raise ValueError("each class can be kept once")
        return value

    def local(self) -> Path | None:
        """The file or folder that these data are read from; None where they are not local."""
        if self.dataset == "digits" or self.dataset.startswith("manifold:"):
            return None
        path = Path(self.data_root).expanduser() / self.dataset.removeprefix("hub:")
        if path.exists():
            return path
        path = Path(self.dataset).expanduser()
        named = self.dataset in HUB or self.dataset.startswith("hub:")
        return path if path.exists() and not named else None

    def absolute(self) -> Self:
        """The same settings, with absolute paths where data are local: they hold in any folder."""
        path = self.local()
        if path is None:
            return self
        root = os.path.abspath(Path(self.data_root).expanduser())
        if Path(root, self.dataset.removeprefix("hub:")).exists():
            return self.model_copy(update={"data_root": root})
        return self.model_copy(update={"dataset": os.path.abspath(path)})
