"""What the paper's options of two steps (``--shared-config``) and of clustering mean here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from uomh import registry
from uomh.cli.paper.options import BY_MODEL, FACTS, NOT_NEEDED, OPTIONS
from uomh.cli.paper.reading import (
    Given,
    Meaning,
    Meant,
    Said,
    Together,
    Values,
    only,
    read,
    without_effect,
)
from uomh.data.core import Data
from uomh.errors import UomhError, unknown
from uomh.settings import merged

EVALUATION = ("valid_metrics", "test_metrics")
CONDITIONING = ("conditioning", "conditioning_dimension")
"""options of clustering that are options of the model"""
LOOP = (
    "max_epochs",
    "train_batch_size",
    "early_stopping_metric",
    "max_bad_valid_epochs",
    "valid_metrics",
    "epoch_sample_every",
    "transforms",
)
"""options of training that both steps have in common where they take turns"""


def sequential(given: Given) -> bool:
    """Whether two steps are trained one after the other; so they are by default."""
    return bool(given.get("sequential_training", True))


def _sequential(one_after_the_other: Any, given: Given) -> Said:
    if one_after_the_other:
        return {"two_step": {"alternate": None}}
    by_epoch = given.get("alternate_by_epoch", False)
    return {"two_step": {"alternate": "epoch" if by_epoch else "step"}}


def _by_epoch(by_epoch: Any, given: Given) -> Said:
    del by_epoch
    if sequential(given):
        return "sequential_training=True wins; say sequential_training=False"
    return {}


def _cluster_method(name: Any) -> Said:
    name = "saved" if name == "id" else name
    if name not in (known := registry.entries("clusterers")):
        raise unknown("cluster_method", str(name), [*known, "id"])
    return {"clusters": {"name": name}}


def _num_clusters(number: Any, given: Given) -> Said:
    method = given.get("cluster_method")
    if method == "class":
        return {}  # `classes_kept` looks at the data
    if method in ("saved", "id"):
        return "the partition says how many groups there are"
    return {"clusters": {"num_clusters": number}}


def _id_estimator(name: Any) -> Said:
    if name is None:
        return {"latent_dim": "model"}
    if name != "mle":
        raise UomhError(f"id_estimator={name!r} is not offered: codes are sized by mle, or by None")
    return {"latent_dim": "dimension"}


def _file(name: str, what: str) -> Meaning:
    """A file that several commands share; `Shared` has it."""

    def check(path: Any) -> Said:
        if path is not None and not isinstance(path, str):
            raise UomhError(f"{name}={path!r} should name a file of {what}")
        return {} if path else f"no file of {what} is named"

    return check


SHARED: dict[str, Meaning] = {
    "sequential_training": Together(_sequential),
    "alternate_by_epoch": Together(_by_epoch),
}
"""What an option means for a two-step model."""

CLUSTER: dict[str, Meaning] = {
    "cluster_method": _cluster_method,
    "num_clusters": Together(_num_clusters),
    "partitions_save": _file("partitions_save", "groups"),
    "cluster_partitions_save": _file("cluster_partitions_save", "groups"),
    "id_estimates_save": _file("id_estimates_save", "dimensions"),
    "latent_k": "latent_k",
    "id_estimator": _id_estimator,
    "pfix": only("pfix", True, "the normaliser of the estimate is k - 1"),
}
"""What an option of clustering means."""

NO_CLUSTER = {
    "trainer": "parts are always trained one by one, or in parallel by `uomh train --backend`",
    "cluster_norm": "points are clustered as they are",
    "id_estimate_num_datapoints_per_class": "all training points are used",
    "max_k": "latent_k alone is needed",
    "id_est_batch_size": "memory is bounded by the search",
    "n_id_est_workers": "the search uses all threads",
    "eval_every_k": "latent_k alone is needed",
    "metric_dataset_save": "metrics read the data themselves",
    "cluster_id_metric_dataset_save": "metrics read the data themselves",
    "clustered_id_samples_save": "metrics draw the samples themselves",
    "memory_efficient": "one part at a time is on the device",
    "module_save_dir": "parts stand in the run's checkpoints",
}
"""Options of clustering that are accepted and change nothing, and why."""


@dataclass(frozen=True)
class Shared:
    """Files that several commands share: read where they fit, else computed and written.

    Attributes:
        partition: of groups (``cluster_partitions_save``).
        dimensions: of the groups' dimensions (``id_estimates_save``).
    """

    partition: str | None = None
    dimensions: str | None = None


def shared_meant(given: Given) -> Meant:
    """What ``--shared-config`` means: the data, how the steps take turns, and training in turns.

    Each step trains by its own options; those of training that are shared act only where the steps
    take turns.
    """
    alternating = not sequential(given)
    by_step = "each step trains by its own --gae-config and --de-config"
    values, notes = Values(), []
    for name, _, means in read(given, {**OPTIONS, **SHARED}, known_options("shared-config")):
        if means is None:
            if name not in FACTS:
                why = NOT_NEEDED.get(name, by_step)
                notes.append(without_effect("--shared-config", name, why))
            continue
        trains, models = "train" in means.values, "model" in means.values
        if name not in CONDITIONING and (models or (trains and name not in LOOP)):
            why = by_step
        elif trains and not alternating:
            why = f"{by_step}; what is shared acts where sequential_training=False"
        else:
            values = merged(values, means.values)
            notes += [without_effect("--shared-config", name, note) for note in means.notes]
            continue
        notes.append(without_effect("--shared-config", name, why))
    return Meant(values, tuple(notes))


def cluster_meant(
    given: Given, command: str, *, clustered: bool, fits_codes: bool, grouped: bool = True
) -> Meant:
    """What ``--cluster-config`` means, but for `EVALUATION`, `CONDITIONING` and `Shared` files.

    Args:
        given: options; the method ``class`` stands where none is named and data are grouped.
        command: that they are given to.
        clustered: whether it trains a model for each cluster.
        fits_codes: whether the sizes of codes may be fitted to clusters.
        grouped: whether the data are put in groups.

    Raises:
        UomhError: an option is unknown, or the partition of the method ``id`` is not named.
    """
    values, notes = Values(), []
    for name, value, means in read(given, CLUSTER, [*NO_CLUSTER, *EVALUATION, *CONDITIONING]):
        whys: list[str] = []
        if means is None:
            whys = [NO_CLUSTER[name]] if name in NO_CLUSTER else []
            if name == "valid_metrics" and clustered:
                whys = ["parts are validated by their own; the whole is not trained as one"]
            elif name in EVALUATION and not clustered:
                whys = [f"{command} trains no clusters; name metrics by its other options"]
        elif name in ("id_estimator", "latent_k", "id_estimates_save") and not fits_codes:
            if value is not None:
                whys = [f"{command} has no codes that are fitted to clusters"]
        elif not grouped:
            whys = list(means.notes) or ["nothing is grouped; see conditioning"]
        else:
            values = merged(values, means.values)
            whys = list(means.notes)
        notes += [without_effect("--cluster-config", name, why) for why in whys]
    if values.get("clusters", {}).get("name") == "saved":
        file = given.get("partitions_save") or given.get("cluster_partitions_save")
        if not file:
            raise UomhError("cluster_method=id: name the partition by partitions_save=FILE")
        values["clusters"]["file"] = file
    return Meant(values, tuple(notes))


def known_options(flag: str) -> tuple[str, ...]:
    """Every option that ``--FLAG`` takes, of whatever model."""
    if flag == "cluster-config":
        return (*CLUSTER, *NO_CLUSTER, *EVALUATION, *CONDITIONING)
    of_models = (name for table in BY_MODEL.values() for name in table)
    shared = SHARED if flag == "shared-config" else {}
    return tuple(dict.fromkeys((*OPTIONS, *of_models, *NOT_NEEDED, *FACTS, *shared)))


def shared_files(given: Given) -> Shared:
    """The files that ``--cluster-config`` says are shared."""
    partition = given.get("cluster_partitions_save") or given.get("partitions_save")
    saved = given.get("cluster_method") in ("id", "saved")
    return Shared(None if saved else partition, given.get("id_estimates_save"))


def classes_kept(given: Given, data: Data, chosen: list[int] | None) -> Meant:
    """The first ``num_clusters`` classes, where groups are classes, as in the paper's code.

    Args:
        given: options of clustering.
        data: with their classes.
        chosen: those that ``class_ind`` left of them.

    Raises:
        UomhError: there are fewer classes.
    """
    classes, number = len(data.classes), given.get("num_clusters")
    if number is None:
        if classes in (0, 10):
            return Meant()
        line = f"num_clusters: the {classes} classes of {data.name} (the paper's code takes 10)"
        return Meant(notes=(line,))
    if not isinstance(number, int) or number < 1:
        raise UomhError(f"num_clusters={number} should be a number of classes, at least 1")
    if number > classes:
        raise UomhError(f"num_clusters={number}: {data.name} has {classes} classes; lower it")
    if number == classes:
        return Meant()
    line = f"num_clusters={number}: the first {number} of {classes} classes of {data.name}"
    kept = (chosen or list(range(classes)))[:number]
    return Meant({"data": {"class_ind": kept}}, (line,))


def of_steps(options: Given, flag: str, alternating: bool) -> tuple[dict[str, Any], list[str]]:
    """The options of a step without those that have no effect, where steps take turns; and why."""
    dropped = [name for name in options if alternating and name in LOOP and name != "valid_metrics"]
    why = "the steps take turns, so --shared-config has it"
    kept = {name: value for name, value in options.items() if name not in dropped}
    return kept, [without_effect(flag, name, why) for name in dropped]


def without(options: Given, names: Iterable[str]) -> dict[str, Any]:
    """Options without those of these names."""
    return {name: value for name, value in options.items() if name not in tuple(names)}
