"""`Split` and `Data`: the form in which every command, model and metric is given its data.

Images are uint8 tensors (N, C, H, W) whose values are grey levels 0 .. levels-1; vectors are float
tensors (N, D). Level g of an image stands for the cell [g, g+1) of *data space*, the continuous
space in which densities live: a uint8 value is a level, a float value is a point of data space.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh.errors import UomhError


@dataclass(frozen=True)
class DataSpec:
    """What a model must know of its data: the shape of one point, grey levels, number of classes.

    Attributes:
        shape: (C, H, W) of an image or (D,) of a vector.
        levels: number of grey levels of an image, None for vectors.
        num_classes: 0 where there are no labels.
    """

    shape: tuple[int, ...]
    levels: int | None
    num_classes: int

    @property
    def dim(self) -> int:
        """Number of coordinates of one point."""
        return math.prod(self.shape)

    @property
    def is_image(self) -> bool:
        """Whether a point is an image."""
        return len(self.shape) == 3


@dataclass(frozen=True)
class Split:
    """Points and their labels.

    Attributes:
        x: uint8 (N, C, H, W) or float (N, D); may be a view of a memory-mapped file.
        y: int64 (N,), or None.
        rows: int64 (N,), the row of each point in its source, training rows first, then those of
            its test split; None where the points are not rows of a source.
    """

    x: Tensor
    y: Tensor | None = None
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice | Tensor) -> Split:
        y, places = (None if numbers is None else numbers[rows] for numbers in (self.y, self.rows))
        return Split(self.x[rows], y, places)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Consecutive batches (x, y) of at most ``size`` points, in order."""
        for start in range(0, len(self), size):
            batch = self[start : start + size]
            yield batch.x, batch.y


@dataclass(frozen=True)
class Grouping:
    """How labels were made that are not those of the source.

    Attributes:
        how: name of the clusterer.
        from_points: whether the groups were made by looking at the points; a test on the same
            points, which takes groups as given beforehand, then does not hold.
    """

    how: str
    from_points: bool = False


@dataclass(frozen=True)
class Data:
    """A data set: three splits, the names of its classes, its grey levels, its fingerprint.

    ``levels`` is None for vectors; ``classes`` is empty without labels. ``valid`` may be empty.
    ``fingerprint`` is of what is there: points, labels, names of classes, levels, and their order
    in all splits. ``pool`` is the same wherever the validation split is cut; empty where it is not
    known. ``notes`` are sentences on what was left out or changed when the data were read, to be
    shown; ``unlabelled`` counts the training rows that were left out because they have no label,
    and ``source_rows`` all training rows of the source, 0 where there is none. ``grouping`` is how
    the labels were made, None for those of the source.
    """

    name: str
    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...] = ()
    levels: int | None = None
    fingerprint: str = ""
    pool: str = ""
    notes: tuple[str, ...] = ()
    unlabelled: int = 0
    source_rows: int = 0
    grouping: Grouping | None = None

    @property
    def spec(self) -> DataSpec:
        """Shape, levels and number of classes."""
        return DataSpec(tuple(self.train.x.shape[1:]), self.levels, len(self.classes))

    @property
    def weights(self) -> Tensor:
        """Share of each class in the training split, (K,) float64, summing to one."""
        counts = torch.bincount(self._labels(self.train), minlength=len(self.classes))
        return counts.double() / counts.sum()

    def parts(self) -> list[Data]:
        """One unlabelled data set for each class, in the order of ``classes``.

        Raises:
            UomhError: there are no labels, or a class has no training point.
        """
        return [self.part(label) for label in range(len(self.classes))]

    def part(self, label: int) -> Data:
        """The points of one class, unlabelled.

        Raises:
            UomhError: there are no labels, or the class has no training point.
        """
        name = self.classes[label]

        def members(split: Split) -> Split:
            return replace(split[self._labels(split) == label], y=None)

        train = members(self.train)
        if not len(train):
            raise self.without_points(name)
        return replace(
            self,
            name=f"{self.name}/{name}",
            train=train,
            valid=members(self.valid),
            test=members(self.test),
            classes=(),
            fingerprint=f"{self.fingerprint}/{name}",
            pool="",
        )

    def without_points(self, name: str) -> UomhError:
        """What is wrong where a class has no training point."""
        return UomhError(
            f"{self.name}: class {name!r} has no training point; raise data.limit, or leave the "
            "class out of the data"
        )

    def map(self, f: Callable[[Tensor], Tensor], batch_size: int = 512) -> Data:
        """The data set of the float vectors f(x); f maps a batch (B, ...) to (B, D)."""
        return self.map_labelled(lambda x, y: f(x), batch_size)

    def map_labelled(
        self, f: Callable[[Tensor, Tensor | None], Tensor], batch_size: int = 512
    ) -> Data:
        """The data set of the float vectors f(x, y), y the labels of the batch, or None."""

        def values(split: Split) -> Tensor:
            with torch.no_grad():
                return torch.cat([f(x, y) for x, y in split.batches(batch_size)])

        train = values(self.train)

        def mapped(split: Split) -> Split:  # f need not know what to do with no points
            return replace(split, x=values(split) if len(split) else train[:0])

        return replace(
            self,
            train=replace(self.train, x=train),
            valid=mapped(self.valid),
            test=mapped(self.test),
            levels=None,
            fingerprint=f"{self.fingerprint}+map",
            pool="",
        )

    def _labels(self, split: Split) -> Tensor:
        if split.y is None:
            raise UomhError(f"{self.name} has no labels; give data with labels or ask for none")
        return split.y


def fixed_order(n: int) -> NDArray[np.int64]:
    """The fixed shuffle of n rows: rows sorted by SplitMix64 of their number.

    Written out here rather than drawn from a library's generator, whose stream may change between
    versions; every split and every ``limit`` rests on it.

    Examples:
        >>> fixed_order(6).tolist()
        [2, 4, 5, 1, 0, 3]
    """
    with np.errstate(over="ignore"):
        z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(z ^ (z >> np.uint64(31)), kind="stable")
