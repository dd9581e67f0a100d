"""What a run resolves from its data once, and keeps: groups, and the settings of each part.

``partition.npz`` has the group of every point, ``plan.json`` the groups' names and, for each part,
what its settings are where they are not the run's: the size of codes by its own dimension, widths
or epochs by `RunConfig.match`. With both, a part can be built and trained anywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from uomh import registry
from uomh.clusters.core import Clusterer, Features
from uomh.clusters.partition import load_partition, save_partition
from uomh.config import RunConfig, TrainConfig
from uomh.data.core import Data, DataSpec
from uomh.errors import UomhError
from uomh.files import write_json
from uomh.models.compose import Disconnected, TwoStep
from uomh.models.core import Generative, Model
from uomh.models.joint import Joint
from uomh.seeds import seeded
from uomh.settings import Nested, Settings, Width, merged
from uomh.training import budget

ROOT = "model"
"""path of a run's model among its checkpoints and in its logs"""


@dataclass(frozen=True)
class Part:
    """A model of a run: the only one, or that of a group.

    Attributes:
        path: of its scope, ``model`` or ``model/part3``.
        name: of its group; empty for the only one.
        n: number of its training points.
        changes: its settings where they are not the run's, nested.
    """

    path: str
    name: str
    n: int
    changes: Nested = field(default_factory=dict)

    def config(self, run: RunConfig) -> RunConfig:
        """The settings of a run with those of the part."""
        return RunConfig.of(merged(run.model_dump(mode="json"), self.changes))


@dataclass(frozen=True)
class Plan:
    """The parts of a run, and the names of the classes of its grouped data."""

    parts: tuple[Part, ...]
    classes: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read what `save` wrote.

        Raises:
            UomhError: the file is damaged.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(Part(**part) for part in values["parts"]), tuple(values["classes"]))
        except (ValueError, KeyError, TypeError):
            raise UomhError(
                f"{str(path)!r} is damaged; delete it, and `uomh train` makes it again"
            ) from None


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
        UomhError: there are no labels to group by, or the clusterer refuses.
    """
    if config.clusters is None:
        if (config.disconnected or config.model.conditional) and not data.classes:
            raise UomhError(f"{data.name} has no labels; name a clusterer to group it by")
        return data
    saved = folder and folder / "partition.npz"
    if saved and saved.is_file():
        return load_partition(saved, data)
    cls = registry.load("clusterers", config.clusters.name)
    clusterer: Clusterer = cls(config.clusters, config.seed)
    result = clusterer(data, encoder() if encoder else None)
    if saved:
        save_partition(saved, data, result)
    return result


def make_plan(config: RunConfig, data: Data, folder: Path | None = None) -> Plan:
    """The parts of a run on grouped data, resolved once; they stand in the run's folder.

    Raises:
        UomhError: a group is too small for its dimension, or for the parts' settings.
    """
    saved = folder and folder / "plan.json"
    if saved and saved.is_file():
        return Plan.load(saved)
    pieces = data.parts() if config.disconnected else [data]
    paths = [f"{ROOT}/part{k}" for k in range(len(pieces))] if config.disconnected else [ROOT]
    names = data.classes if config.disconnected else ("",)
    parts = []
    for path, name, piece in zip(paths, names, pieces, strict=True):
        changes = {}
        if config.latent_dim == "dimension":
            changes = {"model": {"latent_dim": latent_dim(piece, config.latent_k)}}
        parts.append(Part(path, name, len(piece.train), changes))
    if config.match is not None:
        parts = matched(config, parts, data)
    plan = Plan(tuple(parts), data.classes)
    if saved:
        plan.save(saved)
    return plan


def latent_dim(data: Data, k: int) -> int:
    """ceil(ID) of the training points, by maximum likelihood at k neighbours.

    Raises:
        UomhError: there are too few points for k.
    """
    x = data.train.x.flatten(1).numpy()
    if len(x) < k + 2:
        raise UomhError(
            f"{data.name} has {len(x)} points, too few for a dimension at latent_k={k}; lower "
            "latent_k, give more points, or set model.latent_dim"
        )
    from uomh.dimension.mle import MLE  # brings scikit-learn, which training does without

    return math.ceil(MLE(k, splits=0).fit(x).dimension_)


def build_plan(config: RunConfig, plan: Plan, spec: DataSpec) -> Generative:
    """The untrained model of a run.

    Args:
        config: of the run.
        plan: of the run.
        spec: of its grouped data.
    """
    if not config.disconnected:
        return build_part(config, plan.parts[0], spec)
    piece = DataSpec(spec.shape, spec.levels, 0)
    parts = {part.name: build_part(config, part, piece) for part in plan.parts}
    sizes = torch.tensor([part.n for part in plan.parts], dtype=torch.float64)
    return Disconnected(parts, sizes / sizes.sum(), spec)


def build_part(config: RunConfig, part: Part, spec: DataSpec) -> Generative:
    """The untrained model of a part, its weights from the run's seed and its path."""
    own = part.config(config)
    model = _leaf(own.model, spec, config.seed, part.path)
    if own.density is None:
        return model
    codes = DataSpec((own.model.latent_dim,), None, spec.num_classes)
    density = _leaf(own.density, codes, config.seed, f"{part.path}/density")
    steps = own.two_step
    joint = Joint(model, density, steps.alternate) if steps.alternate else None
    return TwoStep(model, density, steps.importance_samples, steps.freeze, steps.draws, joint)


def _leaf(settings: Any, spec: DataSpec, seed: int, path: str) -> Model:
    with seeded(seed, path, "initial weights"):
        return budget.built(registry.load("models", settings.name), settings, spec)


def part_training(config: RunConfig, part: Part, model: Generative) -> dict[str, TrainConfig]:
    """How each path of a part is trained."""
    own = part.config(config)
    if not isinstance(model, TwoStep):
        return {part.path: own.train}
    if model.joint is None:
        return {f"{part.path}/autoencoder": own.train, f"{part.path}/density": own.density_train}
    steps = {"autoencoder": own.train, "density": own.density_train}
    groups = {}
    for name in model.joint.groups():
        step, _, group = name.partition(".")
        groups[name] = steps[step].for_group(group).model_dump(mode="json")
    # By epoch each of the two has a turn of its own in every epoch that the settings give.
    epochs = own.train.max_epochs * (2 if own.two_step.alternate == "epoch" else 1)
    turns = own.train.model_copy(update={"groups": groups, "max_epochs": epochs})
    return {f"{part.path}/joint": turns}


def matched(config: RunConfig, parts: list[Part], data: Data) -> list[Part]:
    """The parts, shrunk or trained for a shorter time, to cost what one model of all data does.

    ``parameters``: all widths of all parts are multiplied by the largest share at which the parts
    together have no more parameters. ``compute``: all epochs are multiplied by the ratio of
    floating-point operations, as torch counts them, of one pass of the one model over all data to
    a pass of each part over its own; for parts of the same size that is one.

    Raises:
        UomhError: the parts cannot be made small enough.
    """
    spec = DataSpec(data.spec.shape, data.spec.levels, 0)
    whole = Part(ROOT, "", len(data.train))

    @cache
    def cost(changes: str) -> int:
        model = build_part(config, replace(whole, changes=json.loads(changes)), spec)
        if config.match == "parameters":
            return sum(each.numel() for each in model.parameters())
        return operations(model, config.seed)

    def total(candidates: list[Part], weight: Callable[[Part], int]) -> int:
        return sum(weight(part) * cost(json.dumps(part.changes)) for part in candidates)

    if config.match == "compute":
        passes = total(parts, lambda part: part.n)
        ratio = total([whole], lambda part: part.n) / passes
        epochs = {
            name: {"max_epochs": max(1, round(ratio * getattr(config, name).max_epochs))}
            for name in ("train", "density_train")
        }
        return [replace(part, changes=merged(part.changes, epochs)) for part in parts]

    low, high, best = 0.0, 1.0, None
    for _ in range(12):  # to a share of 1/4096, finer than one unit of most layers
        share = (low + high) / 2
        narrow = {
            name: narrowed(settings, share)
            for name, settings in (("model", config.model), ("density", config.density))
            if settings is not None
        }
        shrunk = [replace(part, changes=merged(part.changes, narrow)) for part in parts]
        if total(shrunk, lambda part: 1) <= total([whole], lambda part: 1):
            low, best = share, shrunk
        else:
            high = share
    if best is None:
        raise UomhError(
            f"{len(parts)} parts have more parameters than one model, however narrow; "
            "use fewer groups or match=none"
        )
    return best


def narrowed(settings: Settings, share: float) -> Nested:
    """The fields among nested settings that are marked as a `Width`, times a share, at least 1.

    >>> from uomh.models.flow_matching import FlowMatching
    >>> narrowed(FlowMatching.Config(channels=(16, 32)), 0.5)
    {'channels': [8, 16], 'hidden_units': 128}
    """
    result: Nested = {}
    for key, info in type(settings).model_fields.items():
        value = getattr(settings, key)
        if isinstance(value, Settings):
            if inner := narrowed(value, share):
                result[key] = inner
        elif any(isinstance(mark, Width) for mark in info.metadata):
            single = isinstance(value, int)
            widths = [max(1, round(width * share)) for width in ([value] if single else value)]
            result[key] = widths[0] if single else widths
    return result


def operations(model: Generative, seed: int, batch: int = 8, steps: int = 6) -> int:
    """Floating-point operations of a few training steps of all leaves, as torch counts them."""
    counter = FlopCounterMode(display=False)
    with seeded(seed, "operations"), counter:
        for _, leaf in model.leaves():
            shape, levels = leaf.spec.shape, leaf.spec.levels
            x = torch.randn(batch, *shape)
            if levels is not None:
                x = torch.randint(levels, (batch, *shape)).to(torch.uint8)
            y = torch.randint(leaf.num_classes, (batch,)) if leaf.num_classes else None
            groups = leaf.groups()
            for step in range(steps):
                for group, loss in leaf.losses(x, y, step):
                    loss.backward(inputs=groups[group])
    return counter.get_total_flops()
