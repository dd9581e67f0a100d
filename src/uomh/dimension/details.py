"""What stands behind a report and is too much for it: shuffles, neighbours by group, odd points.

``details.json`` beside ``dimension.json`` holds them for whoever draws them; no claim rests on it.
Reading it takes no torch.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from uomh.dimension.values import Above
from uomh.errors import UomhError
from uomh.files import replacing

FILE = "details.json"


@dataclass(frozen=True)
class Extreme:
    """A point of unusual dimension: its row among the points that were given, and the dimension."""

    row: int
    dimension: Above


@dataclass(frozen=True)
class Pair:
    """Two points that are near to one another: their rows, and how far apart they are."""

    row: int
    other: int
    distance: float


@dataclass(frozen=True)
class GroupDetails:
    """What stands behind one group's numbers.

    Attributes:
        label: of the group; empty where the data have no groups.
        own: share of its points whose nearest neighbour in the whole set is of the group too; None
            without groups.
        chance: that share under shuffled labels.
        other: the other group that nearest neighbours are of most often, or None.
        other_share: what share of them.
        null: by k, the 2.5%, 50% and 97.5% quantile of the estimate on random groups of its size.
        lowest: points of lowest dimension in the group, the lowest first.
        highest: points of highest dimension, the highest first.
    """

    label: str
    own: float | None
    chance: float | None
    other: str | None
    other_share: float
    null: dict[int, tuple[float, float, float]]
    lowest: tuple[Extreme, ...]
    highest: tuple[Extreme, ...]


@dataclass(frozen=True)
class Details:
    """What stands behind a report.

    Attributes:
        fingerprint: of the points and labels.
        estimator: of the report.
        pointwise_k: neighbours behind the dimension at a point, which is always that of ``mle``;
            its relative standard deviation on a homogeneous manifold is 1 / sqrt(k - 1).
        spreads: by k, the statistic T of the claim that labels matter, of every shuffle.
        groups: in the order of the report.
        pairs: the nearest pairs of the set, the nearest first.
        typical_distance: median distance to the nearest neighbour.
    """

    fingerprint: str
    estimator: str
    pointwise_k: int
    spreads: dict[int, tuple[float, ...]]
    groups: tuple[GroupDetails, ...]
    pairs: tuple[Pair, ...]
    typical_distance: float

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write ``details.json`` into a folder that exists, whole or not at all."""
        plain = _adapter().dump_python(self, mode="json")
        with replacing(Path(directory) / FILE) as temporary:
            temporary.write_text(json.dumps(plain, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Details:
        """What `save` wrote.

        Raises:
            UomhError: there is none, or it is damaged.
        """
        file = Path(directory) / FILE
        try:
            details: Details = _adapter().validate_json(file.read_bytes(), strict=True)
        except OSError as error:
            raise UomhError(
                f"cannot read {str(file)!r} ({error.strerror}); uomh verify --out DIR writes it"
            ) from None
        except ValueError:
            raise UomhError(
                f"{str(file)!r} is damaged, or of another version; run uomh verify --out DIR again"
            ) from None
        return details


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Details)
