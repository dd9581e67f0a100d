"""The kinds of data that come with this package, each by what reads it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from uomh.data.cache import Rows, Source
from uomh.data.config import READING
from uomh.data.dataset import Dataset
from uomh.data.layout import state
from uomh.data.manifolds import MANIFOLDS
from uomh.data.names import HUB
from uomh.errors import unknown
from uomh.lazy import imported
from uomh.registry import register

MANIFOLD_POINTS = 5000
"""training points drawn on a manifold where no limit is given"""


@register("datasets", "digits")
class Digits(Dataset):
    """1,797 handwritten digits, 8x8, 17 grey levels; inside scikit-learn, no network."""

    def key(self) -> str:
        """Its name."""
        return "digits"

    def read(self) -> Source:
        """Images (1797, 1, 8, 8)."""
        bunch = imported("sklearn.datasets").load_digits()
        images = bunch.images.astype(np.uint8)[:, None]
        return Source(Rows.of(images, bunch.target), None, tuple(map(str, range(10))), levels=17)


@register("datasets", "manifold")
class ManifoldPoints(Dataset):
    """Points on a manifold of known dimension, such as manifold:union-2-5."""

    written = "manifold:NAME"

    @property
    def n(self) -> int:
        """How many points to draw: enough for the test split, which is taken from them, too."""
        wanted = self.config.limit or MANIFOLD_POINTS
        return math.ceil(wanted / (1 - self.config.test_fraction))

    def key(self) -> str:
        """The manifold, and how many points."""
        return f"manifold:{self.address} {self.n}"

    def read(self) -> Source:
        """Points (n, D); a union has its groups as classes.

        Raises:
            UomhError: there is no such manifold.
        """
        known = MANIFOLDS.get(self.address)
        if known is None:
            raise unknown("manifold", self.address, MANIFOLDS)
        points, groups = known.sample(self.n)
        classes = tuple(f"{i}: {d}-dimensional" for i, d in enumerate(known.dimensions))
        labels = groups if len(classes) > 1 else None
        rows = Rows.of(points, labels)
        return Source(rows, None, classes if labels is not None else (), levels=None)


@register("datasets", "hub")
class Hub(Dataset):
    """Any data set on the Hub with a column of images or vectors."""

    written = "hub:ORG/NAME"
    takes = READING

    @property
    def place(self) -> tuple[str, str | None]:
        """Repository and configuration."""
        return HUB.get(self.config.dataset, (self.address, None))

    def key(self) -> str:
        """The repository, and how it is read."""
        return f"hub {self.place} {self.config.reading()}"

    def read(self) -> Source:
        """The splits of the repository."""
        from uomh.data.hub import hub  # Arrow is slow to import

        return hub(*self.place, self.config.reading())


class Local(Dataset):
    """A file or a folder; the address is its path."""

    @property
    def path(self) -> Path:
        """Of the file or folder."""
        return Path(self.address)

    @property
    def title(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    def key(self) -> str:
        """The file as it is now, and the column of the labels."""
        return f"{state(self.path)} label={self.config.label_column}"


class Folder(Local):
    """Images in class folders, or parquet files in the Hub's layout."""

    takes = READING

    @property
    def title(self) -> str:
        """The folder's name."""
        return self.path.name

    def key(self) -> str:
        """The folder's files as they are now, and how they are read."""
        return f"{state(self.path)} {self.config.reading()}"

    def read(self) -> Source:
        """Images, or vectors of parquet files."""
        from uomh.data.folders import folder

        return folder(self.path, self.config.reading())


@register("datasets", ".npz")
class Npz(Local):
    """Arrays x (images or vectors) and maybe y, x_test, y_test, classes, levels."""

    def read(self) -> Source:
        """The arrays of the file."""
        from uomh.data.arrays import arrays

        return arrays(self.path)


@register("datasets", ".npy")
class Npy(Local):
    """One array of images or vectors, without labels."""

    def read(self) -> Source:
        """The array of the file."""
        from uomh.data.arrays import array

        return array(self.path)


@register("datasets", ".csv")
class Csv(Local):
    """A table of numbers, and maybe a column of labels (label, class, target or y)."""

    takes = ("label_column",)

    def read(self) -> Source:
        """The lines of the file."""
        from uomh.data.tables import table

        return table(self.path, self.config.label_column)
