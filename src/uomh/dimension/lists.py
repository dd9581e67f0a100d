"""The neighbour lists of a set, thinned to its parts (see ``uomh.dimension.thinning``)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.dimension.anchored import Anchors
from uomh.dimension.thinning import first_of, first_positive
from uomh.dimension.values import Ints
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.neighbours.parts import Parts

_BLOCK = 2048  # rows at a time: the labels of their neighbours stay in the cache


class NeighbourLists:
    """The neighbour lists of all points of a set, ready to be thinned to its parts.

    Args:
        found: neighbours of all points of the set, from a search within it; its indices are
            positions in the set (0 to m-1).
        points: (m, ...) the points, to search inside a part for those whose lists are too short;
            None makes that an error.
        values: (m, width) what to keep of the distances in their place, such as their logarithms.
        anchors: where they are the lists of these, (a, width) for (m, width), among m points.

    Attributes:
        m: number of points.
        indices: int32 (m, width) positions of the neighbours; m in place of a copy, which says
            nothing about the dimension and is in no part.
        nearest: (m,) position of the nearest neighbour, which may be a copy.
    """

    def __init__(
        self,
        found: Neighbours,
        points: Any = None,
        values: NDArray[Any] | None = None,
        anchors: Anchors | None = None,
    ) -> None:
        self.m, self.width = found.distances.shape
        if anchors is not None:
            self.m = len(anchors.order)
        self.points, self.anchors = points, anchors
        self._place = self._places()
        self._parts: Parts | None = None
        self._lock = Lock()
        self.nearest = found.indices[:, 0].copy()
        self.indices = found.indices.astype(np.int32)
        self.values = found.distances if values is None else values
        copies = found.distances <= 0
        self._copies = int(copies.sum(axis=1).max())
        if self._copies:
            self.indices[copies] = self.m

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a worker needs of it, by name; `read` is the way back."""
        arrays = {"indices": self.indices, "values": self.values}
        arrays["copies"] = np.array(self._copies)
        if self.anchors is not None:
            some = self.anchors
            arrays |= {"order": some.order, "counts": np.array((some.count, some.least))}
        return arrays if self.points is None else arrays | {"points": self.points}

    @classmethod
    def read(cls, folder: Path) -> NeighbourLists:
        """The lists whose `arrays` stand in a folder as files, mapped into memory."""
        lists = cls.__new__(cls)
        lists.indices, lists.values = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("indices", "values")
        )
        lists.m, lists.width = lists.indices.shape
        lists.anchors = None
        if (folder / "order.npy").exists():
            order, counts = (np.load(folder / f"{name}.npy") for name in ("order", "counts"))
            count, least = counts.tolist()
            lists.anchors = Anchors(count, order, least)
            lists.m = len(order)
        lists._place = lists._places()
        points = folder / "points.npy"
        lists.points = np.load(points, mmap_mode="r") if points.exists() else None
        lists._copies = int(np.load(folder / "copies.npy"))
        lists._parts, lists._lock = None, Lock()
        return lists

    def asked(self, labels: Ints) -> NDArray[np.int64]:
        """The points at which parts are estimated, ascending: all that have a part, or anchors."""
        if self.anchors is not None:
            return self.anchors.of(labels)
        return np.flatnonzero(labels >= 0).astype(np.int64)

    def rows(self) -> NDArray[np.int64] | None:
        """The points that have a list, in the order of the lists; None: all."""
        return None if self.anchors is None else self.anchors.whole()

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the lists of points stand; -1 for points without one."""
        return rows if self._place is None else self._place[rows]

    def _places(self) -> NDArray[np.int64] | None:
        if self.anchors is None:
            return None
        place = np.full(self.m, -1)
        place[self.anchors.whole()] = np.arange(self.anchors.count)
        return place

    def pieces(
        self, labels: Ints, k: int, rows: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64] | Neighbours]]:
        """Where the k nearest fellows of every point stand, its fellows being those of its part.

        Args:
            labels: (m,) the part of each point, 0 or more; -1 leaves a point out altogether.
            k: how many.
            rows: the points, ascending; None for those that are `asked`.

        Yields:
            Points (e,), no point twice; and where their fellows are: columns of the lists (e, k),
            or, where the lists are too short, neighbours that a search inside the part found.

        Raises:
            UomhError: a part is too small, or a point runs short and there are no points to
                search in.
        """
        rows = self.asked(labels) if rows is None else rows
        kind: Any = np.int8 if labels.max() < 127 else np.int32  # bytes stay in the cache
        extended = np.append(labels, -2).astype(kind)
        for width in self.widths(labels, k):
            listed = self.at(rows) >= 0
            short = [rows[~listed]]
            for block in _blocks(rows[listed]):
                at = self.at(block)
                consecutive = at[-1] - at[0] == len(at) - 1
                select = slice(at[0], at[-1] + 1) if consecutive else at
                same = extended[self.indices[select, :width]] == extended[block, None]
                enough, columns = first_of(same, k)
                yield block[enough], columns
                short.append(block[~enough])
            rows = np.concatenate(short)
        if len(rows):
            yield rows, self._searched(labels, rows, k)

    def within(self, labels: Ints, k: int) -> Neighbours:
        """The k nearest fellows of every point; see `pieces`. Distances must have been kept."""
        distances, indices = np.empty((self.m, k)), np.empty((self.m, k), dtype=np.int64)
        for rows, found in self.pieces(labels, k):
            if isinstance(found, Neighbours):
                distances[rows], indices[rows] = found.distances, found.indices
            else:
                at = rows[:, None], found
                distances[rows], indices[rows] = self.values[at], self.indices[at]
        return Neighbours(distances, indices, np.arange(self.m))

    def widths(self, labels: Ints, k: int) -> list[int]:
        """How many columns to read: enough for most points first, then the whole list.

        Args:
            labels: (m,) the part of each point, 0 or more; -1 for none.
            k: how many fellows are wanted.

        Returns:
            None at all where most lists would run short, so that parts are better searched.
        """
        labels = labels[labels >= 0]
        if not labels.size:
            return []
        share = float(np.mean(np.bincount(labels)[labels])) / self.m
        typical = math.ceil((k + 3 * math.sqrt(k * (1 - share))) / share)
        if k > share * self.width:  # most would run short: search inside the parts at once
            return []
        return [typical, self.width] if typical < self.width else [self.width]

    def _searched(self, labels: Ints, asked: NDArray[np.int64], k: int) -> Neighbours:
        """The k nearest fellows of some points, by a search inside their parts."""
        if self.points is None:
            raise UomhError(
                f"the neighbour lists are too short: {len(asked)} of {self.m} points have fewer "
                f"than {k} neighbours of their own group in a list of {self.width}; give longer "
                "lists, or the points as well"
            )
        with self._lock:
            if self._parts is None:
                self._parts = Parts(self.points)
        others = np.bincount(labels[labels >= 0])[labels[asked]] - 1
        wanted = np.minimum(k + self._copies, others)
        result = Neighbours(
            np.empty((len(asked), k)), np.empty((len(asked), k), dtype=np.int64), asked
        )
        for width in np.unique(wanted).tolist():  # one, but where copies are kept
            (at,) = np.nonzero(wanted == width)
            distances, indices = self._parts.nearest(labels, asked[at], width)
            near = np.arange(len(at))[:, None], first_positive(distances, k)
            result.distances[at], result.indices[at] = distances[near], indices[near]
        return result


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]
