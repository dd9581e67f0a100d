"""What an evaluation keeps: names of points, and what was computed of them, once.

The same points may be named in several ways, as the held-out ones of a run are those of the test
split. `Resources` brings every way to one name, knows all that these points depend on, and keeps
what is computed of them under both: by the name in memory, by what they depend on in the run's
`Cache`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from uomh.data.core import Data, Split
from uomh.errors import UomhError
from uomh.metrics.cache import Arrays, Cache
from uomh.metrics.sources import PointSource, hash_of


class Resources:
    """What is computed of the points of some data and of the samples of a model.

    Args:
        data: the data set.
        split: the points of it that are measured.
        seed: of the draws that measuring takes.
        samples: how many are drawn where a metric does not say; None: as many as there are training
            points.
        other: loads other data by name, to be told apart from these.
        cache: keeps resources on disk.
        state: hash of all that the model's numbers depend on, from which the cache takes its keys.
    """

    def __init__(
        self,
        data: Data,
        split: Split,
        seed: int,
        samples: int | None,
        other: Callable[[str], Data] | None,
        cache: Cache | None,
        state: str,
    ) -> None:
        self.data = data
        self.split = split
        self.seed = seed
        self.default_samples = len(data.train) if samples is None else samples
        self.load_other = other
        self.cache = cache
        self.state = state
        self._kept: dict[tuple[object, ...], Any] = {}

    def kept(
        self,
        kind: str,
        sources: tuple[PointSource, ...],
        key: tuple[object, ...],
        compute: Callable[[], Arrays],
    ) -> Arrays:
        """What is computed of sources once, and kept in memory and in the run's cache.

        Args:
            kind: name of what is computed, of its own.
            sources: the points that it depends on.
            key: all else that it depends on.
            compute: gives the arrays.
        """
        named = tuple(map(self._canonical, sources))
        at = (kind, *named, *key)
        if at not in self._kept:
            identity = [part for source in named for part in self._identity(source)]
            self._kept[at] = self._stored(kind, (*identity, *key), compute)
        found: Arrays = self._kept[at]
        return found

    def forget_model(self) -> None:
        """Drop what depends on the weights, which have changed; what is of the data alone stays."""
        self._kept = {
            key: value
            for key, value in self._kept.items()
            if key[0] not in ("samples", "log_prob", "logits")
            and not any(isinstance(part, PointSource) and part.of == "samples" for part in key)
        }

    def other(self, name: str) -> Data:
        """Other data, loaded once.

        Raises:
            UomhError: they cannot be had here, or their points are of another size.
        """
        key = ("other", name)
        if key not in self._kept:
            if self.load_other is None:
                raise UomhError(f"other data, as {name!r}, are not to be had here")
            data = self.load_other(name)
            if data.spec.shape != self.data.spec.shape or data.levels != self.data.levels:
                hint = "train with --resize to bring both to one size"
                if data.levels != self.data.levels:
                    hint = "choose data of the same kind"
                raise UomhError(
                    f"points of {data.name} are {_shape(data)}, and those of {self.data.name} "
                    f"{_shape(self.data)}; {hint}"
                )
            self._kept[key] = data
        found: Data = self._kept[key]
        return found

    def _data(self, source: PointSource) -> Data:
        return self.data if source.data is None else self.other(source.data)

    def _split(self, source: PointSource) -> Split:
        if source.of == "held_out":
            return self.split
        data = self._data(source)
        return {"train": data.train, "valid": data.valid, "test": data.test}[source.of]

    def _canonical(self, source: PointSource) -> PointSource:
        """The one name of points that have several."""
        if source.of == "samples":
            return replace(source, n=self.default_samples if source.n is None else source.n)
        n = len(self._split(source))
        source = replace(source, n=None if source.n is None or source.n >= n else source.n)
        if source.of == "held_out" and self.split is self.data.test:
            return replace(source, of="test")
        if source.of == "held_out" and self.split is self.data.valid:
            return replace(source, of="valid")
        return source

    def _identity(self, source: PointSource) -> tuple[object, ...]:
        """All that the points of a source depend on."""
        if source.of == "samples":
            return ("samples", self.state, self.data.fingerprint, self.seed, source.n)
        split = self._split(source)
        of = source.of if source.of != "held_out" else f"held_out {hash_of(split)}"
        return (of, self._data(source).fingerprint, len(split), source.n)

    def _stored(self, kind: str, key: tuple[object, ...], compute: Callable[[], Arrays]) -> Arrays:
        """From the disk, or computed and kept there."""
        if self.cache is None:
            return compute()
        found = self.cache.get(kind, key)
        if found is None:
            found = compute()
            self.cache.put(kind, key, found)
        return found


def _shape(data: Data) -> str:
    """The shape of a point in words."""
    shape = "x".join(map(str, data.spec.shape))
    return f"{shape} with {data.levels} grey levels" if data.levels else f"vectors of {shape}"
