"""The settings of a run, complete: a tree of models with all that they depend on.

First from four layers: defaults, defaults by the shape of the data (`Model.Config.defaults`), a
file, ``key=value`` overrides. Then, once the data are grouped, what these decide: the groups, the
size of codes, widths that match (`Learner.decide`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from uomh import registry
from uomh.clusters.core import Clusterer, Features
from uomh.clusters.partition import load_partition, save_partition
from uomh.config import RunConfig, TrainConfig
from uomh.data import DataConfig, load_data
from uomh.data.core import Data, DataSpec
from uomh.devices import checked_device
from uomh.errors import UomhError
from uomh.models.core import Build, Learner, learner_class
from uomh.models.leaf import LeafLearner
from uomh.models.trainable import LeafConfig
from uomh.seeds import seeded
from uomh.settings import (
    Nested,
    all_settings,
    below,
    component_names,
    components_named,
    merged,
    parse_overrides,
    parse_value,
    place,
    read_file,
)
from uomh.training import budget

ROOT = "model"
"""path of a run's model among its checkpoints and in its logs"""
PARTITION = "partition.npz"
"""the labels of a run's groups, in its folder"""


def resolve(
    *,
    values: Mapping[str, object] | None = None,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    density: str | None = None,
    disconnected: bool = False,
) -> tuple[RunConfig, Data]:
    """The settings of a run, and the data whose shape they depend on.

    Args:
        values: nested values that stand above the file and below the overrides.
        file: JSON or YAML file of nested values.
        overrides: ``key=value`` texts.
        density: the model that these name becomes the autoencoder of a two-step model with this
            density.
        disconnected: and what they name so far, the part of a disconnected model.

    Raises:
        UomhError: an unknown key, a wrong type, models that cannot be put together, data that
            cannot be loaded.
    """
    given = composed(merged(read_file(file) if file else {}, values or {}), density, disconnected)
    typed: Nested = {}
    for text in overrides:
        key, _, value = text.partition("=")
        if key.strip().endswith(".name"):
            place(typed, key.strip().split("."), parse_value(value.strip()))
    given = merged(given, typed)
    named = components_named(RunConfig, given)
    over = parse_overrides(RunConfig, overrides, component_names(RunConfig, named))
    _check_not_taken_back(given, over, "model")
    chosen = merged(named, over)
    chosen = components_named(RunConfig, chosen)  # an override may have put a value over settings
    checked_device(chosen.get("device"))
    source = DataConfig.of(_member(chosen, "data"), "data")
    data = load_data(source)
    # Absolute paths: workers and later commands read the same data from any folder.
    chosen["data"] = source.absolute().model_dump(mode="json")
    cls = learner_class(chosen["model"])
    TrainConfig.of(_member(chosen, "train"), "train")  # its errors name the key that was typed
    with below("model"):
        chosen["model"] = cls.complete(chosen["model"], data.spec, _member(chosen, "train"))
        metrics = cls.measures(cls.Config.of(chosen["model"]))
    config = RunConfig.of(merged({"evaluate": {"metrics": list(metrics)}}, chosen))
    _check_metrics(config)
    return config, data


def composed(given: Nested, density: str | None, disconnected: bool) -> Nested:
    """Nested settings of a run whose model is put into a composition.

    >>> composed({"model": {"name": "vae"}}, "flow", True)["model"]["part"]["density"]
    {'name': 'flow'}
    """
    model = _member(given, "model")
    if density is not None:
        model = {"name": "two_step", "autoencoder": model, "density": {"name": density}}
    if disconnected:
        model = {"name": "disconnected", "part": model}
    return {**given, "model": model}


def _check_not_taken_back(given: Nested, over: Nested, field: str, where: str = "") -> None:
    """See that no model that is named becomes the default one, which null stands for."""
    if field not in over or not isinstance(below := given.get(field), Mapping):
        return
    key, value = f"{where}{field}", over[field]
    if value is None and below.get("name") is not None:
        raise UomhError(
            f"setting {key}=null: the model {below['name']!r} is named there, and null is the "
            f"default one; leave it out, or name another by {key}.name"
        )
    if isinstance(value, Mapping):
        for name in value:
            _check_not_taken_back(dict(below), dict(value), name, f"{key}.")


def _check_metrics(config: RunConfig) -> None:
    """See that the metrics that stop training early are known, before any work."""
    found = all_settings(config)
    training = [settings for settings in found if isinstance(settings, TrainConfig)]
    for train in training:
        _ = train.metrics


def _member(values: Nested, key: str) -> Nested:
    member = {} if values.get(key) is None else values[key]
    if not isinstance(member, dict):
        raise UomhError(f"setting {key} should be a mapping of settings, not {member!r}")
    return member


def grouped(
    config: RunConfig,
    data: Data,
    folder: Path | None = None,
    encoder: Callable[[], Features] | None = None,
) -> Data:
    """The data relabelled as the settings ask; the labels stand in the run's folder.

    Args:
        config: of the run.
        data: as loaded.
        folder: of the run.
        encoder: gives the function whose values are clustered, where the settings name one.

    Raises:
        UomhError: the clusterer refuses.
    """
    if config.clusters is None:
        return data
    saved = folder and folder / PARTITION
    if saved and saved.is_file():
        return load_partition(saved, data)
    cls = registry.load("clusterers", config.clusters.name)
    clusterer: Clusterer = cls(config.clusters, config.seed)
    result = clusterer(data, encoder() if encoder else None)
    if saved:
        save_partition(saved, data, result)
    return result


def decided(config: RunConfig, data: Data) -> RunConfig:
    """The settings with what the grouped data decide.

    Raises:
        UomhError: there are no labels to group by; a group is too small for its dimension, or
            the parts cannot be matched.
    """
    leaf = first_weights(config.seed)
    model = learner_class(config.model).decide(config.model, data, data.spec, leaf)
    return config.model_copy(update={"model": model})


def first_weights(seed: int) -> Build:
    """What makes the leaves of a run, their first weights from its seed and their path."""

    def leaf(config: LeafConfig, spec: DataSpec, path: str) -> LeafLearner:
        cls: Any = learner_class(config)
        with seeded(seed, path, "initial weights"):
            return budget.built(cls, config, spec)

    return leaf


def build_decided(config: RunConfig, spec: DataSpec) -> Learner:
    """The untrained model of decided settings, for grouped data of this shape."""
    leaf = first_weights(config.seed)
    return learner_class(config.model).assemble(config.model, spec, ROOT, leaf)
