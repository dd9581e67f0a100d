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
from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours
from uomh.registry import register
from uomh.seeds import seeded


@register("clusterers", "class")
class Classes(Clusterer):
    """The classes of the data, as they are."""

    def __call__(self, data: Data, features: Features | None = None) -> Data:
        """The data unchanged; see `Clusterer`."""
        del features
        counts = data.weights  # raises where there are no labels
        for name, share in zip(data.classes, counts.tolist(), strict=True):
            if not share:
                raise UomhError(f"{data.name}: class {name!r} has no training point")
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
        return relabelled(data, (train, valid, test), map(str, range(number)), self.name)


@register("clusterers", "saved")
class Saved(Clusterer):
    """Labels from a file: a saved partition (.npz), or one label a point (.npy, .csv)."""

    class Config(ClustererConfig):
        """Its settings."""

        file: str = ""
        """a partition of these data, .npz; or labels in the order of the training pool, .npy, .csv
        (validation points, then training points; a test point gets that of its nearest one)"""

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
        held_out, pool = len(data.valid), len(data.valid) + len(data.train)
        if len(labels) != pool:
            raise UomhError(
                f"{path} has {len(labels)} labels, but there are {pool} training points"
            )
        valid, train = labels[:held_out], labels[held_out:]
        return relabelled(data, (train, valid, _of_nearest(data, train)), names, self.name)


def _of_nearest(data: Data, labels: Labels) -> Labels:
    """For each test point the label of the nearest training point."""
    if not len(data.test):
        return np.empty(0, np.int64)
    train, test = data.train.x.flatten(1), data.test.x.flatten(1)
    near = nearest_neighbours(train, 1, test, duplicates="keep")
    return labels[near.indices[:, 0]]
