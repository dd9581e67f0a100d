"""Is a set of points a union of manifolds of different dimension? ``verify`` gathers the evidence.

One neighbour search in the whole set and one in every group feed all of it: estimates by group and
k with intervals (``intervals``) and calibrated bands (``calibration``), random groups of the same
sizes (``nulls``), the groups at coarser scale (``groups``), the three claims (``claims``) and the
sentence (``verdict``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uomh.data.labels import UNLABELLED
from uomh.dimension.claims import (
    detectable_difference,
    dimensions_differ,
    groups_separated,
    labels_matter,
)
from uomh.dimension.groups import estimates, list_length, measured
from uomh.dimension.inputs import (
    NearDuplicates,
    check_options,
    checked_ks,
    checked_rows,
    distinct_points,
    fingerprint_of,
    grouped,
    labels_of,
    renumbered,
    require_size,
)
from uomh.dimension.nearcopies import NearCopies, near_copies, without_near_copies
from uomh.dimension.nulls import shuffled
from uomh.dimension.result import (
    Claims,
    DimensionReport,
    DimensionsDiffer,
    GroupsSeparated,
    LabelsMatter,
    Power,
    Whole,
)
from uomh.dimension.thinning import Ints, NeighbourLists, random_parts, restricted, shortened
from uomh.dimension.verdict import CHOSEN, verdict
from uomh.errors import UomhError
from uomh.neighbours import Duplicates, Neighbours, nearest_neighbours
from uomh.neighbours.core import Points
from uomh.neighbours.graph import spanning_tree
from uomh.parallel.progress import Progress

_WIDEST = 512  # neighbours of the whole search: serve parts down to 1/14 of the set at k = 20
_ENTRIES = 1 << 26  # at most this many in all lists together (16 bytes each)


def verify(
    X: Any,
    y: Any = None,
    *,
    k: Sequence[int] = (3, 10, 20),
    estimator: str = "mle",
    nulls: int = 199,
    duplicates: Duplicates = "drop",
    near_duplicates: NearDuplicates = "keep",
    tolerance: float = 1e-3,
    seed: int = 0,
    neighbours: Neighbours | None = None,
    classes: Sequence[str] | None = None,
    name: str = "data",
    by: str = "class",
    from_points: bool = False,
    fingerprint: str | None = None,
    unlabelled: int = 0,
    notes: Sequence[str] = (),
    device: str | None = None,
    progress: Progress | None = None,
) -> DimensionReport:
    """Estimate the dimension of every group and say what the differences are evidence of.

    Args:
        X: (n, ...) points: pixels, embeddings, any features; None if ``neighbours`` stand for them.
        y: (n,) labels of any kind; None gives estimates of the whole, and no verdict. Points whose
            label is missing (``uomh.data.labels`` says when) are left out and counted.
        k: numbers of neighbours, each at least 2.
        estimator: ``"mle"``, the one that nulls and calibration are made for.
        nulls: shuffles of the labels, at least 19.
        duplicates: ``"drop"`` exact copies of a point and count them, ``"keep"`` them (a point's
            copies are not its neighbours), or ``"error"``.
        near_duplicates: ``"keep"`` points that are nearly copies, and say how many there are, or
            ``"drop"`` all but the first of them (see ``uomh.dimension.nearcopies``).
        tolerance: share of the typical nearest distance below which points are nearly copies.
        seed: of the shuffles and cuts; the answer is the same for any number of threads.
        neighbours: of X within itself, instead of a search (512 each serve ten groups).
        classes: names of the labels 0, 1, ...; y then holds these numbers, or the names.
        name: of the set, for the report.
        by: what the labels are, for the report.
        from_points: whether the labels were chosen by looking at the points, as most clusterers do:
            shuffled labels are then no fair comparison, and the sentence says so.
        fingerprint: of the set; by default a hash of X and y.
        unlabelled: how many points without a label were left out of X before, for the report.
        notes: sentences about the data, for the report.
        device: where to search.
        progress: is told of the stages ``neighbours``, ``nulls`` and ``groups``.

    Returns:
        The report; ``.save(directory)`` writes it, a notebook shows it as a table.

    Raises:
        UomhError: k < 2, NaN, too few points in a group, all points alike, lists too short, labels
            that are none or not one a point, missing labels where neighbours are given.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(400, 3))
        >>> X[200:, 2] = 9  # the second half lies on a plane
        >>> report = verify(X, np.arange(400) // 200, k=[5], nulls=19)
        >>> [round(group.k[5].dimension, 1) for group in report.groups]
        [3.4, 2.1]
        >>> report.claims.labels_matter.status
        'supported'
    """
    ks = checked_ks(k)
    check_options(
        estimator=estimator,
        nulls=nulls,
        duplicates=duplicates,
        near_duplicates=near_duplicates,
        tolerance=tolerance,
        seed=seed,
        texts={"name": name, "by": by, "fingerprint": fingerprint or ""},
        unlabelled=unlabelled,
        notes=notes,
        device=device,
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
        rows, among = distinct_points(given, labelled, duplicates)
    points = None if given is None else given.array
    if points is not None and len(rows) < total:
        points = points[rows]
    labels, names, dropped = grouped(numbers, known, rows, among)
    said = list(notes)
    doubled: NearCopies | None = None
    if near_duplicates == "drop":
        if neighbours is not None or points is None:
            raise UomhError(
                "near-duplicates cannot be left out of neighbours that were searched before; "
                "give the points alone"
            )
        require_size("the data set", len(rows), len(among) - len(rows), ks)
        apart, doubled = without_near_copies(points, tolerance, device)
        if len(apart) < len(rows):
            said.append(
                f"{len(rows) - len(apart):,} of {len(rows):,} points were left out as near-copies "
                f"of an earlier one: nearer than {tolerance:g} of the typical nearest distance."
            )
            rows, labels, points = rows[apart], labels[apart], points[apart]
    m = len(rows)
    sizes = np.bincount(labels, minlength=len(names))
    require_size("the data set", m, len(among) - m, ks)
    for label, size, copies in zip(names, sizes.tolist(), dropped.tolist(), strict=False):
        require_size(f"group {label!r}", size, copies, ks)

    if neighbours is None:
        width = min(m - 1, max(list_length(ks, m), _width(sizes, m, max(ks))))
        found = _search(points, width, device, progress)
    else:
        found = renumbered(neighbours, total)
    lists = NeighbourLists(found, points)
    near = found if points is None else shortened(found, list_length(ks, m))
    if doubled is None:
        doubled = near_copies(near, tolerance)
        said += [doubled.sentence()] if doubled.sentence() else []
    hashed = fingerprint or fingerprint_of(points, found, labels, names)
    del found  # 16 bytes an entry, where the lists take 8
    tree = _tree(shortened(near, max(ks)), points)
    whole = Whole(estimates(near, ks, seed), _size_curve(lists, ks, sizes, seed))
    draws = shuffled(lists, labels, ks, tree, nulls, seed, progress) if len(names) > 1 else None
    groups = []
    for i, label in enumerate(names):
        group, own = _inside(points, near, np.flatnonzero(labels == i), ks, device)
        matched = [whole.k[k].dimension for k in ks]
        if draws is not None:
            matched = draws.dimension[:, i].mean(axis=0).tolist()
        groups.append(
            measured(
                label,
                group,
                NeighbourLists(group, own),
                ks,
                duplicates=int(dropped[i]),
                size_matched=matched,
                seed=seed,
            )
        )
        if progress is not None:
            progress.stage("groups", i + 1, len(names))
    if draws is None:
        claims = _no_claims("there is one group" if groups else "the data have no groups")
    else:
        observed = np.array([[group.k[k].dimension for k in ks] for group in groups])
        matter = labels_matter(observed, draws.dimension, sizes, ks)
        if from_points:
            matter = replace(matter, reason=CHOSEN)
        claims = Claims(
            matter,
            dimensions_differ(groups, ks, matter),
            groups_separated(lists.nearest, tree, labels, draws),
        )
    return DimensionReport(
        dataset=name,
        fingerprint=hashed,
        estimator=estimator,
        n=m,
        ambient_dim=None if points is None else points.shape[1],
        by=by if groups else None,
        groups=tuple(groups),
        whole=whole,
        claims=claims,
        power=Power({k: detectable_difference(groups, k) for k in ks} if draws else {}),
        verdict=verdict(name, groups, claims, from_points=from_points),
        unlabelled=unlabelled + missing,
        near_copies=doubled.points,
        notes=tuple(said),
    )


def _width(sizes: Ints, m: int, k: int) -> int:
    """Neighbours to search in the whole set so that lists thinned to any shuffled group suffice.

    The k-th fellow stands at place k/p on average in a list thinned to a share p of the set, with
    deviation sqrt(k (1 - p)) / p. Lists that most points would exhaust are not worth their search:
    groups so small are searched quickly by themselves.
    """
    if len(sizes) < 2:
        return 0
    share = float(sizes.min()) / m
    if k / share > _WIDEST:
        return 0
    needed = (k + 5 * math.sqrt(k * (1 - share))) / share
    return min(math.ceil(needed), _WIDEST, _ENTRIES // m)


def _search(points: Any, k: int, device: Any, progress: Progress | None = None) -> Neighbours:
    """Neighbours of the points among themselves; copies were dealt with before."""
    return nearest_neighbours(points, k, duplicates="keep", device=device, progress=progress)


def _inside(
    points: Any, near: Neighbours, members: Ints, ks: Sequence[int], device: Any
) -> tuple[Neighbours, Any]:
    """Neighbours of a group's points among themselves, and the points if there are any."""
    if points is None:
        return restricted(near, members), None
    own = points[members]
    return _search(own, list_length(ks, len(own)), device), own


def _tree(found: Neighbours, points: Any) -> NDArray[np.int64] | None:
    """Edges of the minimum spanning tree; None if it takes points that were not given."""
    try:
        return spanning_tree(found, points).edges
    except UomhError:
        if points is None:
            return None
        raise


def _size_curve(
    lists: NeighbourLists, ks: Sequence[int], sizes: Ints, seed: int
) -> tuple[tuple[int, dict[int, float]], ...]:
    """The whole set's estimate on random subsets: halves, quarters, ..., the groups' mean size.

    A subset's estimate is the mean over the equal parts of a random partition of the whole.
    """
    groups = max(len(sizes), 1)
    most = max(16, groups)
    halvings = {1 << i for i in range(most.bit_length()) if 1 << i <= most}
    curve = []
    for parts in sorted(halvings | {groups}, reverse=True):
        n = lists.m // parts
        if n < 2 * (max(ks) + 1):
            continue
        cut = random_parts(lists.m, parts, np.random.default_rng((seed, parts)))
        try:
            dimensions = 1 / lists.inverse_dimensions(cut, ks).mean(axis=0)
        except UomhError:  # only neighbours were given, and the lists do not reach this far
            continue
        curve.append((n, dict(zip(ks, dimensions.tolist(), strict=True))))
    return tuple(curve)


def _no_claims(reason: str) -> Claims:
    reason += "; a verdict needs at least two"
    return Claims(
        LabelsMatter("undecided", reason=reason),
        DimensionsDiffer("undecided", reason=reason),
        GroupsSeparated("undecided", reason=reason),
    )
