"""What the paper's options of two steps (``--shared-config``) and of clustering mean here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uomh import registry
from uomh.errors import UomhError, unknown
from uomh.cli.paper.metrics import metrics
from uomh.cli.paper.options import NOT_NEEDED, OPTIONS, Meaning, Values, only, read
from uomh.settings import merged


def _sequential(sequential: Any) -> Values:
    return {} if sequential else {"two_step": {"alternate": "step"}}


def _by_epoch(by_epoch: Any) -> Values:
    return {"two_step": {"alternate": "epoch"}} if by_epoch else {}


def _cluster_method(name: Any) -> Values:
    name = "saved" if name == "id" else name
    if name not in (known := registry.entries("clusterers")):
        raise unknown("cluster_method", str(name), [*known, "id"])
    return {"clusters": {"name": name}}


SHARED: dict[str, Meaning] = {"sequential_training": _sequential, "alternate_by_epoch": _by_epoch}
"""What an option means for a two-step model."""

CLUSTER: dict[str, Meaning] = {
    "cluster_method": _cluster_method,
    "num_clusters": "clusters.num_clusters",
    "partitions_save": "clusters.file",
    "cluster_partitions_save": "clusters.file",
    "latent_k": "latent_k",
    "id_estimator": only("id_estimator", "mle", "the size of codes is by maximum likelihood"),
    "pfix": only("pfix", True, "the normaliser of the estimate is k - 1"),
    "valid_metrics": metrics("train", "valid_metrics"),
    "test_metrics": metrics("evaluate", "metrics"),
}
"""What an option of clustering means."""

NO_CLUSTER = {
    "trainer": "parts are always trained one by one, or in parallel by `uomh train --backend`",
    "cluster_norm": "points are clustered as they are",
    "id_estimates_save": "sizes of codes stand in the run's plan.json",
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


def shared_values(options: Sequence[str]) -> Values:
    """Options of both steps: those of training stand for each, and how they take turns."""
    training = {
        name: meaning
        for name, meaning in OPTIONS.items()
        if not (isinstance(meaning, str) and meaning.startswith("model."))
    }
    ordered = sorted(options, key=lambda option: option.startswith("alternate_by_epoch"))
    values = read(ordered, {**training, **SHARED}, NOT_NEEDED, "--shared-config")
    if "train" in values:
        values["density_train"] = values["train"]
    return values


def cluster_values(options: Sequence[str]) -> Values:
    """Options of clustering; Ward's hierarchy where no method is named.

    Raises:
        UomhError: an option is unknown, or the partitions of the method ``id`` are not named.

    >>> cluster_values(["cluster_method=kmeans", "num_clusters=5"])
    {'clusters': {'name': 'kmeans', 'num_clusters': 5}}
    """
    named = read(options, CLUSTER, NO_CLUSTER, "--cluster-config")
    values = merged({"clusters": {"name": "agglomerative"}}, named)
    clusters = values["clusters"]
    if clusters["name"] == "class":
        clusters.pop("num_clusters", None)
    if clusters["name"] != "saved":
        clusters.pop("file", None)
    elif "file" not in clusters:
        raise UomhError("cluster_method=id: name the partition by partitions_save=FILE")
    return values
