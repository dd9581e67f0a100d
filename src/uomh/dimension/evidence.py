"""Is a set of points a union of manifolds of different dimension? ``verify`` gathers the evidence.

One neighbour search in the whole set and one in every group feed all of it: what an instrument
(``statistic``) finds in every group and at every k, with intervals and calibrated bands, in random
groups of the same sizes (``nulls``), and in the groups at coarser scale (``groups``); then the
claims and the sentence (``claims``).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from uomh.dimension.anchored import Anchors, anchors_of, anchors_sentence, shuffles_sentence
from uomh.dimension.behind import Ends, extremes, group_details, nearest_pairs, null_spreads
from uomh.dimension.claims import Claims
from uomh.dimension.claims.core import Evidence
from uomh.dimension.claims.dimensions_differ import detectable_difference
from uomh.dimension.details import Details, GroupDetails
from uomh.dimension.groups import measured_group
from uomh.dimension.inputs import (
    NearDuplicates,
    Policy,
    checked_ks,
    fingerprint_of,
    prepared,
)
from uomh.dimension.instruments import opinions, other_instruments, statistic_of
from uomh.dimension.lists import NeighbourLists
from uomh.dimension.nearcopies import near_copies, near_copies_as_copies
from uomh.dimension.nulls import Shuffles
from uomh.dimension.references import learned_dimension
from uomh.dimension.result import DimensionReport
from uomh.dimension.rounding import rounding_sentence
from uomh.dimension.searched import searched
from uomh.dimension.smallgroups import groups_left_out
from uomh.dimension.spanning import tree_of
from uomh.dimension.spread import Here, workplace
from uomh.dimension.statistic import Statistic, seen_sentence
from uomh.dimension.thinning import random_parts, restricted, shortened
from uomh.dimension.values import DimensionEstimate, Floats, Group, Ints, Power, Whole
from uomh.errors import UomhError
from uomh.neighbours import Duplicates, Neighbours
from uomh.neighbours.checks import text, whole_number
from uomh.parallel.core import Parallel
from uomh.parallel.progress import Progress

FEWEST_NULLS = 19  # the fewest that allow p = 0.05


def verify(
    X: Any,
    y: Any = None,
    *,
    k: Sequence[int] | None = None,
    estimator: str = "mle",
    instruments: Sequence[str] = (),
    nulls: int = 199,
    duplicates: Duplicates = "drop",
    near_duplicates: NearDuplicates = "keep",
    tolerance: float = 1e-3,
    min_group: int | None = None,
    anchors: int | None = None,
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
    parallel: Parallel | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> DimensionReport:
    """Estimate the dimension of every group and say what the differences are evidence of.

    Args:
        X: (n, ...) points: pixels, embeddings, any features; None if ``neighbours`` stand for them.
        y: (n,) labels of any kind; None gives estimates of the whole, and no verdict. Points whose
            label is missing (``uomh.data.labels`` says when) are left out and counted.
        k: numbers of neighbours, each at least 2; by default 3, 10 and 20 for ``mle``, and what
            other estimators have as their default.
        estimator: name of any registered estimator, or ``file.py:Class``. Only ``mle`` has a
            calibration; with others the claim that dimensions differ is undecided.
        instruments: other estimators, at the largest k: whether they agree on the order of the two
            groups that claim 2 rests on. One that contradicts it leaves it undecided.
        nulls: shuffles of the labels, at least 19.
        duplicates: ``"drop"`` exact copies of a point and count them, ``"keep"`` them (a point's
            copies are not its neighbours), or ``"error"``.
        near_duplicates: ``"keep"`` points that are nearly copies, and say how many there are, or
            ``"drop"`` all but the first of them (see ``uomh.dimension.nearcopies``).
        tolerance: share of the typical nearest distance below which points are nearly copies.
        min_group: the fewest points of a group that is measured; by default as many as the largest
            k needs (k + 2). Smaller groups are left out, with their points, and named.
        anchors: points to estimate at, drawn at random, at least 1,000 (only ``mle``); by default
            all, where that is quick enough (see ``uomh.dimension.anchored``).
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
        parallel: where the search and the shuffles are done, by default in this process; the answer
            is the same to the bit.
        folder: for the pieces of other workers, which all of them see; by default a temporary one.
        progress: is told of the stages ``neighbours``, ``nulls`` and ``groups``.

    Returns:
        The report; ``.save(directory)`` writes it, a notebook shows it as a table.

    Raises:
        UomhError: k < 2, NaN, no group with enough points, all points alike, lists too short,
            labels that are none or not one a point, missing ones beside given neighbours; no such
            estimator, or one that needs points that were not given.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(400, 3))
        >>> X[200:, 2] = 9  # the second half lies on a plane
        >>> report = verify(X, np.arange(400) // 200, k=[5], nulls=19)
        >>> [round(group.k[5].dimension, 1) for group in report.groups]
        [3.4, 2.1]
        >>> report.claims.labels_matter.status
        'supported'
    """
    if whole_number(nulls, "nulls", 0) < FEWEST_NULLS:
        raise UomhError(f"nulls must be at least {FEWEST_NULLS}, the fewest that allow p = 0.05")
    whole_number(seed, "seed", 0)
    whole_number(unlabelled, "unlabelled", 0)
    for what, value in {"name": name, "by": by, "fingerprint": fingerprint or ""}.items():
        text(value, what)
    if isinstance(notes, str):
        raise UomhError("notes must be a list of sentences; it is one text")
    policy = Policy(duplicates, near_duplicates, tolerance, device)
    statistic = statistic_of(str(estimator), None if k is None else checked_ks(k), seed)
    ks = statistic.ks
    others = other_instruments(instruments, str(estimator), max(ks), seed)
    data = prepared(X, y, neighbours, classes, policy, max(ks), statistic.fewest(), min_group)
    points, labels, names = data.points, data.labels, data.names
    sizes = np.bincount(labels)
    m = len(labels)
    dim = None if points is None else points.shape[1]
    at = anchors_of(m, dim, anchors, seed, always=not statistic.anchored)
    of_shuffles = None
    if at is None and data.neighbours is None and statistic.anchored and len(names) > 1:
        of_shuffles = Anchors.of_shuffles(m, seed)

    def key() -> str:
        settings = (*ks, nulls, seed, str(estimator), None if at is None else at.count)
        return fingerprint_of(points, data.neighbours, labels, [*names, *map(str, settings)])

    work = workplace(parallel, folder, key, device=device, progress=progress)
    found = deep = data.neighbours
    if found is None or deep is None:
        found, deep = searched(work, data, statistic, at, of_shuffles, copies=duplicates == "keep")
    lists = statistic.lists(deep, points, at or of_shuffles)
    near = found if points is None else shortened(found, statistic.list_length(m))
    close = data.near or near_copies(near, tolerance)
    beside = ThreadPoolExecutor(1)  # what keeps one thread busy need not keep others waiting

    def hashed_or_given() -> str:
        return fingerprint or fingerprint_of(points, data.neighbours, labels, names)

    hashed = beside.submit(hashed_or_given)
    tree = beside.submit(tree_of, near, points, max(ks), at) if len(names) > 1 else None
    del found, deep  # 16 bytes an entry, where the lists of mle take 8
    apart = ""
    if close.beyond_chance and not data.note:
        apart = _without(statistic, near_copies_as_copies(near, tolerance), points)
    of_all = statistic.estimates(near, points)
    whole = Whole(of_all, _size_curve(statistic, lists, sizes, of_all))
    shuffles = Shuffles(labels, nulls, seed)
    null = observed = None
    if len(names) > 1:
        null = work.null(shuffles, statistic, lists, str(estimator))
    if of_shuffles is not None:
        (observed,) = statistic.partitions(lists, [labels], ks)  # as shuffled labels are
    work.done()
    nearest, asked = near.indices[:, 0], None if at is None else at.whole()
    here = Here(device)

    def of_group(i: int) -> tuple[Group, Ends, dict[int, float]]:
        members = np.flatnonzero(labels == i)
        some = None if at is None else at.within(members)
        inside = None if points is None else points[members]
        if inside is None:
            found = restricted(near, members)
        else:
            reach = max(one.list_length(len(inside)) for one in (statistic, *others))
            found = here.search(inside, reach, None if some is None else some.whole())
        heard = opinions(others, found, inside)
        if others and inside is not None:
            found = shortened(found, statistic.list_length(len(inside)))
        matched = [whole.k[k].dimension for k in ks] if null is None else _inverse_mean(null[:, i])
        lost = int(data.duplicates[i])
        group = measured_group(statistic, names[i], found, inside, lost, matched, some)
        learned = None
        if inside is not None and some is None and not statistic.uncalibrated:
            learned = learned_dimension(group, found, inside)
        rows = extremes(found, data.rows[members], max(ks))
        return replace(group, others=heard, learned=learned), rows, statistic.seen(found)

    groups, ends = [], []
    seen = {"all points": statistic.seen(near)}
    concurrent = statistic.concurrent and all(one.concurrent for one in others)
    measured = here.of_groups(of_group, sizes[: len(names)], concurrent=concurrent)
    with threadpool_limits(1, user_api="blas"):  # how it cuts a product would move the last digits
        for group, rows, share in measured:
            groups.append(group)
            ends.append(rows)
            seen[f"group {group.label!r}"] = share
            if progress is not None:
                progress.stage("groups", len(groups), len(names))
    if null is None:
        reason = "there is one group" if groups else "the data have no groups"
        claims = Claims.undecided(f"{reason}; a verdict needs at least two")
    else:
        if observed is None:
            observed = np.array([[group.k[k].dimension for k in ks] for group in groups])
        why = statistic.uncalibrated
        edges = None if tree is None else tree.result()
        claims = Claims.decide(
            Evidence(groups, ks, observed, null, shuffles, nearest, edges, why, from_points, asked)
        )
    behind = group_details(groups, ends, labels, nearest, null, asked)
    if not groups:
        odd = extremes(near, data.rows, max(ks))
        behind = (GroupDetails("", None, None, None, 0.0, {}, *odd),)
    remarks = [groups_left_out(data.left_out, data.left_out_duplicates), anchors_sentence(at, m)]
    remarks.append(shuffles_sentence(of_shuffles))
    remarks += [data.note or close.sentence(apart), statistic.note]
    if points is not None:
        remarks.append(rounding_sentence(points, near.distances[:, min(ks) - 1], min(ks)))
    remarks.append(seen_sentence(statistic.name, seen))
    known = ks if null is not None and not statistic.uncalibrated else ()
    return DimensionReport(
        dataset=name,
        fingerprint=hashed.result(),
        estimator=statistic.name,
        n=m,
        ambient_dim=dim,
        by=by if groups else None,
        groups=tuple(groups),
        whole=whole,
        claims=claims,
        power=Power({k: detectable_difference(groups, k) for k in known}),
        verdict=claims.verdict(name, groups, from_points=from_points),
        unlabelled=unlabelled + data.unlabelled,
        near_copies=close.points,
        left_out=data.left_out,
        left_out_duplicates=data.left_out_duplicates,
        anchors=None if at is None else at.count,
        notes=(*notes, *filter(None, remarks)),
        details=Details(
            hashed.result(),
            statistic.name,
            max(ks),
            null_spreads(groups, observed, null),
            behind,
            nearest_pairs(near, data.rows),
            float(np.median(near.distances[:, 0])),
        ),
    )


def _inverse_mean(dimensions: Floats) -> Floats:
    """One over the mean inverse of estimates (B, ks), which few anchors do not raise, (ks,)."""
    return np.asarray(1 / (1 / dimensions).mean(axis=0))


def _without(statistic: Statistic, found: Neighbours, points: Any) -> str:
    """In words, what the whole has where near-copies are no neighbours."""
    try:
        values = [f"{statistic.dimension(found, points, k):.2f} at k = {k}" for k in statistic.ks]
    except UomhError:  # the lists hold hardly anything else
        return ""
    return f"without them the whole has {', '.join(values)}"


def _size_curve(
    statistic: Statistic, lists: NeighbourLists, sizes: Ints, whole: dict[int, DimensionEstimate]
) -> tuple[tuple[int, dict[int, float]], ...]:
    """The whole set's estimate on random subsets: halves, quarters, ..., the groups' mean size.

    A subset's estimate is the mean over the equal parts of a random partition of the whole.
    """
    ks, groups = statistic.ks, max(len(sizes), 1)
    most = max(16, groups)
    halvings = {1 << i for i in range(most.bit_length()) if 1 << i <= most}
    curve = []
    for parts in sorted(halvings | {groups}, reverse=True):
        n = lists.m // parts
        if not all(statistic.allows(k, n) for k in ks):
            continue
        if parts == 1:
            curve.append((n, {k: whole[k].dimension for k in ks}))
            continue
        cut = random_parts(lists.m, parts, np.random.default_rng((statistic.seed, parts)))
        try:
            dimensions = statistic.cuts(lists, [cut], ks)
        except UomhError:  # the lists that were given, or so few points, say nothing at this size
            continue
        curve.append((n, dict(zip(ks, dimensions.tolist(), strict=True))))
    return tuple(curve)
