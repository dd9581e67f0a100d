"""The settings of a run: data, model, training, evaluation, seed.

`uomh.training.resolve` completes them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from uomh.data.config import DataConfig
from uomh.devices import MAX_THREADS
from uomh.settings import (
    ComponentName,
    ComponentSettings,
    ExistingPath,
    Nested,
    Settings,
    component,
    components,
    config_class,
)

Shown = Literal["tensorboard", "wandb"]
Schedule = Literal["constant", "cosine", "step", "milestones"]


class OptimizerConfig(Settings):
    """An optimiser and the schedule of its learning rate."""

    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    """which optimiser"""
    lr: float = Field(1e-3, gt=0)
    """learning rate at the start"""
    schedule: Schedule = "constant"
    """constant; cosine: to zero over the run; step: times gamma every lr_step epochs; milestones:
    times gamma at each of them"""
    lr_step: int = Field(30, ge=1)
    """step schedule: epochs between two decays"""
    milestones: tuple[float, ...] = (0.3, 0.6, 0.8)
    """milestones schedule: when to decay, in shares of the run's epochs"""
    gamma: float = Field(0.1, gt=0)
    """step and milestones schedules: factor of a decay"""
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
    valid_metrics: components("metrics") = Field(("loss",), validate_default=True)  # type: ignore[valid-type]
    """metrics of validation, on the validation split: names, or {"name": ..., settings}"""
    valid_every: int = Field(1, ge=1)
    """epochs between two validations; the last epoch is always validated"""
    valid_samples: int = Field(1000, ge=1)
    """samples that validation metrics draw, where their own settings do not say"""
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
    log: tuple[Shown, ...] = ("tensorboard",)
    """where training is shown beside metrics.jsonl: tensorboard, wandb (Weights & Biases)"""

    @model_validator(mode="after")
    def _groups_are_optimizers(self) -> Self:
        for name in self.groups:
            self.for_group(name)
        return self

    def for_group(self, name: str) -> OptimizerConfig:
        """The optimiser settings of a group: its own where it has any, else the common ones."""
        common = {key: getattr(self, key) for key in OptimizerConfig.model_fields}
        given = self.groups.get(name, {})
        return OptimizerConfig.of({**common, **given}, f"train.groups.{name}")

    @property
    def metrics(self) -> tuple[ComponentSettings, ...]:
        """All validation metrics, the one for early stopping included."""
        early = self.early_stopping_metric
        if early is None or early in [metric.name for metric in self.valid_metrics]:
            return tuple(self.valid_metrics)
        return (*self.valid_metrics, config_class("metrics", early)(name=early))

    @property
    def selection_metric(self) -> str | None:
        """The validation metric by which the best weights are chosen."""
        return self.early_stopping_metric or next((m.name for m in self.valid_metrics), None)


class EvaluateConfig(Settings):
    """What is measured at the end of a run."""

    metrics: components("metrics") = Field(  # type: ignore[valid-type]
        ("loss", "log_likelihood", "bits_per_dim", "l2_reconstruction_error"),
        validate_default=True,
    )
    """metrics on the test split: names, or {"name": ..., settings}"""
    batch_size: int = Field(512, ge=1)
    """points that are scored at once"""
    samples: int | None = Field(None, ge=1)
    """samples that metrics of samples draw; null: as many as there are training points"""
    features: component("extractors") = None  # type: ignore[valid-type]
    """in which samples are compared; null: a classifier's, or pixels where there are no classes"""
    ood: str | None = None
    """data set that is to be told apart from the run's own; null: none"""


MOVED = {
    "density_train": "how a second step is trained stands with it now: model.density.train{rest} "
    "(model.part.density.train{rest} in a disconnected model)",
    "density": "a second step is a model in the tree now: model.density{rest} "
    "(model.part.density{rest} in a disconnected model); --density M2 names it",
    "two_step": "two-step models are trees now: model{rest}, or model.part{rest} in a "
    "disconnected model",
    "disconnected": "a disconnected model is a tree now: model.name=disconnected and "
    "model.part.name, or --disconnected HOW",
    "match": "it is a setting of the disconnected model now: model.match=parameters",
    "latent_dim": "the size of codes is a setting of the model that has them: "
    "model.latent_dim=dimension, in a tree such as model.part.autoencoder.latent_dim",
    "latent_k": "it is a setting of the model that has the codes: model.latent_k, in a tree such "
    "as model.part.autoencoder.latent_k",
}
"""settings that stood at the top before models were trees; a longer name before its beginning"""


class RunConfig(Settings):
    """Everything that a run depends on."""

    moved: ClassVar[Mapping[str, str]] = MOVED

    seed: int = 0
    """all randomness follows from it"""
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=MAX_THREADS)
    """processor threads; results are identical at equal threads"""
    device: str = "auto"
    """torch device that trains; auto: CUDA where there is one, then MPS, then the processor"""
    data: DataConfig = DataConfig()
    """which data"""
    model: component("models", "vae")  # type: ignore[valid-type]
    """which model, and its settings"""
    train: TrainConfig = Field(default_factory=TrainConfig)
    """how models are trained, where model.train does not say otherwise"""
    clusters: component("clusterers") = None  # type: ignore[valid-type]
    """what groups the data, and its settings; null: the classes, as they are"""
    cluster_codes: ExistingPath | None = None
    """folder of a run whose codes are clustered instead of the points"""
    part_threads: int = Field(1, ge=1, le=MAX_THREADS)
    """processor threads that train a part"""
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig)
    """what is measured"""


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
