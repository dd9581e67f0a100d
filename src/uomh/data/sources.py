"""Where data come from: scikit-learn's digits, manifolds, arrays.

Each function returns a `Source`. Folders and the Hub have modules of their own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from uomh.data.cache import Array, Rows, Source
from uomh.data.manifolds import MANIFOLDS
from uomh.errors import UomhError, unknown


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
    rows = Rows.of(points.astype(np.float32), labels)
    return Source(rows, None, classes if labels is not None else (), levels=None)


def arrays(path: Path) -> Source:
    """An ``.npz`` file: ``x``, and maybe ``y``, ``x_test``, ``y_test``, ``classes``, ``levels``.

    ``x`` is uint8 images (N, H, W), (N, H, W, C) or (N, C, H, W) with one or three channels, or
    float vectors (N, D).
    """
    try:
        with np.load(path) as file:
            found = {key: file[key] for key in file.files}
    except (OSError, ValueError) as error:
        raise UomhError(f"cannot read arrays from {str(path)!r}: {error}") from None
    if "x" not in found:
        raise UomhError(f"{str(path)!r} has no array 'x'; it has: {', '.join(found) or 'nothing'}")

    def rows(x_key: str, y_key: str) -> Rows:
        x, y = _as_points(found[x_key], f"{path.name}: {x_key}"), found.get(y_key)
        if y is not None and (y.shape != x.shape[:1] or y.dtype.kind not in "iub"):
            raise UomhError(
                f"{path.name}: {y_key} should hold one whole number for each of the {len(x)} rows "
                f"of {x_key}, but is {y.dtype} of shape {y.shape}"
            )
        return Rows.of(x, y)

    train = rows("x", "y")
    test = rows("x_test", "y_test") if "x_test" in found else None
    classes: tuple[str, ...] = ()
    if "y" in found:
        if found["y"].min(initial=0) < 0:
            raise UomhError(f"{path.name}: y holds negative labels; number the classes from 0")
        names = found.get("classes", np.arange(found["y"].max(initial=0) + 1))
        classes = tuple(str(name) for name in names)
    is_image = _as_points(found["x"][:1], path.name).dtype == np.uint8
    levels = int(found.get("levels", 256)) if is_image else None
    return Source(train, test, classes, levels)


def _as_points(x: Array, where: str) -> Array:
    if x.dtype == np.uint8 and x.ndim == 3:
        return x[:, None]
    if x.dtype == np.uint8 and x.ndim == 4:
        if x.shape[1] in (1, 3):
            return x
        if x.shape[3] in (1, 3):
            return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    if x.dtype.kind == "f" and x.ndim == 2:
        if not np.isfinite(x).all():
            raise UomhError(f"{where} holds NaN or infinity; remove those rows")
        return x.astype(np.float32)
    raise UomhError(
        f"{where} should be uint8 images (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 "
        f"channels, or float vectors (N, D); it is {x.dtype} of shape {x.shape}"
    )
