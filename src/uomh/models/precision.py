"""Models compute in float32; data may be of float64."""

from __future__ import annotations

import torch

from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.neighbours import distinct

COARSE = 0.01
"""of a coordinate's standard deviation: as much as rounding it may cost"""


def refuse_narrowing(data: Data) -> None:
    """See that training points are the same points in float32.

    Raises:
        UomhError: they would overflow, be rounded coarsely, or distinct ones would become equal.
    """
    x = data.train.x
    if x.dtype != torch.float64:
        return
    narrow = x.float()
    advice = "centre or rescale them, e.g. x - x.mean(axis=0)"
    where = f"{data.name}: models compute in float32, where"
    if not narrow.isfinite().all():
        raise UomhError(f"{where} values as large as {x.abs().max():.3g} overflow; {advice}")
    error, spread = (x - narrow.double()).abs().amax(0), x.std(0, correction=0)
    coarse = int(((error > COARSE * spread) & (spread > 0)).sum())
    if coarse:
        raise UomhError(
            f"{where} {coarse} of {x[0].numel()} coordinates would be rounded by more than a "
            f"hundredth of their spread; {advice}"
        )
    merged = len(distinct(x)) - len(distinct(narrow))
    if merged:
        raise UomhError(
            f"{where} {merged} points would become equal to others; {advice}, "
            "or save them as float32 if that is as precise as they are"
        )
