"""The one place that knows how the settings of a run are built.

All of `uomh.cli.paper` speaks of a run by flat sections: ``data``, ``model`` and ``train`` (of the
one model, or of the first of two steps), ``density`` and ``density_train`` (the second step),
``two_step`` (``alternate``, ``autoencoder_run``, ``freeze``), ``clusters``, ``disconnected``,
``latent_dim`` ("model", or "dimension": ceil(ID) of each part) and ``latent_k``, ``evaluate``,
``seed``, ``threads``, ``device``. Here they become settings of a run, and settings become sections.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uomh.cli.paper.reading import Values
from uomh.config import RunConfig
from uomh.settings import resolve_key

if TYPE_CHECKING:
    from uomh.data.core import Data

OF_RUNS = ("seed", "threads", "device", "data", "clusters", "cluster_codes", "evaluate")


def settings(sections: Values) -> Values:
    """Sections as nested values that `uomh.resolve` takes."""
    model = _leaf(sections, "model", "train")
    fitted = sections.get("latent_dim") == "dimension"
    if "latent_k" in sections and (fitted or sections.get("density")):
        model["latent_k"] = sections["latent_k"]
    if fitted:
        model["fit_latent_dim"] = True
    if sections.get("density"):
        density = _leaf(sections, "density", "density_train")
        steps = sections.get("two_step", {})
        model = {"name": "two_step", "autoencoder": model, "density": density, **steps}
    if sections.get("disconnected"):
        model = {"name": "disconnected", "part": model, **sections.get("parts", {})}
    return {**{key: sections[key] for key in OF_RUNS if key in sections}, "model": model}


def _leaf(sections: Values, model: str, train: str) -> Values:
    """The settings of one model, with those of its training among them."""
    given = dict(sections.get(model, {}))
    return {**given, "train": sections[train]} if train in sections else given


def sections(config: RunConfig) -> Values:
    """The settings that a run was asked for, as its folder has them, as sections."""
    values = config.model_dump(mode="json")
    found: Values = {key: values[key] for key in OF_RUNS}
    found |= {"disconnected": False, "density": None}
    model = values["model"]
    if model["name"] == "disconnected":
        found["disconnected"], found["parts"] = True, {"match": model["match"]}
        model = model["part"]
    if model["name"] == "two_step":
        steps = dict(model)
        del steps["name"], steps["conditional"]
        model, density = steps.pop("autoencoder"), dict(steps.pop("density"))
        if (train := density.pop("train", None)) is not None:
            found["density_train"] = train
        found |= {"density": density, "two_step": steps}
    model = dict(model)
    fitted, k = model.pop("fit_latent_dim", False), model.pop("latent_k", 10)
    found |= {"latent_dim": "dimension" if fitted else "model", "latent_k": k}
    if (train := model.pop("train", None)) is not None:
        found["train"] = train
    return {**found, "model": model}


def has_setting(model: str, key: str) -> None:
    """See that a model has a setting ``model.KEY``.

    Raises:
        UomhError: it has not.
    """
    resolve_key(RunConfig, key, {"model": model})


def fitted_by(config: RunConfig) -> int | None:
    """The number of neighbours, where codes of parts are sized by dimension; None elsewhere."""
    found = sections(config)
    sized = found["latent_dim"] == "dimension" and found.get("disconnected")
    return int(found["latent_k"]) if sized else None


def are_sized(run_dir: Path) -> bool:
    """Whether the parts of a run have their sizes."""
    from uomh.training.folder import read_config_file

    record = read_config_file(run_dir)
    return record is not None and record.config is not None


def size_parts(
    run_dir: Path, config: RunConfig, data: Data, dimensions: Mapping[str, float]
) -> None:
    """Keep in a run's folder that the codes of each part are as many as its dimension, upwards."""
    from uomh.training.folder import keep_decided
    from uomh.training.resolve import decided

    values = config.model_dump(mode="json")
    _first_leaf(values["model"]["part"])["fit_latent_dim"] = False
    values = decided(RunConfig.of(values), data).model_dump(mode="json")
    for part in values["model"]["parts"]:
        size = {"latent_dim": math.ceil(dimensions[part["name"]]), "fit_latent_dim": True}
        _first_leaf(part["model"]).update(size)
    _first_leaf(values["model"]["part"])["fit_latent_dim"] = True
    keep_decided(run_dir, RunConfig.of(values), data)


def _first_leaf(model: dict[str, Any]) -> dict[str, Any]:
    """The autoencoder among nested settings of a part."""
    leaf: dict[str, Any] = model.get("autoencoder", model)
    return leaf
