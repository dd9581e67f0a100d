"""What the groups' numbers would be if the labels meant nothing: random partitions of equal sizes.

Shuffling the labels keeps the set and the size of every group and breaks only the tie between a
point and its group, so that any statistic of (points, labels) gets an exact p-value

    p = (1 + #{b: statistic_b >= statistic}) / (1 + B)        over B shuffles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from uomh.dimension.values import Floats, Ints

Value = TypeVar("Value")


@dataclass(frozen=True)
class Shuffles:
    """Shuffles of labels; shuffle b is drawn from (seed, b), whatever the number of threads.

    Attributes:
        labels: (m,) groups, 0 to C-1.
        draws: number of shuffles B.
        seed: of the shuffles.
    """

    labels: Ints
    draws: int
    seed: int = 0

    def __call__(
        self,
        statistic: Callable[[Ints], Value],
        threads: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Value]:
        """A statistic of every shuffle.

        Args:
            statistic: of shuffled labels (m,).
            threads: in which it runs.
            progress: called with (done, total).
        """
        return self.together(lambda labels: [statistic(labels[0])], 1, threads, progress)

    def together(
        self,
        statistic: Callable[[Sequence[Ints]], Iterable[Value]],
        size: int,
        threads: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Value]:
        """A statistic of every shuffle that is quicker computed of several at once.

        Args:
            statistic: of shuffled labels (m,), one value for each of up to ``size`` of them.
            size: how many at once.
            threads: in which it runs.
            progress: called with (done, total).
        """

        def of_some(first: int) -> list[Value]:
            draws = range(first, min(first + size, self.draws))
            return list(statistic([self.shuffled(draw) for draw in draws]))

        values: list[Value] = []
        # Each of several threads computes by itself: they would wait for each other's parts.
        from uomh.parallel.core import computing_with  # brings torch

        alone = computing_with(1) if threads > 1 else nullcontext()
        with alone, ThreadPoolExecutor(threads) as pool:
            for some in pool.map(of_some, range(0, self.draws, size)):
                values += some
                if progress is not None:
                    progress(len(values), self.draws)
        return values

    def shuffled(self, draw: int) -> Ints:
        """The labels of one shuffle."""
        return np.random.default_rng((self.seed, draw)).permutation(self.labels)


def p_value(observed: float, null: Floats) -> float:
    """Share of the null, the observed value counted in, at least as large as the observed one.

    >>> p_value(3.0, np.array([1.0, 2.0, 4.0]))
    0.5
    """
    return float((1 + np.count_nonzero(null >= observed)) / (1 + len(null)))
