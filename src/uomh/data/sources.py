"""Data that need no file: scikit-learn's digits, and points on manifolds.

Each function returns a `Source`. Files, folders and the Hub have modules of their own.
"""

from __future__ import annotations

import numpy as np

from uomh.data.cache import Rows, Source
from uomh.data.manifolds import MANIFOLDS
from uomh.errors import unknown


def digits() -> Source:
    """The digits inside scikit-learn: 8x8 images of 17 grey levels."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    return Source(Rows.of(images, bunch.target), None, tuple(map(str, range(10))), levels=17)


def manifold(name: str, n: int) -> Source:
    """Points on a manifold of known dimension; a union has its groups as classes."""
    known = MANIFOLDS.get(name)
    if known is None:
        raise unknown("manifold", name, MANIFOLDS)
    points, groups = known.sample(n)
    classes = tuple(f"{i}: {d}-dimensional" for i, d in enumerate(known.dimensions))
    labels = groups if len(classes) > 1 else None
    rows = Rows.of(points, labels)
    return Source(rows, None, classes if labels is not None else (), levels=None)
