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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uomh.cli.paper.reading import Values
from uomh.config import RunConfig
from uomh.settings import resolve_key

if TYPE_CHECKING:
    from uomh.data.core import Data


def settings(sections: Values) -> Values:
    """Sections as nested values that `uomh.resolve` takes."""
    return sections


def sections(config: Mapping[str, Any]) -> Values:
    """Whole settings of a run, as its folder has them, as sections."""
    return dict(config)


def has_setting(model: str, key: str) -> None:
    """See that a model has a setting ``model.KEY``.

    Raises:
        UomhError: it has not.
    """
    resolve_key(RunConfig, key, {"model": model})


def fitted_by(config: RunConfig) -> int | None:
    """The number of neighbours, where codes of parts are sized by dimension; None elsewhere."""
    return config.latent_k if config.latent_dim == "dimension" and config.disconnected else None


def are_sized(run_dir: Path) -> bool:
    """Whether the parts of a run have their sizes."""
    return (run_dir / "plan.json").is_file()


def size_parts(
    run_dir: Path, config: RunConfig, data: Data, dimensions: Mapping[str, float]
) -> None:
    """Keep in a run's folder that the codes of each part are as many as its dimension, upwards."""
    from uomh.training.plan import Plan, make_plan

    plan = make_plan(config.model_copy(update={"latent_dim": "model"}), data)
    parts = tuple(
        replace(part, changes={"model": {"latent_dim": math.ceil(dimensions[part.name])}})
        for part in plan.parts
    )
    Plan(parts, plan.classes).save(run_dir / "plan.json")
