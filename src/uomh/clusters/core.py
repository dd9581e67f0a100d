"""The contract of clusterers: a clustering is a relabelling, ``Data -> Data``.

What it gives differs from what it is given in the labels, the names of the classes and the
fingerprint; the points stay the same tensors. Groups are found on the training split alone; a
held-out point is put into one of them by the method's own criterion, without looking at its label.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor

from uomh import registry
from uomh.clusters.choose import best_number
from uomh.data.core import Data, Grouping
from uomh.errors import UomhError
from uomh.lazy import imported
from uomh.neighbours.core import Points
from uomh.settings import ComponentSettings, Nested

Array = NDArray[Any]
Labels = NDArray[np.int64]
Assign = Callable[[Array], Labels]
Cut = Callable[[int], tuple[Labels, Assign]]
Features = Callable[[Tensor], Tensor]


class ClustererConfig(ComponentSettings):
    """Settings of a clusterer."""


class NumberConfig(ClustererConfig):
    """Settings of a clusterer that is told how many clusters to make."""

    num_clusters: int | None = Field(None, ge=1)
    """number of clusters; null: as many as the data have classes"""


class PointsConfig(ClustererConfig):
    """Settings of a clusterer that looks at the points."""

    num_clusters: int | Literal["auto"] | None = None
    """number of clusters; null: as many as the data have classes; auto: of greatest silhouette"""
    pca_dim: int | None = Field(None, ge=1)
    """cluster so many principal components; null: pixels, or an encoder's codes, as they are"""

    @field_validator("num_clusters")
    @classmethod
    def _at_least_one(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, int) and value < 1:
            raise ValueError("Input should be greater than or equal to 1")
        return value


class Clusterer(ABC):
    """A way to group data.

    Args:
        config: its settings.
        seed: of what is random in it.

    Attributes:
        looks: whether groups are chosen by looking at the points, so that a test of the same points
            that takes the groups as given does not hold.
    """

    name: ClassVar[str]
    looks: ClassVar[bool] = False
    Config: ClassVar[type[ClustererConfig]] = ClustererConfig

    def __init__(self, config: ClustererConfig, seed: int = 0) -> None:
        self.config = config
        self.seed = seed

    @property
    def grouping(self) -> Grouping:
        """What its labels say of how they were made."""
        return Grouping(self.name, self.looks)

    @abstractmethod
    def __call__(self, data: Data, features: Features | None = None) -> Data:
        """The same data, labelled by group in every split.

        Args:
            data: images or vectors; its labels are looked at only to count the classes.
            features: of a batch of points (B, ...), float (B, D), such as an encoder's codes: what
                a clusterer that looks at points looks at instead.

        Raises:
            UomhError: more clusters than training points, no number of clusters, or a cluster
                without a training point.
        """


class PointClusterer(Clusterer):
    """A clusterer of points as vectors; subclasses give `fit`."""

    looks = True
    Config = PointsConfig

    @abstractmethod
    def fit(self, x: Array) -> Cut:
        """Get ready to cluster the training points.

        Args:
            x: (N, D) bytes or floats, finite.

        Returns:
            A function from the number of clusters K to labels 0 .. K-1 of x, int64 (N,), and a
            function that gives the labels (M,) of other points (M, D).
        """

    def __call__(self, data: Data, features: Features | None = None) -> Data:
        """Cluster the training split, and assign the others; see `Clusterer`."""
        seen = data if features is None else data.map(features)
        train, valid, test = self._vectors(seen)
        number = self._number(data, train)
        labels, assign = self.fit(train)(number)
        held_out = [assign(x) if len(x) else np.empty(0, np.int64) for x in (valid, test)]
        return relabelled(data, (labels, *held_out), map(str, range(number)), self.grouping)

    def _vectors(self, data: Data) -> list[Array]:
        """The points of the three splits as rows."""
        splits = (data.train, data.valid, data.test)
        vectors = [split.x.detach().cpu().flatten(1).numpy() for split in splits]
        for x in vectors:
            if len(x):
                Points(x, "the data").largest()  # raises where a value is not finite
        pca_dim: int | None = getattr(self.config, "pca_dim", None)
        return vectors if pca_dim is None else _principal(vectors, pca_dim, self.seed)

    def _number(self, data: Data, x: Array) -> int:
        wanted: int | str | None = getattr(self.config, "num_clusters", None)
        if isinstance(wanted, str):
            return best_number(x, self.fit)
        return number_of_clusters(data, wanted)


def number_of_clusters(data: Data, wanted: int | None) -> int:
    """As many as are wanted, or as the data have classes.

    Raises:
        UomhError: neither is there, or the data have fewer training points.
    """
    number = wanted or len(data.classes)
    if not number:
        raise UomhError(f"{data.name} has no classes to count; say how many: num_clusters=10")
    if number > len(data.train):
        raise UomhError(
            f"{number} clusters are more than the {len(data.train)} training points of {data.name};"
            " lower num_clusters"
        )
    return number


def relabelled(
    data: Data, labels: Sequence[Labels], names: Iterable[str], grouping: Grouping
) -> Data:
    """The data with new labels of the three splits, (train, valid, test).

    Args:
        data: with other labels or none.
        labels: numbers 0 .. K-1 of the points of each split.
        names: of the K groups.
        grouping: how they were made; a clusterer's is its ``grouping``.

    Raises:
        UomhError: a group has no training point.
    """
    classes = tuple(names)
    counts = np.bincount(labels[0], minlength=len(classes))
    if not counts.all():
        empty = [name for name, count in zip(classes, counts, strict=True) if not count]
        raise UomhError(
            f"{data.name}: {grouping.how} leaves {len(empty)} of {len(classes)} groups without a "
            f"training point ({', '.join(map(repr, empty[:3]))}); ask for fewer clusters, or more "
            "points"
        )
    digest = hashlib.blake2b(repr(classes).encode(), digest_size=4)
    for numbers in labels:
        digest.update(numbers.astype(np.int64).tobytes())
    train, valid, test = (
        replace(split, y=torch.from_numpy(numbers.astype(np.int64)))
        for split, numbers in zip((data.train, data.valid, data.test), labels, strict=True)
    )
    return replace(
        data,
        train=train,
        valid=valid,
        test=test,
        classes=classes,
        fingerprint=f"{data.fingerprint}+{grouping.how}:{digest.hexdigest()}",
        pool="",
        grouping=grouping,
    )


def by_size(labels: Labels) -> Labels:
    """The same groups, numbered from the largest; among equals, the one of the earlier point."""
    _, first, group, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    place = np.empty_like(counts)
    place[np.lexsort((first, -counts))] = np.arange(len(counts))
    numbered: Labels = place[group]
    return numbered


def cluster(
    data: Data,
    how: str = "kmeans",
    *,
    seed: int = 0,
    features: Features | None = None,
    **settings: object,
) -> Data:
    """The data, labelled by a clusterer.

    Args:
        data: as from `uomh.load_data`.
        how: the clusterer: a name from `uomh list clusterers`, ``file.py:Class``, or a file of
            labels (see `uomh.clusters.labels.Saved`).
        seed: of what is random in it.
        features: of a batch of points, to cluster instead of the points; see `Clusterer`.
        **settings: of the clusterer, such as ``num_clusters=10``.

    Raises:
        UomhError: no such clusterer or setting, or it cannot group these data.

    Examples:
        >>> import uomh
        >>> digits = uomh.load_data("digits", limit=300)
        >>> groups = uomh.cluster(digits, "kmeans", num_clusters=3)
        >>> groups.classes, len(groups.train.y)
        (('0', '1', '2'), 270)
    """
    values = {**settings_of(how), **settings}
    cls = registry.load("clusterers", values["name"])
    clustered: Data = cls(cls.Config.of(values, "clusters"), seed)(data, features)
    return clustered


def settings_of(how: str) -> Nested:
    """The settings that a way to group names: a clusterer, or a file of labels.

    >>> settings_of("kmeans"), settings_of("partition.npz")
    ({'name': 'kmeans'}, {'name': 'saved', 'file': 'partition.npz'})
    """
    path = Path(how)
    if path.suffix in (".npz", ".npy", ".csv") or path.is_file():
        return {"name": "saved", "file": how}
    return {"name": how}


def _principal(vectors: list[Array], dim: int, seed: int) -> list[Array]:
    """Principal components of the first set, of all sets."""
    most = min(vectors[0].shape)
    if dim > most:
        n, width = vectors[0].shape
        raise UomhError(f"{n} points of {width} coordinates have {most} components; lower pca_dim")
    floats = [x.astype(np.float32) for x in vectors]
    pca = imported("sklearn.decomposition").PCA(dim, random_state=seed % 2**32).fit(floats[0])
    return [pca.transform(x) if len(x) else np.empty((0, dim), np.float32) for x in floats]
