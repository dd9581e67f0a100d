"""Why a number cannot be had, in one sentence."""

from __future__ import annotations

import numpy as np
import torch

LINEAR_ALGEBRA = (np.linalg.LinAlgError, torch.linalg.LinAlgError)  # type: ignore[attr-defined]
"""what decompositions of a matrix raise that do not converge; scipy's is numpy's"""


def reason_of(error: Exception) -> str:
    """The sentence of an error of ours; of linear algebra, what came to pass and what to do."""
    if isinstance(error, LINEAR_ALGEBRA):
        return (
            "a decomposition of a matrix did not converge; look for points or features that are "
            "huge, or nearly all equal"
        )
    return str(error)
