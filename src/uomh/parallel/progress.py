"""Who is told how training goes; the command line shows it, a program may ignore it."""

from __future__ import annotations

from collections.abc import Mapping


class Progress:
    """Told of training, and silent about it; the base of those that show it."""

    def start(self, path: str, done: int, epochs: int, points: int) -> None:
        """A leaf begins with ``done`` of its epochs behind it, each of so many points."""

    def advance(self, path: str, points: int) -> None:
        """So many points more were trained on."""

    def epoch(
        self, path: str, epoch: int, values: Mapping[str, Mapping[str, float]], seconds: float
    ) -> None:
        """An epoch ended with these values, by split and name."""

    def stop(self, path: str, why: str) -> None:
        """A leaf ended, and why: ``finished``, ``stopped early`` or ``was finished before``."""
