"""What ``verify`` accepts, made uniform: distinct points, labels 0 to C-1 and their names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from uomh.data.labels import UNLABELLED, Numbering
from uomh.devices import checked_device
from uomh.dimension.core import Coordinates
from uomh.dimension.nearcopies import NearCopies, without_near_copies
from uomh.dimension.smallgroups import large_groups, require_size
from uomh.dimension.thinning import restricted
from uomh.dimension.values import Ints
from uomh.errors import UomhError
from uomh.neighbours import Duplicates, Neighbours, distinct
from uomh.neighbours.checks import one_of, real_number, whole_number
from uomh.neighbours.core import BLOCK_BYTES, Points

NearDuplicates = Literal["keep", "drop"]


def checked_ks(k: int | Sequence[int]) -> tuple[int, ...]:
    """The numbers of neighbours, ascending and each once."""
    values: Any = k if isinstance(k, Iterable) and not isinstance(k, str) else [k]
    try:
        ks = sorted({whole_number(value, "k") for value in values})
    except (TypeError, UomhError):
        raise UomhError(f"k must be whole numbers, as in [3, 10, 20]; it is {k!r}") from None
    if not ks or ks[0] < 1:  # the estimator may ask for more
        raise UomhError(f"k must be at least 2 (or 1); it is {ks[0] if ks else 'empty'}")
    return tuple(ks)


@dataclass(frozen=True)
class Policy:
    """What is done with copies and near-copies, and where neighbours are searched.

    Attributes:
        duplicates: see `verify`, as for the others.
        near_duplicates: leave near-copies out, or keep them.
        tolerance: share of the typical nearest distance below which points are nearly copies.
        device: of searches.
    """

    duplicates: Duplicates
    near_duplicates: NearDuplicates
    tolerance: float
    device: Any

    def __post_init__(self) -> None:
        one_of(self.duplicates, "policy for duplicates", get_args(Duplicates))
        one_of(self.near_duplicates, "policy for near-duplicates", get_args(NearDuplicates))
        if not 0 < real_number(self.tolerance, "tolerance") < 1:
            raise UomhError(
                "tolerance is a share of the typical nearest distance, between 0 and 1; it is "
                f"{self.tolerance}"
            )
        checked_device(self.device)


@dataclass(frozen=True)
class PreparedPoints:
    """The points that are measured, m of them, and their groups.

    Attributes:
        points: (m, D), or None where neighbours stand for them.
        rows: (m,) where each stands among the points that were given.
        neighbours: given ones, by position among the m points.
        labels: (m,) groups 0 to C-1; zeros where there are none.
        names: of the groups.
        duplicates: (C,) how many copies each group lost.
        unlabelled: how many points have no label and were left out.
        near: the near-copies there were, where they were left out.
        note: what was left out as near-copies, as a sentence; or empty.
        left_out: points of the groups that were left out as too small, by name.
        left_out_duplicates: how many copies those groups lost, where they lost any.
    """

    points: Coordinates | None
    rows: Ints
    neighbours: Neighbours | None
    labels: Ints
    names: Sequence[str]
    duplicates: Ints
    unlabelled: int
    near: NearCopies | None
    note: str
    left_out: dict[str, int]
    left_out_duplicates: dict[str, int]


def prepared(
    X: Any,
    y: Any,
    neighbours: Any,
    classes: Any,
    policy: Policy,
    k: int,
    fewest: int,
    min_group: int | None = None,
) -> PreparedPoints:
    """The set and its groups as ``verify`` measures them; see there for the arguments.

    Groups of fewer than ``min_group`` points, by default the ``fewest`` that k neighbours need, are
    left out, and their points with them.

    Raises:
        UomhError: what is given is no set of points with labels, no group is large enough, or
            ``min_group`` is smaller than ``fewest``.
    """
    least = fewest if min_group is None else whole_number(min_group, "min_group", 1)
    if least < fewest:
        raise UomhError(
            f"min_group is {least}, and k = {k} needs at least {fewest} points in a group; "
            "raise it, or use a smaller k"
        )
    if not isinstance(neighbours, Neighbours | None):
        raise UomhError(
            "neighbours must be what uomh.nearest_neighbours gives; it is "
            f"{type(neighbours).__name__}"
        )
    given = None if X is None else Points(X)
    if given is not None:
        given.largest()  # raises where a value is not finite
        total = given.n
    elif neighbours is not None:
        total = int(neighbours.rows.max()) + 1
    else:
        raise UomhError("give the points X, or the neighbours of all points among themselves")
    numbers, known = labels_of(y, total, given is not None, classes)
    labelled = np.flatnonzero(numbers != UNLABELLED)
    missing = total - len(labelled)
    if neighbours is not None:
        rows, among = checked_rows(neighbours, total, missing), np.arange(total)
    else:
        assert given is not None
        rows, among = distinct_points(given, labelled, policy.duplicates)
    points = None if given is None else given.array
    if points is not None and len(rows) < total:
        points = points[rows]
    labels, names, dropped = numbered_groups(numbers, known, rows, among)
    near, note = None, ""
    if policy.near_duplicates == "drop":
        if neighbours is not None or points is None:
            raise UomhError(
                "near-duplicates cannot be left out of neighbours that were searched before; "
                "give the points alone"
            )
        require_size("the data set", len(rows), len(among) - len(rows), k, fewest)
        apart, near = without_near_copies(points, policy.tolerance, policy.device)
        if len(apart) < len(rows):
            note = (
                f"{len(rows) - len(apart):,} of {len(rows):,} points were left out as near-copies "
                f"of an earlier one: nearer than {policy.tolerance:g} of the typical nearest "
                "distance."
            )
            rows, labels, points = rows[apart], labels[apart], points[apart]
    require_size("the data set", len(rows), len(among) - len(rows), k, fewest)
    searched = None if neighbours is None else renumbered(neighbours, total)
    large, left_out, lost = large_groups(labels, names, dropped, least)
    if left_out:
        members = np.flatnonzero(large[labels])
        rows = rows[members]
        points = None if points is None else points[members]
        searched = None if searched is None else restricted(searched, members)
        labels, dropped = (np.cumsum(large) - 1)[labels[members]], dropped[large]
        names = [name for name in names if name not in left_out]
    return PreparedPoints(
        points, rows, searched, labels, names, dropped, missing, near, note, left_out, lost
    )


def labels_of(
    y: Any, n: int, exactly: bool, classes: Sequence[str] | None
) -> tuple[Ints, tuple[str, ...]]:
    """Class numbers (n,) of the points, `UNLABELLED` where there is none, and the classes' names.

    No labels (None) give no classes.

    Args:
        y: the labels, by the one rule of ``uomh.data.labels``.
        n: number of points.
        exactly: whether there are n points; otherwise at least n, the last being copies.
        classes: names of the classes 0, 1, ...

    Raises:
        UomhError: y is no list of labels, has not one a point, or holds none at all.
    """
    if y is None:
        return np.zeros(n, dtype=np.int64), ()
    if classes is not None and (isinstance(classes, str) or not isinstance(classes, Iterable)):
        raise UomhError(f"classes must be a list of names; it is {classes!r}")
    numbering = Numbering.of(y, "y", classes)
    labels = numbering(y, "y")
    if len(labels) < n or (exactly and len(labels) > n):
        raise UomhError(f"y must hold one label for each of {n} points; it holds {len(labels)}")
    labels = labels[:n]
    if (labels == UNLABELLED).all():
        raise UomhError("y holds no label at all, only missing ones; leave it out")
    return labels, numbering.classes


def distinct_points(
    points: Points, labelled: NDArray[np.int64] | None, duplicates: Duplicates
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows to use, and the rows that could have been: all, or the labelled ones.

    Raises:
        UomhError: all points are alike, or there are duplicates where they are an error.
    """
    among = np.arange(points.n) if labelled is None else labelled
    rows = among[distinct(points if len(among) == points.n else points.only(among))]
    copies = len(among) - len(rows)
    if len(rows) == 1 < len(among):
        raise UomhError(
            f"all {len(among)} points are identical, so they have no dimension; check the data"
        )
    if duplicates == "error" and copies:
        raise UomhError(
            f"{copies} of {len(among)} points equal an earlier one; drop or keep them "
            "(duplicates: drop, keep)"
        )
    return (among if duplicates == "keep" else rows), among


def numbered_groups(
    labels: Ints, names: Sequence[str], rows: NDArray[np.int64], among: NDArray[np.int64]
) -> tuple[Ints, list[str], NDArray[np.int64]]:
    """Labels 0 to C-1 of the rows, the groups' names, and how many copies each group lost.

    Args:
        labels: class number of every point.
        names: of the classes; those without a point are left out.
        rows: the points that are used.
        among: the points that could have been, copies among them.
    """
    if not names:
        return np.zeros(len(rows), dtype=np.int64), [], np.zeros(0, dtype=np.int64)
    there = np.flatnonzero(np.bincount(labels[among], minlength=len(names)))
    before = np.searchsorted(there, labels[among])
    after = np.searchsorted(there, labels[rows])
    dropped = np.bincount(before, minlength=len(there)) - np.bincount(after, minlength=len(there))
    return after, [names[i] for i in there.tolist()], dropped


def checked_rows(neighbours: Neighbours, n: int, missing: int) -> NDArray[np.int64]:
    """The rows that neighbours were searched of, n points of which ``missing`` have no label."""
    if neighbours.rows.max() >= n:
        raise UomhError(
            f"the neighbours speak of row {neighbours.rows.max()}, but X has {n} rows; "
            "they must come from a search within X"
        )
    if missing:
        raise UomhError(
            f"{missing} of {n} points have no label, and neighbours that were searched among all "
            "points cannot leave them out; leave them out of X and y, and search again"
        )
    return neighbours.rows


def renumbered(neighbours: Neighbours, n: int) -> Neighbours:
    """The same lists with positions among ``neighbours.rows`` in place of rows of the set."""
    position = np.full(n, -1, dtype=np.int64)
    position[neighbours.rows] = np.arange(len(neighbours.rows))
    if neighbours.indices.min() < 0 or neighbours.indices.max() >= n:
        raise UomhError("the neighbours have indices outside the set they were searched in")
    indices = position[neighbours.indices]
    if (indices < 0).any() or (indices == np.arange(len(indices))[:, None]).any():
        raise UomhError(
            "the neighbours must come from a search within the set, self excluded, not from queries"
        )
    return Neighbours(neighbours.distances, indices, np.arange(len(indices)), neighbours.duplicates)


def fingerprint_of(
    points: NDArray[Any] | None, found: Neighbours | None, labels: Ints, names: Sequence[str]
) -> str:
    """A hash (SHA-256, 16 digits) of the points, or of the neighbours without them, and labels.

    It is of the values: the type they are stored in and the shape of a point change nothing.
    """
    digest = hashlib.sha256()
    if points is None:
        assert found is not None
        digest.update(found.indices.tobytes())
        digest.update(found.distances.tobytes())
    else:
        digest.update(f"{len(points)} {points.shape[1]}".encode())
        step = max(1, BLOCK_BYTES // (8 * points.shape[1]))
        for start in range(0, len(points), step):
            block = points[start : start + step].astype("<f8") + 0.0  # no -0.0
            digest.update(block.tobytes())
    digest.update(labels.astype("<i8").tobytes())
    digest.update(json.dumps(list(names)).encode())
    return digest.hexdigest()[:16]
