"""What training cost, as a run's folder tells it; read without torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

FILE = "cost.json"
"""of a leaf, beside its checkpoints"""


class Cost(BaseModel):
    """What epochs of training cost.

    Attributes:
        epochs: how many are counted.
        seconds: of their passes over the training points; validation is not among them.
        flops: floating-point operations of these passes, as torch counts them (products and
            convolutions); None where they cannot be counted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    epochs: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    flops: int | None = Field(0, ge=0)

    def __add__(self, other: Cost) -> Cost:
        known = None if self.flops is None or other.flops is None else self.flops + other.flops
        return Cost(
            epochs=self.epochs + other.epochs, seconds=self.seconds + other.seconds, flops=known
        )

    def sentence(self) -> str:
        """The cost in words.

        >>> Cost(epochs=3, seconds=12.34, flops=4_510_000_000_000).sentence()
        'training took 12.3 s and 4.5 TFLOP'
        """
        known = "" if self.flops is None else f" and {flops_in_words(self.flops)}"
        return f"training took {self.seconds:.1f} s{known}"


def flops_in_words(flops: int | None) -> str:
    """A number of operations with its unit.

    >>> flops_in_words(4_510_000_000_000), flops_in_words(999_960), flops_in_words(0)
    ('4.5 TFLOP', '1.0 MFLOP', '0 FLOP')
    >>> flops_in_words(None)
    'n/a'
    """
    if flops is None:
        return "n/a"
    if flops < 1000:
        return f"{flops} FLOP"
    value = flops / 1000
    for unit in "kMGTP":
        if value < 999.95:
            return f"{value:.1f} {unit}FLOP"
        value /= 1000
    return f"{value:.1f} EFLOP"


class Costs(BaseModel):
    """What the training of a run cost.

    Attributes:
        by_path: of each leaf, such as ``model/part3``.
        total: of all of them.
    """

    model_config = ConfigDict(frozen=True)

    by_path: dict[str, Cost] = {}
    total: Cost = Cost()

    @classmethod
    def of(cls, found: Iterable[tuple[str, Cost]]) -> Costs:
        """The costs of these leaves, and their sum."""
        by_path = dict(found)
        return cls(by_path=by_path, total=sum(by_path.values(), Cost()))

    @classmethod
    def read(cls, folder: Path) -> Costs:
        """What a run's folder tells; a file that is damaged is left out."""
        found = ((path, read_cost(file)) for path, file in cost_files(folder))
        return cls.of((path, cost) for path, cost in found if cost is not None)


def cost_files(folder: Path) -> list[tuple[str, Path]]:
    """The paths of a run's leaves, and the file of each that tells its cost."""
    root = folder / "checkpoints"
    return [(file.parent.relative_to(root).as_posix(), file) for file in sorted(root.rglob(FILE))]


def read_cost(file: Path) -> Cost | None:
    """What a file tells, or None where it is missing or damaged."""
    try:
        return Cost.model_validate_json(file.read_bytes(), strict=True)
    except (OSError, ValueError):
        return None
