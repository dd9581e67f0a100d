"""Estimators that scikit-dimension keeps, through its own code (extra ``skdim``).

DANCo (distances and angles, compared by simulation), FisherS (linear separability) and MiND (the
smallest of k scaled distances) stand off the path of ``uomh verify``. They are global methods that
search for themselves: every ``dimension_pw_`` is the dimension of the set, and a precomputed search
only says which points to use.
"""

from __future__ import annotations

import importlib
import io
import warnings
from abc import abstractmethod
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from uomh.dimension.core import Coordinates, Estimator, Floats
from uomh.errors import UomhError
from uomh.neighbours import Neighbours
from uomh.registry import register


class External(Estimator):
    """What the three adapters share."""

    uses_points = True

    @abstractmethod
    def _estimator(self, skdim: Any) -> Any:
        """The scikit-dimension estimator, from its module ``skdim.id``."""

    def _estimate(self, neighbours: Neighbours, points: Coordinates | None) -> tuple[float, Floats]:
        assert points is not None  # Estimator.fit asks for X where uses_points is true
        try:
            with warnings.catch_warnings():  # it silences all warnings of all when it is imported
                skdim = importlib.import_module("skdim.id")
        except ImportError as error:
            raise UomhError(
                f"{self.name} comes from scikit-dimension: pip install 'uomh[skdim]'"
            ) from error
        chosen = _centred(points[neighbours.rows].astype(np.float64))
        if chosen.shape[1] == 1:  # refused there; a constant coordinate changes no distance
            chosen = np.pad(chosen, ((0, 0), (0, 1)))
        try:
            with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # it prints warnings
                warnings.simplefilter("ignore")
                dimension = float(self._estimator(skdim).fit(chosen).dimension_)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UomhError(
                f"{self.name} of scikit-dimension fails on these data: {reason}"
            ) from error
        return dimension, np.full(len(neighbours), dimension)


def _centred(points: Floats) -> Floats:
    """The points about their medians, in a unit near their largest coordinate.

    There, squares and products lose the digits of points far from the origin, or vanish. A median
    stays among the points where one of them is far away.
    """
    centred = points - np.median(points, axis=0)
    return np.asarray(np.ldexp(centred, -np.frexp(np.abs(centred).max())[1]))


@register("estimators", "danco")
class DANCo(External):
    """DANCo: norms and angles of neighbours against simulated ones (scikit-dimension).

    Args:
        k: number of neighbours.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the simulation and the splits.

    Source: Ceruti et al. (2014), *DANCo: an intrinsic dimensionality estimator exploiting angle and
    norm concentration*.
    """

    least_k = 2

    def __init__(self, k: int = 10, *, splits: int = 0, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)

    def most_k(self, n: int) -> int:
        """See `Estimator`."""
        return n - 2

    def _estimator(self, skdim: Any) -> Any:
        return skdim.DANCo(k=self.k_, random_state=self.seed)


@register("estimators", "fishers")
class FisherS(External):
    """FisherS: how linearly separable the points are from one another (scikit-dimension).

    Args:
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    Source: Albergante, Bac & Zinovyev (2019), *Estimation of the effective dimension of data with
    Fisher separability analysis*.
    """

    k = 1

    def __init__(self, *, splits: int = 0, seed: int = 0) -> None:
        self.splits = splits
        self.seed = seed

    def _estimator(self, skdim: Any) -> Any:
        return skdim.FisherS()


@register("estimators", "mind")
class MiND(External):
    """MiND: likelihood of the smallest of k distances over the largest (scikit-dimension).

    Args:
        k: number of neighbours.
        largest: largest dimension considered.
        splits: random halvings behind ``interval_``; 0 for none.
        seed: of the splits.

    Source: Rozza et al. (2012), *Novel high intrinsic dimensionality estimators*.
    """

    least_k = 2

    def __init__(self, k: int = 20, *, largest: int = 100, splits: int = 0, seed: int = 0) -> None:
        super().__init__(k, splits=splits, seed=seed)
        self.largest = largest

    def _estimator(self, skdim: Any) -> Any:
        return skdim.MiND_ML(k=self.k_, D=self.largest)
