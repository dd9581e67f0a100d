"""Where the work of ``verify`` is done: here, or in shards by processes or the nodes of a cluster.

Two stages take the time, and both fall apart into pieces that know nothing of each other: the
neighbours of some rows among all points, and the estimates on some of the shuffles. A piece is a
few numbers and a folder that all workers see. The points stand in it as a file that each worker
maps into its memory; what a piece finds is a file there too, whole or not at all. A piece whose
worker dies is begun again, and a command that is repeated goes on with the pieces that are there.

A row's neighbours do not depend on which rows are asked about with it, and a shuffle depends on its
number alone; so the answer is the same to the bit wherever and however it was cut.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar
from weakref import finalize

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.dimension.instruments import statistic_of
from uomh.dimension.lists import NeighbourLists
from uomh.dimension.nulls import Shuffles
from uomh.dimension.statistic import Statistic
from uomh.dimension.values import Floats, Ints
from uomh.errors import UomhError
from uomh.files import replacing
from uomh.neighbours import Neighbours, nearest_neighbours
from uomh.neighbours.rows import neighbours_and_deeper, neighbours_of
from uomh.parallel.core import Parallel, computing_with, raise_failures, resumable_map
from uomh.parallel.progress import Progress

Value = TypeVar("Value")

SHARDS = 16
SHARD_ROWS = 512
"""fewer are not worth the reading of all points"""
DRAWS = 50
"""shuffles of a piece"""
TOGETHER = 100
"""shuffles that are looked at together where there are no pieces"""


class Here:
    """All of it in this process.

    Args:
        device: of the searches.
        progress: is told of the stages.
    """

    def __init__(self, device: Any = None, progress: Progress | None = None) -> None:
        self.device, self.progress = device, progress

    def search(self, points: NDArray[Any], k: int, rows: Ints | None = None) -> Neighbours:
        """The k nearest neighbours of the points, or of some of them, among all; copies count."""
        if rows is not None:
            return neighbours_of(points, rows, k, device=self.device, progress=self.progress)
        return nearest_neighbours(
            points, k, duplicates="keep", device=self.device, progress=self.progress
        )

    def search_deeper(
        self, points: NDArray[Any], k: int, rows: Ints, width: int
    ) -> tuple[Neighbours, Neighbours]:
        """The k nearest neighbours of all points, and as many as ``width`` of those in rows."""
        return neighbours_and_deeper(
            points, k, rows, width, device=self.device, progress=self.progress
        )

    def null(
        self, shuffles: Shuffles, statistic: Statistic, lists: NeighbourLists, estimator: str
    ) -> Floats:
        """Estimates on the groups of every shuffle, (B, groups, ks)."""
        del estimator
        threads = torch.get_num_threads() if statistic.concurrent else 1
        told = partial(self.progress.stage, "nulls") if self.progress else None
        estimates = partial(statistic.partitions, lists, ks=statistic.ks)
        return np.array(shuffles.together(estimates, TOGETHER, threads, told))

    def of_groups(
        self, function: Callable[[int], Value], sizes: Ints, *, concurrent: bool
    ) -> Iterator[Value]:
        """What a function gives for every group, in their order.

        A group is too small to keep several threads busy, so they take a group each, unless one is
        so large that it would keep the others waiting.

        Args:
            function: of the number of a group.
            sizes: points of each.
            concurrent: whether it may run in several threads at once.
        """
        threads, work = torch.get_num_threads(), sizes.astype(float) ** 2
        even = len(work) > 0 and 2 * threads * work.max() <= work.sum()
        if not (concurrent and even and threads > 1 and str(self.device or "cpu") == "cpu"):
            yield from map(function, range(len(sizes)))
            return
        with computing_with(1), ThreadPoolExecutor(threads) as pool:
            yield from pool.map(function, range(len(sizes)))

    def done(self) -> None:
        """Leave nothing behind."""


class Spread(Here):
    """Its pieces by workers.

    Args:
        parallel: which.
        folder: that all of them see.
        device: of the searches.
        progress: is told of the stages.
    """

    def __init__(
        self,
        parallel: Parallel,
        folder: Path,
        device: Any = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(device, progress)
        self.parallel, self.folder = parallel, folder.resolve()

    def search(self, points: NDArray[Any], k: int, rows: Ints | None = None) -> Neighbours:
        """As there; bit for bit."""
        asked = np.arange(len(points)) if rows is None else np.asarray(rows, dtype=np.int64)
        self._keep("points", points)
        self._keep(f"rows-{k}", asked)
        step = max(SHARD_ROWS, -(-len(asked) // SHARDS))
        starts = range(0, len(asked), step)
        shards = [
            Shard(str(self.folder), start, min(start + step, len(asked)), k, self.device)
            for start in starts
        ]
        self._map(search_shard, shards, "neighbours")
        found = [np.load(shard.file()) for shard in shards]
        distances, indices = (
            np.concatenate([part[name] for part in found]) for name in ("distances", "indices")
        )
        return Neighbours(distances, indices, asked)

    def search_deeper(
        self, points: NDArray[Any], k: int, rows: Ints, width: int
    ) -> tuple[Neighbours, Neighbours]:
        """As there; bit for bit."""
        found = self.search(points, k)
        if width == k:  # pieces are known by their number of neighbours
            asked = rows.astype(np.int64)
            return found, Neighbours(found.distances[asked], found.indices[asked], asked)
        return found, self.search(points, width, rows)

    def null(
        self, shuffles: Shuffles, statistic: Statistic, lists: NeighbourLists, estimator: str
    ) -> Floats:
        """As there; bit for bit."""
        for name, values in lists.arrays().items():
            self._keep(name, values)
        self._keep("labels", shuffles.labels)
        path, colon, name = estimator.rpartition(":")  # a worker may stand in another folder
        named = f"{Path(path).resolve()}:{name}" if colon else estimator
        ranges = [
            Draws(
                *(str(self.folder), start, min(start + DRAWS, shuffles.draws)),
                *(shuffles.seed, named, statistic.ks),
            )
            for start in range(0, shuffles.draws, DRAWS)
        ]
        self._map(estimate_draws, ranges, "nulls")
        return np.concatenate([np.load(piece.file()) for piece in ranges])

    def done(self) -> None:
        """Remove the pieces, which stay until then for a command that is repeated."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self, name: str, values: NDArray[Any]) -> None:
        file = self.folder / f"{name}.npy"
        if not file.exists():  # the folder is of these very points and settings
            with replacing(file) as temporary, temporary.open("wb") as opened:
                np.save(opened, values)

    def _map(self, function: Callable[..., None], pieces: Sequence[Any], stage: str) -> None:
        try:
            outcomes = resumable_map(
                function,
                pieces,
                backend=self.parallel.backend,
                jobs=self.parallel.jobs,
                address=self.parallel.address,
                threads=1,  # there are more pieces than processors
                folder=self.folder,
            )
        except UomhError:  # there is nobody to do it
            if not any(self.folder.glob("neighbours-*")):
                self.done()  # and nothing to go on with
            raise
        raise_failures(outcomes, [f"{stage} {piece.first} to {piece.last}" for piece in pieces])
        if self.progress is not None:
            self.progress.stage(stage, len(pieces), len(pieces))


def workplace(
    parallel: Parallel | None,
    folder: Path | None,
    key: Callable[[], str],
    *,
    device: Any = None,
    progress: Progress | None = None,
) -> Here:
    """Where work is done.

    Args:
        parallel: as the command says; None or ``serial``: here.
        folder: in which pieces are kept, that all workers see; None for a temporary one of this
            machine.
        key: of the points and the settings: what was kept for another is of no use.
        device: of the searches.
        progress: is told of the stages.

    Raises:
        UomhError: workers of other machines need a folder, and none was named.
    """
    if parallel is None or parallel.backend == "serial":
        return Here(device, progress)
    if folder is not None:
        place = folder / f".pieces-{key()}"
        place.mkdir(parents=True, exist_ok=True)
        return Spread(parallel, place, device, progress)
    if parallel.address is not None:
        raise UomhError(
            "the nodes of a cluster need a folder that all of them see; name it with --out (folder)"
        )
    place = Path(mkdtemp(prefix="uomh-"))
    work = Spread(parallel, place, device, progress)
    finalize(work, shutil.rmtree, place, True)
    return work


@dataclass(frozen=True)
class Shard:
    """Some of the rows whose neighbours are wanted.

    Attributes:
        folder: that holds the points, the rows, and what is found.
        first: place of the first of these rows among all that are asked about.
        last: the place after the last.
        k: number of neighbours.
        device: of the search.
    """

    folder: str
    first: int
    last: int
    k: int
    device: Any

    def file(self) -> Path:
        """Where its neighbours are kept."""
        return Path(self.folder) / f"neighbours-{self.k}-{self.first}-{self.last}.npz"


def search_shard(shard: Shard, progress: Progress) -> None:
    """Find and keep the neighbours of a shard's rows, unless they are there."""
    folder = _visible(shard.folder)
    if shard.file().exists():
        return
    points = np.load(folder / "points.npy", mmap_mode="r")
    rows = np.load(folder / f"rows-{shard.k}.npy", mmap_mode="r")[shard.first : shard.last]
    found = neighbours_of(points, rows, shard.k, device=shard.device, progress=progress)
    with replacing(shard.file()) as temporary, temporary.open("wb") as opened:
        np.savez(opened, distances=found.distances, indices=found.indices)


@dataclass(frozen=True)
class Draws:
    """Some of the shuffles.

    Attributes:
        folder: that holds the lists, the labels, and what is estimated.
        first: the first shuffle.
        last: the one after the last.
        seed: of the shuffles, and of the estimator.
        estimator: its name, or an absolute ``file.py:Class``.
        ks: numbers of neighbours.
    """

    folder: str
    first: int
    last: int
    seed: int
    estimator: str
    ks: tuple[int, ...]

    def file(self) -> Path:
        """Where its estimates are kept."""
        return Path(self.folder) / f"null-{self.first}-{self.last}.npy"


def estimate_draws(draws: Draws, progress: Progress) -> None:
    """Estimate and keep what some shuffles give, unless it is there."""
    folder = _visible(draws.folder)
    if draws.file().exists():
        return
    lists = NeighbourLists.read(folder)
    statistic = statistic_of(draws.estimator, draws.ks, draws.seed)
    shuffles = Shuffles(np.load(folder / "labels.npy"), draws.last, draws.seed)
    labels = [shuffles.shuffled(draw) for draw in range(draws.first, draws.last)]
    values = statistic.partitions(lists, labels, statistic.ks)
    progress.stage("nulls", len(labels), len(labels))
    with replacing(draws.file()) as temporary, temporary.open("wb") as opened:
        np.save(opened, values)


def _visible(folder: str) -> Path:
    """The folder of the pieces.

    Raises:
        UomhError: this machine does not see it.
    """
    if not Path(folder).is_dir():
        raise UomhError(
            f"the machine {socket.gethostname()} does not see {folder!r}; the folder that --out "
            "(folder) names must be at the same path on every node, on a shared file system"
        )
    return Path(folder)
