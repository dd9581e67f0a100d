"""Labels of a data set in one file, which knows whose labels they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.data.core import Data, Split
from uomh.errors import UomhError
from uomh.files import replacing

SPLITS = ("train", "valid", "test")
KEYS = (*SPLITS, "names", "fingerprint", "data_fingerprint", "data_classes")


def save_partition(path: Path, before: Data, after: Data) -> None:
    """Write the labels of the three splits, whole or not at all.

    The file is an .npz of ``train``, ``valid`` and ``test`` (int64 labels), ``names`` of the
    groups, the ``fingerprint`` of the labelled data, and what says whose labels they are: the
    ``data_fingerprint`` and ``data_classes`` of the data before.

    Args:
        path: such as ``partition.npz``; its folder is made.
        before: the data that were clustered.
        after: what the clusterer gave.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            train=_labels(after.train),
            valid=_labels(after.valid),
            test=_labels(after.test),
            names=np.array(after.classes, dtype=str),
            fingerprint=np.array(after.fingerprint),
            data_fingerprint=np.array(before.fingerprint),
            data_classes=np.array(before.classes, dtype=str),
        )


def load_partition(path: Path, data: Data) -> Data:
    """The data with the labels of a file of `save_partition`: equal to what was saved.

    Where the file's training and validation labels are those of the same pool, cut elsewhere
    (another ``data.valid_fraction``), they are cut as the data are.

    Raises:
        UomhError: the file cannot be read, or its labels are those of other data.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            saved = {key: file[key] for key in KEYS}
    except FileNotFoundError:
        raise UomhError(f"there is no file of labels {str(path)!r}") from None
    except Exception:  # a damaged archive fails in whatever layer meets the damage first
        raise UomhError(f"{str(path)!r} is no partition as uomh saves it") from None
    sizes = [len(getattr(data, name)) for name in SPLITS]
    theirs = [len(saved[name]) for name in SPLITS]
    same = (
        str(saved["data_fingerprint"]) == data.fingerprint
        and tuple(saved["data_classes"].tolist()) == data.classes
    )
    if not same:
        raise UomhError(f"{str(path)!r} holds labels of other data than {data.name}")
    if theirs[0] + theirs[1] != sizes[0] + sizes[1] or theirs[2] != sizes[2]:
        what = "{} training, {} validation and {} test points"
        raise UomhError(
            f"{str(path)!r} holds labels of {what.format(*theirs)}, but these data have "
            f"{what.format(*sizes)}; load them with the same data.limit, data.valid_fraction and "
            "data.test_fraction"
        )
    pool = torch.from_numpy(np.concatenate([saved["valid"], saved["train"]]))
    labels = pool[sizes[1] :], pool[: sizes[1]], torch.from_numpy(saved["test"])
    train, valid, test = (
        Split(getattr(data, name).x, y) for name, y in zip(SPLITS, labels, strict=True)
    )
    return replace(
        data,
        train=train,
        valid=valid,
        test=test,
        classes=tuple(saved["names"].tolist()),
        fingerprint=str(saved["fingerprint"]),
    )


def read_labels(path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Numbers 0 to K-1 and names of the labels in a file .npy or .csv, one label a point.

    Raises:
        UomhError: there is no such file, or it does not hold labels.
    """
    if not path.is_file():
        raise UomhError(f"there is no file of labels {str(path)!r}")
    try:
        found: NDArray[Any] = (
            np.load(path) if path.suffix == ".npy" else np.loadtxt(path, dtype=str, delimiter=",")
        )
    except ValueError as error:
        raise UomhError(f"{path}: no labels could be read ({error})") from None
    if found.ndim != 1:
        raise UomhError(f"{path} has shape {found.shape}; give one label a point")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise UomhError(f"{path} has missing labels (NaN); give every point a label")
    if found.dtype.kind == "f" and (found == np.round(found)).all():
        found = found.astype(np.int64)
    names, labels = np.unique(found, return_inverse=True)
    return labels.astype(np.int64), tuple(str(name) for name in names.tolist())


def _labels(split: Split) -> NDArray[np.int64]:
    if split.y is None:
        raise UomhError("only labelled data have a partition to save")
    labels: NDArray[np.int64] = split.y.cpu().numpy()
    return labels
