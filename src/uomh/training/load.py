"""A run as its folder tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from uomh.config import RunConfig
from uomh.data.about import About
from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.core import Generative
from uomh.training.folder import read_config, read_record
from uomh.training.plan import ROOT, Part, Plan, build_plan
from uomh.training.trainer import Trainer


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it.

    Attributes:
        path: the folder.
        config: the resolved settings.
        spec: shape of the data it was trained on.
        classes: names of their classes, or groups.
        fingerprint: of their content.
        model: with its best weights, in evaluation mode.
    """

    path: Path
    config: RunConfig
    spec: DataSpec
    classes: tuple[str, ...]
    fingerprint: str
    model: Generative


def load_run(path: str | Path) -> Run:
    """Load a run from its folder; the data are not needed.

    Raises:
        UomhError: there is no run, it has no checkpoint yet, or a file is damaged.
    """
    folder = Path(path)
    record = read_record(folder)
    if record is None:
        raise UomhError(f"there is no run in {str(folder)!r} (no config.json); check the path")
    config = read_config(folder, record)
    about = About.of(record["data"])
    saved = folder / "plan.json"
    if config.disconnected and not saved.is_file():
        raise UomhError(f"{str(folder)!r} has no plan.json; repeat `uomh train` to make it")
    plan = Plan.load(saved) if saved.is_file() else Plan((Part(ROOT, "", 0),), about.classes)
    spec = DataSpec(about.shape, about.levels, len(plan.classes))
    model = build_plan(config, plan, spec)
    Trainer(config.train, config.seed, folder, path=ROOT).recall(model)
    return Run(folder, config, spec, plan.classes, about.fingerprint, model)
