"""The settings of a run: data, model, training, evaluation, seed; resolved from four layers.

Defaults, then defaults by the shape of the data (`ModelConfig.defaults`), then a file, then
``key=value`` overrides. What comes out is complete, frozen, and saved with the run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from uomh import registry
from uomh.data.config import DataConfig
from uomh.devices import MAX_THREADS, checked_device
from uomh.errors import UomhError
from uomh.settings import (
    ComponentName,
    Nested,
    Settings,
    component,
    merged,
    parse_overrides,
    read_file,
)

if TYPE_CHECKING:
    from uomh.data import Data, DataSpec

Schedule = Literal["constant", "cosine", "step"]


class OptimizerConfig(Settings):
    """An optimiser and the schedule of its learning rate."""

    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    """which optimiser"""
    lr: float = Field(1e-3, gt=0)
    """learning rate at the start"""
    schedule: Schedule = "constant"
    """constant; cosine: to zero over the run; step: times gamma every lr_step epochs"""
    lr_step: int = Field(30, ge=1)
    """step schedule: epochs between two decays"""
    gamma: float = Field(0.1, gt=0)
    """step schedule: factor of a decay"""
    betas: tuple[float, float] = (0.9, 0.999)
    """adam: decay of the running moments"""
    momentum: float = Field(0.0, ge=0)
    """sgd and rmsprop: momentum"""
    weight_decay: float = Field(0.0, ge=0)
    """weight decay (L2)"""
    max_grad_norm: float | None = Field(10.0, gt=0)
    """clip the norm of a group's gradient here; null: never"""


class TrainConfig(OptimizerConfig):
    """How a model is trained."""

    max_epochs: int = Field(100, ge=1)
    """passes over the training split"""
    batch_size: int = Field(128, ge=1)
    """points in a step"""
    groups: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """optimiser settings of single groups of parameters, such as groups.discriminator.lr"""
    valid_metrics: tuple[ComponentName, ...] = ("loss",)
    """metrics on the validation split after every epoch"""
    early_stopping_metric: ComponentName | None = None
    """validation metric that chooses the best weights (default: the first of valid_metrics)"""
    patience: int | None = Field(None, ge=1)
    """stop after so many epochs without a better value; null: never"""
    ema: float | None = Field(None, gt=0, lt=1)
    """decay of a moving average of the weights, to validate, sample and keep; null: none"""
    horizontal_flip: bool = False
    """mirror every training image with probability one half"""
    sample_every: int | None = Field(None, ge=1)
    """epochs between two grids of samples while training; null: at the end alone"""

    @model_validator(mode="after")
    def _groups_are_optimizers(self) -> Self:
        for name in self.groups:
            self.for_group(name)
        return self

    def for_group(self, name: str) -> OptimizerConfig:
        """The optimiser settings of a group: its own where it has any, else the common ones."""
        common = {key: getattr(self, key) for key in OptimizerConfig.model_fields}
        own = self.groups.get(name, {})
        return OptimizerConfig.of({**common, **own}, f"train.groups.{name}")

    @property
    def metrics(self) -> tuple[str, ...]:
        """All validation metrics, the one for early stopping included."""
        early = self.early_stopping_metric
        return tuple(dict.fromkeys((*self.valid_metrics, *([early] if early else []))))

    @property
    def selection_metric(self) -> str | None:
        """The validation metric by which the best weights are chosen."""
        return self.early_stopping_metric or next(iter(self.valid_metrics), None)


class EvaluateConfig(Settings):
    """What is measured at the end of a run."""

    metrics: tuple[ComponentName, ...] = (
        "loss",
        "log_likelihood",
        "bits_per_dim",
        "l2_reconstruction_error",
    )
    """metrics on the test split"""
    batch_size: int = Field(512, ge=1)
    """points that are scored at once"""


class TwoStepConfig(Settings):
    """How an autoencoder and a density on its codes make one model."""

    alternate: Literal["epoch", "step"] | None = None
    """train both in turns, by epoch or by step; null: one after the other"""
    draws: bool | None = None
    """fit the density to draws of the posterior, not to its means; null: where there is one"""
    importance_samples: int = Field(32, ge=1)
    """draws of the bound of the likelihood"""
    autoencoder_run: str | None = None
    """folder of a run whose autoencoder is taken to begin with"""
    freeze: bool = False
    """use the autoencoder of autoencoder_run as it is"""


class RunConfig(Settings):
    """Everything that a run depends on."""

    seed: int = 0
    """all randomness follows from it"""
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=MAX_THREADS)
    """processor threads; results are identical at equal threads"""
    device: str = "auto"
    """torch device that trains; auto: CUDA where there is one, then MPS, then the processor"""
    data: DataConfig = DataConfig()
    """which data"""
    model: component("models")  # type: ignore[valid-type]
    """which model, and its settings"""
    train: TrainConfig = TrainConfig()
    """how it is trained"""
    density: component("models") = None  # type: ignore[valid-type]
    """second step: the model of the codes, and its settings; null: none"""
    density_train: TrainConfig = TrainConfig()
    """how the second step is trained"""
    two_step: TwoStepConfig = TwoStepConfig()
    """how the two steps make one model"""
    latent_dim: Literal["model", "dimension"] = "model"
    """size of codes: as model.latent_dim says; dimension: ceil(ID) of the data or of each part"""
    latent_k: int = Field(10, ge=3)
    """number of neighbours of that ID, by maximum likelihood"""
    clusters: component("clusterers") = None  # type: ignore[valid-type]
    """what groups the data, and its settings; null: the classes, as they are"""
    cluster_codes: str | None = None
    """folder of a run whose codes are clustered instead of the points"""
    disconnected: bool = False
    """one model for each group"""
    match: Literal["parameters", "compute"] | None = None
    """shrink the parts, or shorten their training, to the cost of one model; none: neither"""
    part_threads: int = Field(1, ge=1, le=MAX_THREADS)
    """processor threads that train a part"""
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
    from uomh.data import DataSpec, load_data  # bring torch, which the help does without

    given = merged(read_file(file) if file else {}, values or {})
    names = {
        field: _named(field, given, overrides, default)
        for field, default in (("model", default_model), ("density", None), ("clusters", None))
    }
    known = {field: name for field, name in names.items() if name is not None}
    overridden = parse_overrides(RunConfig, overrides, known)
    named: Nested = {field: {"name": name} for field, name in known.items()}
    chosen = merged(named, given, overridden)
    if _member(chosen, "model").get("latent_dim") == "dimension":
        del chosen["model"]["latent_dim"]
        chosen["latent_dim"] = "dimension"
    checked_device(chosen.get("device"))
    chosen = merged(chosen, _absolute_paths(chosen))
    source = DataConfig.of(_member(chosen, "data"), "data")
    data = load_data(source)
    layers = [_defaults("model", "train", known["model"], data.spec)]
    if "density" in known:
        first, second = (registry.load("models", known[key]) for key in ("model", "density"))
        if not hasattr(first, "encode"):
            raise UomhError(
                f"{known['model']} has no codes, so it cannot be the first of two steps; "
                "take ae, vae, avb, wae or bigan"
            )
        if not second.can_sample:
            raise UomhError(f"{known['density']} is no density, so it cannot be the second step")
        model = first.Config.of(merged(layers[0]["model"], chosen["model"]), "model")
        codes = DataSpec((model.latent_dim,), None, data.spec.num_classes)
        layers.append(_defaults("density", "density_train", known["density"], codes))
        layers.append({"density": {"conditional": model.conditional}})
        common = [name for name in EvaluateConfig().metrics if name != "loss"]
        own = ["low_dim_log_likelihood", "manifold_log_likelihood"]
        layers.append({"evaluate": {"metrics": [*common, *own]}})
    # Absolute paths: workers and later commands read the same data from any folder.
    chosen = {**chosen, "data": source.absolute().model_dump(mode="json")}
    config = RunConfig.of(merged(*layers, chosen))
    _check_composition(config)
    trained = (config.train, config.density_train)
    metrics = (*config.evaluate.metrics, *(name for each in trained for name in each.metrics))
    for name in metrics:
        registry.load("metrics", name)  # a name that is not known fails here, before any work
    return config, data


def _named(field: str, given: Nested, overrides: Sequence[str], default: str | None) -> str | None:
    """The component that a field is given, by the last override, the values, or the default."""
    key = f"{field}.name="
    last = [text.removeprefix(key) for text in overrides if text.startswith(key)][-1:]
    return last[0] if last else _member(given, field).get("name") or default


def _defaults(field: str, train: str, name: str, spec: DataSpec) -> Nested:
    """Whole default settings of a model for data of this shape, and how it is trained."""
    settings = registry.load("models", name).Config
    by_shape = settings.defaults(spec)
    # Whole defaults lie beneath, or a group that is set in part would lose the rest of its own.
    whole = merged(settings().model_dump(mode="json"), {"name": name}, by_shape.get("model", {}))
    return {field: whole, train: by_shape.get("train", {})}


def _absolute_paths(chosen: Nested) -> Nested:
    """The paths of other runs and of labels, as they are found from any folder of a worker.

    One where nothing stands is left as it was typed, for the error.
    """
    paths: Nested = {}
    for group, key in (("two_step", "autoencoder_run"), ("clusters", "file")):
        if absolute := _absolute(_member(chosen, group).get(key)):
            paths[group] = {key: absolute}
    if absolute := _absolute(chosen.get("cluster_codes")):
        paths["cluster_codes"] = absolute
    return paths


def _absolute(path: object) -> str | None:
    if not isinstance(path, str) or not path or not Path(path).expanduser().exists():
        return None
    return str(Path(path).expanduser().absolute())


def _check_composition(config: RunConfig) -> None:
    """Refuse what cannot be put together."""
    if config.disconnected and config.model.conditional:
        raise UomhError(
            "parts of a disconnected model have no labels left to be conditional on; "
            "choose --disconnected or --conditional"
        )
    if config.match is not None and not config.disconnected:
        raise UomhError(f"match={config.match} is for disconnected models; add --disconnected HOW")
    if config.two_step.freeze and config.two_step.autoencoder_run is None:
        raise UomhError("two_step.freeze=true needs two_step.autoencoder_run, the run to take")
    if config.two_step.freeze and config.two_step.alternate:
        raise UomhError("a frozen autoencoder cannot be trained in turns; leave two_step.alternate")
    if config.latent_dim == "dimension" and not hasattr(
        registry.load("models", config.model.name), "encode"
    ):
        raise UomhError(f"latent_dim=dimension: {config.model.name} has no codes")


def _member(values: Nested, key: str) -> Nested:
    member = values.get(key) or {}
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
