"""What was measured of a run, read from its folder without torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uomh.data.about import About
from uomh.errors import UomhError
from uomh.metrics.cache import Cache
from uomh.metrics.pairing import Influences
from uomh.metrics.values import Value


@dataclass(frozen=True)
class MeasuredRun:
    """The numbers of a run, and what they are of.

    Attributes:
        name: the folder, as it was given.
        values: by their `Value.key`.
        data: about the data.
        grouping: names of the groups, and a hash of which point is in which.
        influences: of the points on the numbers.
    """

    name: str
    values: Mapping[str, Value]
    data: About
    grouping: tuple[object, ...]
    influences: Influences

    @classmethod
    def read(cls, run: str | os.PathLike[str]) -> MeasuredRun:
        """From a run's folder.

        Raises:
            UomhError: there is no run, nothing is measured of it, or a file is damaged.
        """
        folder, name = Path(run), os.fspath(run)
        config = _object(folder / "config.json", f"there is no run in {name!r}; check the path")
        entries = _object(
            folder / "metrics.json", f"nothing is measured of {name!r}; run `uomh evaluate {name}`"
        )
        try:
            about = About.of(config["data"])
            values = [Value(**{"name": key, "metric": key, **of}) for key, of in entries.items()]
        except (KeyError, TypeError, ValueError, UomhError):
            raise _damaged(folder) from None
        grouping = (*(config.get("groups") or about.classes), _hash_of(folder / "partition.npz"))
        by_key = {value.key: value for value in values}
        return cls(name, by_key, about, grouping, Influences(Cache(folder / "cache")))

    def of_same_kind(self, other: MeasuredRun) -> bool:
        """Whether both are of data of one name and shape."""
        a, b = self.data, other.data
        return (a.name, a.shape, a.levels) == (b.name, b.shape, b.levels)

    def of_same_points(self, other: MeasuredRun) -> bool:
        """Whether both are of the same points, in the same splits."""
        a, b = self.data, other.data
        return (a.fingerprint, a.sizes) == (b.fingerprint, b.sizes)


def _object(path: Path, absent: str) -> dict[str, Any]:
    """The content of a JSON file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UomhError(absent) from None
    except OSError as error:
        raise UomhError(f"cannot read {str(path)!r} ({error.strerror})") from None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> UomhError:
    return UomhError(f"{str(path)!r} is damaged, or of another version; restore it")


def _hash_of(path: Path) -> str:
    """A hash of a file, empty where there is none."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
    except OSError:
        return ""
