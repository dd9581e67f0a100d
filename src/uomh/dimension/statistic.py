"""An estimator as the instrument of ``verify``: what it says of sets, and of parts of sets.

`Statistic` does this for any estimator, by refitting it on thinned lists; ``harmonic`` is that of
``mle``.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from uomh.dimension.anchored import Anchors
from uomh.dimension.core import Coordinates, Estimator
from uomh.dimension.lists import NeighbourLists
from uomh.dimension.thinning import Interval, list_length, without_copies
from uomh.dimension.values import DimensionEstimate, Floats, Ints
from uomh.errors import UomhError
from uomh.neighbours import Neighbours


class Statistic:
    """An estimator at several numbers of neighbours.

    Args:
        estimator: the class.
        ks: numbers of neighbours, ascending; None for the estimator's own. An estimator without
            this option has its own whatever they are, and ``note`` says so.
        seed: of what is random in it, and of the halves behind its intervals.

    Attributes:
        uncalibrated: why it is not known which true dimensions give an estimate; empty where it is.
        anchored: whether it can estimate at some points of a set.
        concurrent: whether it may run in several threads at once.
        note: a sentence for the report, or empty.

    Raises:
        UomhError: k is too small for the estimator, or it cannot be made without more options.
    """

    anchored: ClassVar[bool] = False
    concurrent: ClassVar[bool] = False  # estimators may touch what is global, such as warnings

    def __init__(
        self, estimator: type[Estimator], ks: Sequence[int] | None = None, seed: int = 0
    ) -> None:
        self.name, self.seed, self.note = estimator.name, seed, ""
        self.uncalibrated = (
            f"{self.name} has no calibration, so no true dimensions can be told from its "
            "estimates; take mle for that"
        )
        self._estimator = estimator
        self._options = inspect.signature(estimator).parameters
        default = (self._at(None).k,)  # of the option, or a constant of the class
        self.ks = default if ks is None or "k" not in self._options else tuple(ks)
        if self.ks != tuple(ks or default):
            self.note = (
                f"{self.name} has no option k and looks at {self.ks[0]} neighbours of a point; "
                f"k = {', '.join(map(str, ks or ()))} was not used."
            )
        if min(self.ks) < estimator.least_k:
            raise UomhError(
                f"k must be at least {estimator.least_k} for {self.name}; it is {min(self.ks)}"
            )

    def fewest(self) -> int:
        """The fewest points it can be asked about."""
        k = max(self.ks)
        return next(n for n in itertools.count(k + 2) if self._at(k).most_k(n) >= k)

    def allows(self, k: int, n: int) -> bool:
        """Whether random parts of n points are large enough to say something at k."""
        return n >= 2 * (k + 1) and self._at(k).most_k(n) >= k

    def width(self) -> int:
        """How many neighbours of a point it reads at most."""
        return max(self._at(k).list_width(k) for k in self.ks)

    def list_length(self, n: int) -> int:
        """Neighbours to search among n points: enough for halves, and most points of quarters."""
        return min(n - 1, max(100, 8 * max(self.ks), list_length(self.width(), n)))

    def lists(
        self, found: Neighbours, points: Coordinates | None, anchors: Anchors | None = None
    ) -> NeighbourLists:
        """The lists of a set, or of its anchors, with what it needs of the distances.

        Raises:
            UomhError: it needs the points, and there are none.
        """
        if points is None and self._estimator.uses_points:
            raise UomhError(
                f"{self.name} looks at the points themselves, not only at distances between them; "
                "give the points X"
            )
        return NeighbourLists(found, points, anchors=anchors)

    def estimates(
        self, found: Neighbours, points: Coordinates | None
    ) -> dict[int, DimensionEstimate]:
        """The dimension of a set at every k, with its interval, from neighbours within it."""
        apart = without_copies(found)
        return {k: DimensionEstimate(*self._refit(apart, points, k, halves=True)) for k in self.ks}

    def seen(self, found: Neighbours) -> dict[int, float]:
        """By k, the share of a set's points that its estimates rest on."""
        apart = without_copies(found)
        return {k: self._at(k).seen(apart) for k in self.ks}

    def dimension(self, found: Neighbours, points: Coordinates | None, k: int) -> float:
        """The dimension of a set at any k that the estimator can have."""
        if k not in self.ks and "k" not in self._options:
            raise UomhError(f"{self.name} has no option k")
        return self._refit(without_copies(found), points, k)[0]

    def parts(self, lists: NeighbourLists, labels: Ints, ks: Sequence[int]) -> Floats:
        """The dimension of every part of a partition, (parts, ks).

        Args:
            lists: of the set.
            labels: (m,) part of each point, 0 or more.
            ks: numbers of neighbours.
        """
        sizes = np.bincount(labels)
        widths = np.minimum(self.width(), sizes - 1)
        result = np.empty((len(sizes), len(ks)))
        for width in np.unique(widths).tolist():  # one, but where parts are smaller than a list
            found = lists.within(np.where(widths[labels] == width, labels, -1), width)
            for part in np.flatnonzero(widths == width):
                rows = np.flatnonzero(labels == part)
                for column, k in enumerate(ks):
                    near = np.s_[rows, : min(self._at(k).list_width(k), width)]
                    inside = Neighbours(found.distances[near], found.indices[near], rows)
                    result[part, column] = self._refit(inside, lists.points, k)[0]
        return result

    def partitions(
        self, lists: NeighbourLists, partitions: Sequence[Ints], ks: Sequence[int]
    ) -> Floats:
        """The dimensions of the parts of each of some partitions, (partitions, parts, ks)."""
        return np.array([self.parts(lists, labels, ks) for labels in partitions])

    def cuts(self, lists: NeighbourLists, cuts: Sequence[Ints], ks: Sequence[int]) -> Floats:
        """The mean dimension of the equal parts of random partitions, (ks,)."""
        inverse = np.nanmean([self.inverse(lists, cut, ks) for cut in cuts], axis=(0, 1))
        return np.asarray(1 / inverse)

    def inverse(self, lists: NeighbourLists, labels: Ints, ks: Sequence[int]) -> Floats:
        """Inverse dimensions, (any number, ks), whose mean is that of a partition's parts."""
        return 1 / self.parts(lists, labels, ks)

    def band(self, estimate: float, n: int, k: int) -> Interval | None:
        """The true dimensions that would give an estimate; None without a calibration."""
        del estimate, n, k
        return None

    def dispersion(self, found: Neighbours, k: int) -> float | None:
        """See `GroupEstimate`."""
        del found, k
        return None

    def _at(self, k: int | None, **options: Any) -> Estimator:
        """The estimator at k, not fitted."""
        options |= {"seed": self.seed} | ({} if k is None else {"k": k})
        try:
            return self._estimator(**{n: v for n, v in options.items() if n in self._options})
        except TypeError as error:
            raise UomhError(
                f"verify cannot make {self.name}: every option but k and seed must have a default "
                f"({error})"
            ) from None

    def _refit(
        self, found: Neighbours, points: Coordinates | None, k: int, *, halves: bool = False
    ) -> tuple[float, float, float]:
        """The dimension and its interval from lists without copies; no interval without halves."""
        estimator = self._at(k) if halves else self._at(k, splits=0)
        dimension, interval = estimator.refit(found, points)
        return dimension, *interval


def seen_sentence(name: str, seen: Mapping[str, Mapping[int, float]]) -> str:
    """What is to be said where estimates rest on a part of the points alone; else nothing.

    Args:
        name: of the estimator.
        seen: shares by k, by what set they are of.

    >>> print(seen_sentence("shortest_path", {"all points": {3: 1.0}, "group 'a'": {3: 0.5}}))
    shortest_path rests on a connected part of the points alone: 50% of group 'a' at k = 3; raise k.
    >>> seen_sentence("mle", {"all points": {3: 1.0}})
    ''
    """
    parts = [
        f"{math.floor(100 * share)}% of {what} at k = {k}"
        for what, shares in seen.items()
        for k, share in shares.items()
        if share < 1
    ]
    if not parts:
        return ""
    return f"{name} rests on a connected part of the points alone: {', '.join(parts)}; raise k."
