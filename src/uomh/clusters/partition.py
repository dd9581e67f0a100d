"""Labels of a data set in one file, which knows whose labels they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from uomh.clusters.core import Labels, relabelled
from uomh.data.arrays import load_array
from uomh.data.core import Data, Grouping, Split
from uomh.data.labels import UNLABELLED, Numbering, labels_of_texts
from uomh.data.tables import LABEL_COLUMNS, csv_rows
from uomh.errors import UomhError
from uomh.files import replacing

SPLITS = ("train", "valid", "test")
KEYS = (*SPLITS, "names", "how", "from_points", "data_fingerprint", "data_classes")


def save_partition(path: Path, before: Data, after: Data) -> None:
    """Write the labels of the three splits, whole or not at all.

    The file is an .npz of ``train``, ``valid`` and ``test`` (int64 labels), ``names`` of the
    groups, ``how`` they were made (empty for the classes as they are) and whether ``from_points``
    (see `uomh.data.core.Grouping`), and what says whose labels they are: the ``data_fingerprint``
    (of the pool, where it is known) and ``data_classes`` of the data before.

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
            how=np.array(after.grouping.how if after.grouping else ""),
            from_points=np.array(after.grouping is not None and after.grouping.from_points),
            data_fingerprint=np.array(before.pool or before.fingerprint),
            data_classes=np.array(before.classes, dtype=str),
        )


class SavedPartition(NamedTuple):
    """What a file of `save_partition` holds.

    Attributes:
        labels: int64, by split.
        names: of the groups.
        grouping: how they were made; None: the classes as they are.
        data: fingerprint of the data, and the names of their classes.
    """

    labels: dict[str, Labels]
    names: tuple[str, ...]
    grouping: Grouping | None
    data: tuple[str, tuple[str, ...]]

    @property
    def pool(self) -> Labels:
        """Labels of the rows that training and validation share, in the order of the rows."""
        return np.concatenate([self.labels["valid"], self.labels["train"]])


def read_partition(path: Path) -> SavedPartition:
    """The labels of a file of `save_partition`, whosever they are.

    Raises:
        UomhError: the file cannot be read.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            saved = {key: file[key] for key in KEYS}
        for name in SPLITS:
            if saved[name].ndim != 1 or saved[name].dtype.kind not in "iu":
                raise ValueError("no labels")
            if not set(np.unique(saved[name]).tolist()) <= set(range(len(saved["names"]))):
                raise ValueError("labels without a name")
        how = str(saved["how"])
        return SavedPartition(
            {name: saved[name].astype(np.int64) for name in SPLITS},
            tuple(saved["names"].tolist()),
            Grouping(how, bool(saved["from_points"])) if how else None,
            (str(saved["data_fingerprint"]), tuple(saved["data_classes"].tolist())),
        )
    except FileNotFoundError:
        raise UomhError(f"there is no file of labels {str(path)!r}") from None
    except Exception:  # a damaged archive fails in whatever layer meets the damage first
        raise UomhError(f"{str(path)!r} is no partition as uomh saves it") from None


def load_partition(path: Path, data: Data) -> Data:
    """The data with the labels of a file of `save_partition`: equal to what was saved.

    Where the file's training and validation labels are those of the same pool, cut elsewhere
    (another ``data.valid_fraction``), they are cut as the data are.

    Raises:
        UomhError: the file cannot be read, or its labels are those of other data.
    """
    saved = read_partition(path)
    fingerprint, classes = saved.data
    sizes = [len(getattr(data, name)) for name in SPLITS]
    theirs = [len(saved.labels[name]) for name in SPLITS]
    alike = classes == data.classes
    if alike and (theirs[0] + theirs[1] != sizes[0] + sizes[1] or theirs[2] != sizes[2]):
        what = "{} training, {} validation and {} test points"
        raise UomhError(
            f"{str(path)!r} holds labels of {what.format(*theirs)}, but these data have "
            f"{what.format(*sizes)}; load them with the same data.limit, data.valid_fraction and "
            "data.test_fraction"
        )
    if not alike or fingerprint != (data.pool or data.fingerprint):
        raise UomhError(f"{str(path)!r} holds labels of other data than {data.name}")
    if saved.grouping is None:
        return data
    labels = saved.pool[sizes[1] :], saved.pool[: sizes[1]], saved.labels["test"]
    return relabelled(data, labels, saved.names, saved.grouping)


def read_labels(path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Numbers 0 to K-1 and names of the labels in a file .npy or .csv, one label a point.

    Raises:
        UomhError: there is no such file, it does not hold labels, or a label is missing.
    """
    if not path.is_file():
        raise UomhError(f"there is no file of labels {str(path)!r}")
    found = load_array(path) if path.suffix.lower() == ".npy" else _column(path)
    numbering = Numbering.of(found, path.name)
    labels = numbering(found, path.name)
    missing = int((labels == UNLABELLED).sum())
    if missing:
        raise UomhError(
            f"{path.name} has {missing} missing labels of {len(labels)}; give every point a label"
        )
    return labels, numbering.classes


def _column(path: Path) -> list[Any]:
    """The labels of a file of one column, without its name; an empty line is a missing label."""
    rows = [cells or [""] for _, cells in csv_rows(path)]
    if any(len(cells) > 1 for cells in rows):
        raise UomhError(f"{path.name} has lines of several columns; give one label a point")
    texts = [cells[0].strip() for cells in rows]
    named = bool(texts) and texts[0].lower() in LABEL_COLUMNS and texts[0] not in texts[1:]
    return labels_of_texts(texts[named:])


def _labels(split: Split) -> NDArray[np.int64]:
    if split.y is None:
        raise UomhError("only labelled data have a partition to save")
    labels: NDArray[np.int64] = split.y.cpu().numpy()
    return labels
