"""Exact nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.neighbours.core import Points


def search(
    points: Points,
    rows: NDArray[np.int64],
    k: int,
    queries: Points | None = None,
    *,
    device: str | torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distances and rows of the k nearest among ``points[rows]``, of these or of the queries."""
    reference = points[rows].astype(np.float64)
    centre = reference.mean(axis=0)
    target = torch.as_tensor(reference - centre, dtype=torch.float32, device=device)
    asked = reference if queries is None else queries[slice(None)].astype(np.float64)
    spare = min(k + 32, len(rows) - (queries is None))
    distances = np.empty((len(asked), k))
    indices = np.empty((len(asked), k), dtype=np.int64)
    for start in range(0, len(asked), 1024):
        block = asked[start : start + 1024]
        near = torch.as_tensor(block - centre, dtype=torch.float32, device=device)
        squared = (target**2).sum(1) - 2 * near @ target.T
        if queries is None:
            squared[torch.arange(len(block)), torch.arange(start, start + len(block))] = torch.inf
        chosen = np.sort(squared.topk(spare, largest=False).indices.cpu().numpy(), axis=1)
        for i, candidates in enumerate(chosen):
            exact = np.sqrt(((reference[candidates] - block[i]) ** 2).sum(axis=1))
            order = np.argsort(exact, kind="stable")[:k]
            distances[start + i] = exact[order]
            indices[start + i] = rows[candidates[order]]
        if progress is not None:
            progress(min(start + 1024, len(asked)), len(asked))
    return distances, indices
