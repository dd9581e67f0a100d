"""Files that the paper's commands share: partitions of the data, and dimensions of the groups.

The paper's code pickles a partition: a list over clusters of ``{"train": indices, "valid": ...,
"test": ...}``. A pickle can run any program when it is read, so here it is read by a reader that
knows lists, dictionaries, numbers and arrays, and refuses everything else.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uomh.cli.console import say
from uomh.cli.paper import tree
from uomh.cli.paper.clusters import Shared
from uomh.clusters.core import relabelled
from uomh.clusters.partition import SPLITS, load_partition, save_partition
from uomh.config import RunConfig
from uomh.data.core import Data, Grouping
from uomh.errors import UomhError
from uomh.files import write_json
from uomh.training.folder import claim
from uomh.training.lock import writing
from uomh.training.resolve import grouped

HOW = (
    "keep the number of each training point's group, validation points first, in a file .npy, "
    "and name that"
)
"""how a partition that cannot be read becomes one that can"""


def prepare(run_dir: Path, config: RunConfig, data: Data, shared: Shared) -> None:
    """Give a new run the groups and the dimensions of the shared files, or write them.

    Args:
        run_dir: the run's folder; one that has its groups is left alone.
        config: of the run.
        data: as loaded.
        shared: the files.

    Raises:
        UomhError: a file cannot be read, or holds groups made in another way.
    """
    if config.clusters is None:
        return
    kept = run_dir / "partition.npz"
    file: str = getattr(config.clusters, "file", "")
    foreign = bool(file) and Path(file).suffix not in (".npz", ".npy", ".csv")
    k = tree.fitted_by(config)
    dimensions = Path(shared.dimensions) if shared.dimensions and k is not None else None
    if dimensions is not None:
        _dimensions(dimensions)  # what is no such file is refused before the run has a folder
    if not kept.is_file():
        if foreign:
            groups = read_partition(Path(file), data)
            say(f"{file}: {len(groups.classes)} groups, of points in the order of uomh's splits")
            _claim(run_dir, config, data)
            save_partition(kept, data, groups)
        elif shared.partition:
            _share_partition(Path(shared.partition), run_dir, config, data)
    if dimensions is not None and k is not None:
        _claim(run_dir, config, data)
        _share_dimensions(dimensions, k, run_dir, config, grouped(config, data, run_dir))


def _claim(run_dir: Path, config: RunConfig, data: Data) -> None:
    with writing(run_dir):
        claim(run_dir, config, data)


def _share_partition(path: Path, run_dir: Path, config: RunConfig, data: Data) -> None:
    """Take the groups of a file if they fit; if not, compute them and write it."""
    why = "there was none yet"
    if path.is_file():
        try:
            groups = _groups_of(path, data)
        except UomhError as error:
            if not _is_ours(path):
                raise  # not ours, so not ours to overwrite
            why = str(error)
        else:
            _check_method(path, groups, config)
            say(f"{path}: read, {len(groups.classes)} groups")
            _claim(run_dir, config, data)
            save_partition(run_dir / "partition.npz", data, groups)
            return
    _claim(run_dir, config, data)
    groups = grouped(config, data, run_dir)
    save_partition(path, data, groups)
    say(f"{path}: written, {len(groups.classes)} groups by {config.clusters.name} ({why})")


def _groups_of(path: Path, data: Data) -> Data:
    if _is_ours(path):
        return load_partition(path, data)
    return read_partition(path, data)


def _check_method(path: Path, groups: Data, config: RunConfig) -> None:
    """See that groups of a file were made in the way that the settings ask for."""
    name = config.clusters.name
    made = "class" if groups.grouping is None else groups.grouping.how
    wanted = getattr(config.clusters, "num_clusters", None)
    number = len(groups.classes)
    if made not in (name, "pickle") or wanted not in (None, "auto", number):
        raise UomhError(
            f"{str(path)!r} holds {number} groups by {made}, but {wanted or ''} groups by {name} "
            "are asked for; name another file, or ask for those".replace("  ", " ")
        )


def _is_ours(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "data_fingerprint.npy" in archive.namelist()


def read_partition(path: Path, data: Data) -> Data:
    """The data with the groups of a pickle, or of a file of `torch.save`, of the paper's code.

    Args:
        path: holds a list over clusters of ``{"train": indices, "valid": ..., "test": ...}``, of
            points in the order of our splits.
        data: as loaded.

    Raises:
        UomhError: the file holds something else, or does not put every point in one group.
    """
    content = _content(path)
    if not isinstance(content, list | tuple) or not content:
        raise UomhError(f"{str(path)!r} holds no list of clusters; {HOW}")
    labels = []
    for name in SPLITS:
        size = len(getattr(data, name))
        label = np.full(size, -1, dtype=np.int64)
        for k, cluster in enumerate(content):
            rows = _indices(path, cluster, name, k)
            if len(rows) and (rows.min() < 0 or rows.max() >= size):
                raise UomhError(
                    f"{str(path)!r}: cluster {k} has {name} point {rows.max()}, but {data.name} "
                    f"has {size} {name} points; give the partition of these data"
                )
            if (label[rows] >= 0).any() or len(np.unique(rows)) != len(rows):
                raise UomhError(
                    f"{str(path)!r}: a {name} point is in two clusters, or twice in one"
                )
            label[rows] = k
        if (label < 0).any():
            raise UomhError(
                f"{str(path)!r} leaves {int((label < 0).sum())} of the {size} {name} points of "
                f"{data.name} without a cluster; give the partition of these data"
            )
        labels.append(label)
    return relabelled(data, labels, map(str, range(len(content))), Grouping("pickle"))


def _indices(path: Path, cluster: Any, split: str, k: int) -> NDArray[np.int64]:
    if not isinstance(cluster, dict) or split not in cluster:
        raise UomhError(f"{str(path)!r}: cluster {k} has no {split!r} indices; {HOW}")
    try:
        rows = np.asarray(cluster[split])
    except (ValueError, TypeError):
        rows = np.empty((0, 0))
    if rows.size == 0 and rows.ndim == 1:
        return np.empty(0, np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise UomhError(f"{str(path)!r}: the {split!r} indices of cluster {k} are no whole numbers")
    return rows.astype(np.int64)


def _content(path: Path) -> Any:
    """What a pickle or a file of `torch.save` holds; nothing in it is run."""
    if not path.is_file():
        raise UomhError(f"there is no file of groups {str(path)!r}")
    content = path.read_bytes()
    try:
        if not zipfile.is_zipfile(path):
            found = _Reader(io.BytesIO(content)).load()
            if not isinstance(found, int):  # the magic number of old files of torch
                return found
        with torch.serialization.safe_globals(_for_torch()):
            return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged or hostile file fails in whatever way it likes
        why = str(error).split("\n", 1)[0] if isinstance(error, pickle.UnpicklingError) else ""
        why = why if "is not read" in why else "it is no list of arrays"
        raise UomhError(f"{str(path)!r} cannot be read as a partition: {why}; {HOW}") from None


def _empty_array(kind: type, shape: tuple[int, ...], letter: Any) -> NDArray[Any]:
    """What numpy's pickles begin an array with."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("a kind of array is not read here")
    del letter
    return np.empty(shape, dtype=np.int8)


def _filled_array(
    content: bytes, kind: np.dtype[Any], shape: tuple[int, ...], order: str = "C", *axes: Any
) -> NDArray[Any]:
    """An array of the newest protocol of numpy's pickles."""
    del axes
    if kind.kind not in "iub" or order not in ("C", "F"):
        raise pickle.UnpicklingError(f"an array of type {kind} is not read here")
    return np.frombuffer(content, kind).reshape(shape, order="F" if order == "F" else "C")


def _scalar(kind: np.dtype[Any], content: Any = b"") -> Any:
    """One number as numpy pickles it."""
    if kind.kind not in "iub":
        raise pickle.UnpicklingError(f"a number of type {kind} is not read here")
    return np.frombuffer(_encoded(content), kind)[0]


def _encoded(text: Any, how: str = "latin1") -> bytes:
    """Bytes as older pickles hold them."""
    if how != "latin1":
        raise pickle.UnpicklingError(f"text as {how} is not read here")
    return text if isinstance(text, bytes) else str(text).encode("latin1")


_ARRAYS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy.core.numeric", "_frombuffer"): _filled_array,
    ("numpy._core.numeric", "_frombuffer"): _filled_array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _encoded,
}
"""all that a pickle may name"""


def _for_torch() -> list[Any]:
    """The same for torch's own reader, which wants the classes of numbers as well."""
    named = [(of, f"{module}.{name}") for (module, name), of in _ARRAYS.items()]
    return [*named, *(type(np.dtype(size + width)) for size in "iu" for width in "1248")]


class _Reader(pickle.Unpickler):
    """Reads pickles of lists, dictionaries, numbers and arrays."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may name; anything else is refused."""
        if (module, name) not in _ARRAYS:
            raise pickle.UnpicklingError(f"{module}.{name} is not read here")
        return _ARRAYS[module, name]


def _share_dimensions(path: Path, k: int, run_dir: Path, config: RunConfig, data: Data) -> None:
    """Size the parts by the dimensions of a file if they fit; if not, estimate and write them."""
    if tree.are_sized(run_dir):
        return
    about = {"estimator": "mle", "k": k, "fingerprint": data.fingerprint}
    found = _dimensions(path)
    fits = found is not None and {key: found.get(key) for key in about} == about
    if found is not None and fits:
        dimensions: dict[str, float] = found["dimensions"]
        say(f"{path}: read, dimensions of {len(dimensions)} groups")
    else:
        from uomh.dimension.mle import MLE

        dimensions = {
            name: float(MLE(k, splits=0).fit(_rows(piece, k)).dimension_)
            for name, piece in zip(data.classes, data.parts(), strict=True)
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**about, "dimensions": dimensions})
        why = "there was none yet" if found is None else "that there was of other groups, or k"
        say(f"{path}: written, dimensions of {len(dimensions)} groups ({why})")
    tree.size_parts(run_dir, config, data, dimensions)


def _rows(piece: Data, k: int) -> NDArray[Any]:
    """The training points of a group as rows, enough of them."""
    rows: NDArray[Any] = piece.train.x.flatten(1).numpy()
    if len(rows) < k + 2:
        raise UomhError(
            f"{piece.name} has {len(rows)} points, too few for a dimension at "
            f"latent_k={k}; lower latent_k, or give more points"
        )
    return rows


def _dimensions(path: Path) -> dict[str, Any] | None:
    """What `_share_dimensions` wrote; None where there is no file."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        dimensions = found["dimensions"]
        sound = all(isinstance(size, float) and size > 0 for size in dimensions.values())
    except (ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise UomhError(
            f"{str(path)!r} holds no dimensions as uomh writes them; name another file in "
            "id_estimates_save, and they are computed and written"
        )
    return dict(found)
