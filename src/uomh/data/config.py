"""`DataConfig`: which data. Apart from the code that reads them, so that help needs no torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, field_validator

from uomh import registry
from uomh.data.names import OF_A_FILE, kind_of
from uomh.settings import Settings, existing

if TYPE_CHECKING:
    from uomh.data.decode import FileReading

READING = ("resize", "background", "skip_broken", "point_column", "label_column")
"""settings of how a source is read; each source says which of them it takes"""


class DataConfig(Settings):
    """Which data, and which of its rows."""

    dataset: str = "digits"
    """a name (see `uomh list datasets`), a folder, a file such as .npz, or mine.py:Class"""
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

    def reading(self) -> FileReading:
        """How images and tables are read."""
        from uomh.data.decode import FileReading  # imaging libraries are not needed for help

        return FileReading(**{name: getattr(self, name) for name in READING})

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
        kind = kind_of(self.dataset)
        if kind is not None and kind[0] != "hub":
            return None
        path = Path(self.data_root).expanduser() / self.dataset.removeprefix("hub:")
        if path.exists():
            return path
        path = Path(self.dataset).expanduser()
        return path if path.exists() and kind is None else None

    def label(self) -> str:
        """A name of the data for people, without the folders that they are in."""
        path = self.local()
        if path is None and OF_A_FILE.fullmatch(self.dataset):
            home, _, name = self.dataset.partition(".py:")
            return f"{Path(home).name}.py:{name}"
        return self.dataset if path is None else path.name or self.dataset

    def absolute(self) -> Self:
        """The same settings with absolute paths, which mean the same in any working folder."""
        if of_file := OF_A_FILE.fullmatch(self.dataset):
            address = "" if of_file[2] is None else f":{existing(of_file[2])}"
            return self.model_copy(update={"dataset": registry.absolute(of_file[1]) + address})
        path = self.local()
        if path is None:
            return self
        root = os.path.abspath(Path(self.data_root).expanduser())
        if Path(root, self.dataset.removeprefix("hub:")).exists():
            return self.model_copy(update={"data_root": root})
        return self.model_copy(update={"dataset": os.path.abspath(path)})
