"""Groups that are not found in the points: the classes, labels from a file, and chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from uomh.clusters.core import (
    Clusterer,
    ClustererConfig,
    Features,
    Labels,
    NumberConfig,
    number_of_clusters,
    relabelled,
)
from uomh.clusters.partition import load_partition, read_labels
from uomh.data.core import Data, Split
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours
from uomh.registry import register
from uomh.seeds import seeded
from uomh.settings import ExistingPath


@register("clusterers", "class")
class Classes(Clusterer):
    """The classes of the data, as they are."""

    def __call__(self, data: Data, features: Features | None = None) -> Data:
        """The data unchanged; see `Clusterer`."""
        del features
        counts = data.weights  # raises where there are no labels
        for name, share in zip(data.classes, counts.tolist(), strict=True):
            if not share:
                raise data.without_points(name)
        return data


@register("clusterers", "random")
class Random(Clusterer):
    """Uniformly at random, held-out points too: the control."""

    Config = NumberConfig
    config: NumberConfig

    def __call__(self, data: Data, features: Features | None = None) -> Data:
        """Each point's group is drawn by itself; see `Clusterer`."""
        del features
        number = number_of_clusters(data, self.config.num_clusters)
        with seeded(self.seed, "random clusters"):
            train, valid, test = (
                torch.randint(number, (len(split),)).numpy()
                for split in (data.train, data.valid, data.test)
            )
        return relabelled(data, (train, valid, test), map(str, range(number)), self.grouping)


@register("clusterers", "saved")
class Saved(Clusterer):
    """Labels from a file: a saved partition (.npz), or one label a point (.npy, .csv)."""

    class Config(ClustererConfig):
        """Its settings."""

        file: ExistingPath = ""
        """a partition of these data, .npz; or labels, .npy, .csv: one for each training row of the
        source, in its order, or for each point of the pool that a limit leaves (validation points,
        then training points); a test point that has none gets that of its nearest training one"""

    config: Config

    def __call__(self, data: Data, features: Features | None = None) -> Data:
        """The data with the file's labels; see `Clusterer`."""
        del features
        if not self.config.file:
            raise UomhError("which labels? give their file: file=partition.npz")
        path = Path(self.config.file)
        if path.suffix == ".npz":
            return load_partition(path, data)
        labels, names = read_labels(path)
        train, valid, test = data.train, data.valid, data.test
        pool = len(valid) + len(train)
        if len(labels) == data.source_rows:
            found = [_of_rows(split, labels) for split in (train, valid, test)]
        elif len(labels) == pool:
            found = [labels[len(valid) :], labels[: len(valid)], None]
        else:
            more = f" of {data.source_rows} rows" if data.source_rows > pool else ""
            raise UomhError(
                f"{path} has {len(labels)} labels, but there are {pool} training points{more}"
            )
        of_train, of_valid, of_test = found
        assert of_train is not None  # they are rows of the file
        assert of_valid is not None
        if of_test is None:
            of_test = _of_nearest(data, of_train)
        return relabelled(data, (of_train, of_valid, of_test), names, self.grouping)


def _of_rows(split: Split, labels: Labels) -> Labels | None:
    """Labels of the rows of the source, where all of the split are such rows."""
    if split.rows is None:
        return None
    rows = split.rows.numpy()
    found: Labels | None = labels[rows] if (rows < len(labels)).all() else None
    return found


def _of_nearest(data: Data, labels: Labels) -> Labels:
    """For each test point the label of the nearest training point."""
    if not len(data.test):
        return np.empty(0, np.int64)
    train, test = data.train.x.flatten(1), data.test.x.flatten(1)
    near = nearest_neighbours(train, 1, test, duplicates="keep")
    return labels[near.indices[:, 0]]
