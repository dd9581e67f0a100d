"""The dimension command of the code that the paper's estimates are from (Pope et al. 2021).

``python -m uomh.cli.paper.dimension --dset mnist --estimator mle --k1 20 --single-k`` takes that
command's options and defaults. Intervals, nulls and a verdict are `uomh verify`'s.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uomh.cli import console
from uomh.cli.console import prepare_process, say, sentences
from uomh.errors import UomhError
from uomh.files import write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uomh.data.core import Data
    from uomh.dimension.core import Estimator

Found = dict[str, Any]

DEFAULTS = {
    "k1": 20,
    "k2": 55,
    "nb_iter": 20,
    "n_neighbors": 3,
    "average_inverse": False,
    "single_k": False,
    "eval_every_k": False,
    "inv_mle": False,
}
"""options of estimators, and their published values"""

ACTS = {
    "mle": ("k1", "k2", "average_inverse", "single_k", "eval_every_k", "inv_mle"),
    "geomle": ("k1", "k2", "nb_iter", "inv_mle"),
    "twonn": (),
    "shortest-path": ("n_neighbors",),
}
"""the options of each estimator"""

OF_MANY_K = {
    "k2": "--single-k takes k1 alone",
    "average_inverse": "--single-k leaves one k",
    "inv_mle": "--single-k gives it in any case",
}
"""options of mle that mean nothing with --single-k, and why"""

NOT_NEEDED = {
    "nb_iter1": "the estimate is the mean over its rounds, of which one says the same",
    "bsize": "memory is bounded by the search",
    "n_workers": "the search uses all threads",
    "gpu": "the search runs on the processor",
}
"""Options that are accepted and change nothing, and why."""


def parser() -> argparse.ArgumentParser:
    """The command's options, by their published names."""
    made = argparse.ArgumentParser(
        prog="python -m uomh.cli.paper.dimension", description="Estimate the dimension of a set."
    )
    made.add_argument("--dset", "--dataset", default="cifar10", help="see `uomh list datasets`")
    made.add_argument("--data-root", help="folder where data sets are looked for first")
    made.add_argument("--estimator", default="mle", choices=list(ACTS))
    made.add_argument("--seed", type=int, default=1234, help="of all that is drawn")
    made.add_argument("--save-path", default="results.json", help="file for options and results")
    size = made.add_argument_group("points")
    size.add_argument("--anchor-samples", type=int, default=0, help="estimate at so many (0: all)")
    size.add_argument("--anchor-ratio", type=float, default=0.0, help="or at this share of them")
    size.add_argument(
        "--max_num_samples", type=int, default=-1, help="draw so many points (-1: all)"
    )
    size.add_argument("--separate-classes", action="store_true", help="estimate class by class")
    size.add_argument("--n_cls", type=int, help="the first so many classes alone")
    size.add_argument("--cosine-dist", action="store_true", help="distances between directions")
    of_estimators = made.add_argument_group("estimators")
    of_estimators.add_argument("--k1", type=int, help="fewest neighbours, or all with --single-k")
    of_estimators.add_argument("--k2", type=int, help="most neighbours")
    of_estimators.add_argument("--nb-iter", "--nb-iter2", type=int, help="geomle: random subsets")
    of_estimators.add_argument(
        "-k", "--n_neighbors", type=int, help="shortest-path: neighbours that a point is joined to"
    )
    for flag, what in {
        "single-k": "mle: at k1 alone, not the mean over k1 to k2",
        "eval-every-k": "mle with --single-k: at every k to k1",
        "average-inverse": "mle: harmonic mean over k1 to k2",
        "inv-mle": "mle and geomle: harmonic mean over points",
    }.items():
        of_estimators.add_argument(f"--{flag}", action="store_true", default=None, help=what)
    for name in NOT_NEEDED:
        made.add_argument(f"--{name.replace('_', '-')}", help="accepted, without effect")
    return made


@sentences
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these arguments, or those of the process."""
    prepare_process()
    given = parser().parse_args(arguments)
    for line in without_effect(given):
        say(line)
    for name, value in DEFAULTS.items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    path = Path(given.save_path)
    if path.is_dir() or not path.parent.is_dir():
        raise UomhError(f"--save-path {given.save_path}: name a file in a folder that exists")
    from uomh.data import load_data

    where = console.given(data_root=given.data_root)
    data = load_data(given.dset, valid_fraction=0.0, test_fraction=0.0, **where)
    results: Found = {}
    for name, points in sets(data, given).items():
        found = estimated(points, given)
        say(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in found.items()))
        if given.separate_classes:
            results.setdefault("classes", {})[name] = found
        else:
            results |= found
    write_json(path, {**vars(given), **results})


def without_effect(given: argparse.Namespace) -> list[str]:
    """Lines on options that were typed and change nothing."""
    lines = [
        f"--{name.replace('_', '-')}: {why}"
        for name, why in NOT_NEEDED.items()
        if getattr(given, name) is not None
    ]
    acts = ACTS[given.estimator]
    idle = dict.fromkeys(set(DEFAULTS) - set(acts), f"{given.estimator} does not use it")
    if given.estimator == "mle":
        idle["nb_iter"] = "the mean over bootstrap rounds is the mean over points"
        idle |= OF_MANY_K if given.single_k else {"eval_every_k": "it is of --single-k"}
    idle = {name: why for name, why in idle.items() if getattr(given, name) is not None}
    return [*lines, *(f"--{name.replace('_', '-')}: {why}" for name, why in sorted(idle.items()))]


def sets(data: Data, given: argparse.Namespace) -> dict[str, NDArray[Any]]:
    """The points to estimate by their name: all, or those of each class; as rows.

    Raises:
        UomhError: there are fewer classes than asked for, or none.
    """
    import numpy as np

    x, found = data.train.x.flatten(1).numpy(), {}
    if given.separate_classes or given.n_cls is not None:
        if data.train.y is None:
            raise UomhError(f"{data.name} has no classes; leave out --separate-classes and --n_cls")
        count = len(data.classes) if given.n_cls is None else given.n_cls
        if not 1 <= count <= len(data.classes):
            raise UomhError(f"--n_cls {count}: {data.name} has {len(data.classes)} classes")
        y = data.train.y.numpy()
        found = {data.classes[label]: x[y == label] for label in range(count)}
        if not given.separate_classes:
            found = {data.name: np.concatenate(list(found.values()))}
    found = found or {data.name: x}
    most = given.max_num_samples
    if most != -1 and most < 1:
        raise UomhError("--max_num_samples should be a number of points, or -1 for all")
    draw = np.random.default_rng(given.seed)
    return {
        name: points if most == -1 else points[draw.permutation(len(points))[:most]]
        for name, points in found.items()
    }


def estimated(points: NDArray[Any], given: argparse.Namespace) -> Found:
    """What the estimator finds, by its published names.

    Raises:
        UomhError: an option cannot be had, or as the estimator.
    """
    if given.cosine_dist:
        points = _directions(points)
    anchors = _anchors(len(points), given)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        if given.estimator == "mle":
            found = _mle(points, given, anchors)
        else:
            found = _other(points, given, anchors)
    for line in dict.fromkeys(str(warning.message) for warning in caught):
        say(line)
    return found


def _anchors(n: int, given: argparse.Namespace) -> int | None:
    """How many of n points to estimate at; None: all."""
    if not 0 <= given.anchor_ratio <= 1 or given.anchor_samples < 0:
        raise UomhError("--anchor-ratio is a share from 0 to 1, --anchor-samples a number; 0: all")
    if given.anchor_ratio > 0:
        return max(1, int(given.anchor_ratio * n))
    return given.anchor_samples or None


def _directions(points: NDArray[Any]) -> NDArray[Any]:
    """Points on the unit sphere: their distances grow with their angles, as 1 - cos does."""
    import numpy as np

    lengths = np.linalg.norm(points.astype(np.float64), axis=1, keepdims=True)
    if (lengths == 0).any():
        raise UomhError("--cosine-dist: a point is zero, which has no direction; leave it out")
    return np.asarray(points / lengths)


def _mle(points: NDArray[Any], given: argparse.Namespace, anchors: int | None) -> Found:
    """The mean of the estimates over points at each k (normaliser k - 2), and the harmonic one."""
    import numpy as np

    from uomh.dimension.anchors import anchor_neighbours
    from uomh.dimension.mle import MLE

    first, last = given.k1, given.k1 if given.single_k else given.k2
    if not 3 <= first <= last:
        raise UomhError(f"--k1 {first} --k2 {last}: k1 is at least 3, and k2 at least k1")
    found = anchor_neighbours(points, last, anchors or len(points), seed=given.seed)

    def at(k: int, *, harmonic: bool) -> float:
        fitted = MLE(k, aggregate="harmonic" if harmonic else "mean", normaliser="k-2", splits=0)
        return fitted.fit(None, neighbours=found).dimension_

    names = {"dim": False, "inv_mle_dim": True}
    if given.single_k:
        ks = {f"k{k}_": k for k in range(3, last + 1)} if given.eval_every_k else {"": last}
        return {
            f"{at_k}{name}": at(k, harmonic=harmonic)
            for at_k, k in ks.items()
            for name, harmonic in names.items()
        }
    values = np.array([at(k, harmonic=given.inv_mle) for k in range(first, last + 1)])
    mean = 1 / np.mean(1 / values) if given.average_inverse else values.mean()
    return {"inv_mle_dim" if given.inv_mle else "dim": float(mean)}


def _other(points: NDArray[Any], given: argparse.Namespace, anchors: int | None) -> Found:
    import numpy as np

    from uomh.dimension.anchors import at_anchors
    from uomh.dimension.geomle import GeoMLE
    from uomh.dimension.shortest_path import ShortestPath
    from uomh.dimension.twonn import TwoNN

    made: Mapping[str, Estimator] = {
        "geomle": GeoMLE(
            given.k2, inner=given.k1, subsets=given.nb_iter, splits=0, seed=given.seed
        ),
        "twonn": TwoNN(method="linear", splits=0, seed=given.seed),
        "shortest-path": ShortestPath(given.n_neighbors, anchors=1000, splits=0, seed=given.seed),
    }
    estimator = made[given.estimator]
    fitted = at_anchors(estimator, points, anchors) if anchors else estimator.fit(points)
    if given.estimator == "geomle" and given.inv_mle:
        if (fitted.dimension_pw_ <= 0).any():
            raise UomhError(
                "--inv-mle: geomle is not positive at every point, so there is no harmonic mean; "
                "leave it out, or raise --k1"
            )
        return {"dim": float(1 / np.mean(1 / fitted.dimension_pw_))}
    return {"dim": fitted.dimension_}


if __name__ == "__main__":
    main()
