"""What the public methods of models take: the one check of points, codes, labels and counts."""

from __future__ import annotations

import operator

import torch
from torch import Tensor

from uomh.data.core import DataSpec
from uomh.errors import UomhError


def checked_count(n: object, what: str = "samples") -> int:
    """A number of samples, or of what the message is to say.

    Raises:
        UomhError: it is not a whole number, or negative.
    """
    try:
        count = operator.index(n)  # type: ignore[arg-type]
    except TypeError:
        count = -1
    if isinstance(n, bool) or count < 0:
        raise UomhError(f"the number of {what} is a whole number of at least 0, not {n!r}")
    return count


def checked_points(x: Tensor, spec: DataSpec, like: Tensor) -> Tensor:
    """Points of data space, or grey levels, as a model computes with them.

    Args:
        x: (B, ...) points: uint8 grey levels for images, or floats.
        spec: of the model's data.
        like: a tensor of the type and on the device that the model computes with.

    Raises:
        UomhError: they are of another shape, type or device, not finite, or no grey levels.
    """
    _check_tensor(x, "points", like.device)
    if x.dim() == 0 or x.shape[1:] != spec.shape:
        kind = "images" if spec.is_image else "vectors"
        raise UomhError(
            f"the model is for {kind} of shape {spec.shape}, so for points (n, "
            f"{', '.join(map(str, spec.shape))}); these have the shape {tuple(x.shape)}"
        )
    if x.dtype == torch.uint8 and spec.levels is not None:
        if len(x) and int(x.max()) >= spec.levels:
            raise UomhError(
                f"the model is for grey levels 0 to {spec.levels - 1}; these images have "
                f"{int(x.max())}"
            )
        return x
    if not x.is_floating_point():
        kinds = "uint8 grey levels or floats" if spec.is_image else "floats"
        raise UomhError(f"points are {kinds}, not {_type(x)}; convert them")
    x = x.to(like.dtype)  # `Model.prepare` saw that training points are the same in it
    bad = ~x.isfinite().flatten(1).all(1)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise UomhError(
            f"{int(bad.sum())} of {len(x)} points are not finite, the first in row {row}; "
            "repair or remove them"
        )
    return x


def checked_codes(z: Tensor, dim: int, like: Tensor) -> Tensor:
    """Codes (B, dim), by shape, type and device alone: a Jacobian is taken through here.

    Raises:
        UomhError: they are of another shape, type or device.
    """
    _check_tensor(z, "codes", like.device)
    if z.dim() != 2 or z.shape[1] != dim:
        raise UomhError(f"codes of this model have the shape (n, {dim}), not {tuple(z.shape)}")
    if not z.is_floating_point():
        raise UomhError(f"codes are floats, not {_type(z)}; convert them")
    return z.to(like.dtype)


def checked_labels(y: Tensor | None, n: int, classes: int, like: Tensor) -> Tensor | None:
    """Labels (n,) as int64, or None.

    Args:
        y: one label for each point.
        n: number of points.
        classes: number of classes that the model knows; 0 where labels make no difference to it.
        like: a tensor on the device of the model.

    Raises:
        UomhError: they are not one whole number for each point, or none of the classes.
    """
    if y is None:
        return None
    _check_tensor(y, "labels", like.device, hint="; torch.full((n,), k) gives n points the label k")
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        raise UomhError(f"labels are whole numbers, int64, not {_type(y)}; convert them")
    if y.shape != (n,):
        raise UomhError(
            f"labels have the shape ({n},), one for each of {n} points, not {tuple(y.shape)}"
        )
    y = y.long()
    if classes and n and not 0 <= int(y.min()) <= int(y.max()) < classes:
        wrong = int(y[(y < 0) | (y >= classes)][0])
        raise UomhError(f"labels of this model are 0 to {classes - 1}; there is {wrong}")
    return y


def _check_tensor(value: object, what: str, device: torch.device, hint: str = "") -> None:
    if not isinstance(value, Tensor):
        raise UomhError(f"{what} are a tensor, not of type {type(value).__name__}{hint}")
    if value.layout is not torch.strided:
        raise UomhError(f"{what} are a dense tensor; use .to_dense()")
    if value.device != device:
        raise UomhError(f"{what} are on {value.device}, the model on {device}; move one of them")


def _type(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")
