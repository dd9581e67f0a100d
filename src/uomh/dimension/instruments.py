"""Other instruments beside the one that decides: a second opinion on the order of two groups.

Neighbour distances are pulled down by a boundary, angles and local linear methods up by curvature.
Two instruments of unlike biases that agree on which of two groups has more dimensions, each beyond
its own error, are better evidence than one; where they contradict each other, at least one of the
differences is no difference of dimension.
"""

from __future__ import annotations

from collections.abc import Sequence

from uomh import registry
from uomh.dimension.core import Coordinates
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.mle import MLE
from uomh.dimension.statistic import Statistic
from uomh.dimension.values import DimensionEstimate
from uomh.errors import UomhError
from uomh.neighbours import Neighbours


def statistic_of(estimator: str, ks: Sequence[int] | None = None, seed: int = 0) -> Statistic:
    """The statistic of an estimator by name, or ``file.py:Class``.

    Raises:
        UomhError: there is no such estimator, or as `Statistic`.
    """
    cls = registry.load("estimators", estimator)
    return Harmonic(ks, seed) if cls is MLE else Statistic(cls, ks, seed)


def other_instruments(names: Sequence[str], first: str, k: int, seed: int) -> list[Statistic]:
    """The instruments of these names but the first, at k neighbours, or what k is their own.

    Raises:
        UomhError: the names are one text; there is no such estimator; k is too small for one.
    """
    if isinstance(names, str):
        raise UomhError("instruments must be a list of names of estimators; it is one text")
    others = dict.fromkeys(str(name) for name in names if str(name) != first)
    return [statistic_of(name, (k,), seed) for name in others]


def opinions(
    instruments: Sequence[Statistic], found: Neighbours, points: Coordinates | None
) -> dict[str, DimensionEstimate]:
    """What each instrument finds in one group, with its interval.

    One that finds no dimension there has no opinion of the group, and is left out.

    Raises:
        UomhError: an instrument needs the points, and there are none.
    """
    heard = {}
    for instrument in instruments:
        instrument.lists(found, points)  # refuses where points are needed
        (k,) = instrument.ks
        if not instrument.allows(k, len(found)):
            continue
        try:
            heard[instrument.name] = instrument.estimates(found, points)[k]
        except UomhError:
            continue
    return heard
