"""How work goes, told to whoever asks: the command line shows it, a program may record it."""

from __future__ import annotations

from collections.abc import Mapping


class Progress:
    """The one contract of progress; this base ignores what it is told.

    Training tells of each leaf: `start`, then `advance` and `epoch`, then `stop`. Work of a known
    length (a neighbour search, shuffles, merges) tells of its `stage`.
    """

    def start(self, path: str, done: int, epochs: int, points: int) -> None:
        """A leaf begins with ``done`` of its epochs behind it, each of so many points."""

    def advance(self, path: str, points: int) -> None:
        """So many points more were trained on, or measured."""

    def epoch(
        self, path: str, epoch: int, values: Mapping[str, Mapping[str, float]], seconds: float
    ) -> None:
        """An epoch ended with these values, by split and name."""

    def stop(self, path: str, why: str) -> None:
        """A leaf ended, and why: ``finished``, ``stopped early`` or ``was finished before``."""

    def stage(self, name: str, done: int, total: int) -> None:
        """A stage has ``done`` of its ``total`` units of work behind it; at ``total`` it ends."""
