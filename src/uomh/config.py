"""The settings of a run: data, model, training, seed; resolved from four layers.

Defaults, then defaults by the shape of the data (`ModelConfig.defaults`), then a file, then
``key=value`` overrides. What comes out is complete, frozen, and saved with the run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from uomh import registry
from uomh.data import Data, DataConfig, load_data
from uomh.errors import UomhError
from uomh.settings import (
    Nested,
    Settings,
    component,
    merged,
    parse_overrides,
    read_file,
)
from uomh.training.fit import TrainConfig


class EvaluateConfig(Settings):
    """What is measured at the end of a run."""

    metrics: tuple[str, ...] = ("loss", "log_likelihood", "bits_per_dim", "l2_reconstruction_error")
    """metrics on the test split"""
    batch_size: int = Field(512, ge=1)
    """points that are scored at once"""


class RunConfig(Settings):
    """Everything that a run depends on."""

    seed: int = 0
    """all randomness follows from it"""
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """processor threads; results are identical at equal threads"""
    device: str = "cpu"
    """torch device that trains"""
    data: DataConfig = DataConfig()
    """which data"""
    model: component("models")  # type: ignore[valid-type]
    """which model, and its settings"""
    train: TrainConfig = TrainConfig()
    """how it is trained"""
    evaluate: EvaluateConfig = EvaluateConfig()
    """what is measured"""


def resolve(
    *,
    values: Mapping[str, object] | None = None,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    default_model: str = "vae",
) -> tuple[RunConfig, Data]:
    """The settings of a run, and the data whose shape they depend on.

    Args:
        values: nested values that stand above the file and below the overrides.
        file: JSON or YAML file of nested values.
        overrides: ``key=value`` texts.
        default_model: the model where nothing names one.

    Raises:
        UomhError: an unknown key, a wrong type, data that cannot be loaded.
    """
    given = merged(read_file(file) if file else {}, values or {})
    names = [text.partition("=")[2] for text in overrides if text.startswith("model.name=")]
    named = names[-1] if names else None
    model = named or _member(given, "model").get("name") or default_model
    overridden = parse_overrides(RunConfig, overrides, {"model": model})
    chosen = merged({"model": {"name": model}}, given, overridden)
    data = load_data(DataConfig.of(_member(chosen, "data"), "data"))
    settings = registry.load("models", model).Config
    # Whole defaults lie beneath, or a group that is set in part would lose the rest of its own.
    config = RunConfig.of(
        merged({"model": settings().model_dump(mode="json")}, settings.defaults(data.spec), chosen)
    )
    for name in (*config.train.metrics, *config.evaluate.metrics):
        registry.load("metrics", name)  # a name that is not known fails here, before any work
    return config, data


def _member(values: Nested, key: str) -> Nested:
    member = values.get(key, {})
    if not isinstance(member, dict):
        raise UomhError(f"setting {key} should be a mapping of settings, not {member!r}")
    return member


def differences(old: Nested, new: Nested, where: str = "") -> list[tuple[str, object, object]]:
    """Leaves at which two nested settings differ: (dotted key, old value, new value)."""
    found = []
    for key in sorted({*old, *new}):
        left, right = old.get(key), new.get(key)
        if isinstance(left, dict) and isinstance(right, dict):
            found += differences(left, right, f"{where}{key}.")
        elif left != right:
            found.append((where + key, left, right))
    return found
