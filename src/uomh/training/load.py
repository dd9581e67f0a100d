"""A run as its folder tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from uomh.config import RunConfig
from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.core import Codec, Learner
from uomh.training.folder import read_config_file
from uomh.training.resolve import build_decided
from uomh.training.scope import Scope


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it.

    Attributes:
        path: the folder.
        config: the resolved settings.
        spec: shape of the data it was trained on, with its groups as classes.
        classes: names of their classes, or groups.
        fingerprint: of their content.
        model: with its best weights, in evaluation mode.
    """

    path: Path
    config: RunConfig
    spec: DataSpec
    classes: tuple[str, ...]
    fingerprint: str
    model: Learner


def load_run(path: str | Path) -> Run:
    """Load a run from its folder; the data are not needed.

    Raises:
        UomhError: there is no run, it has no checkpoint yet, or a file is damaged.
    """
    folder = Path(path)
    record = read_config_file(folder)
    if record is None:
        raise UomhError(f"there is no run in {str(folder)!r} (no config.json); check the path")
    if record.config is None:
        raise UomhError(f"the run in {str(folder)!r} has not begun; repeat `uomh train`")
    about = record.data
    classes = record.groups
    spec = DataSpec(about.shape, about.levels, len(classes))
    model = build_decided(record.config, spec)
    Scope(folder=folder).recall(model)
    return Run(folder, record.config, spec, classes, about.fingerprint, model)


def encoder_of(run_dir: str) -> Callable[[Tensor], Tensor]:
    """The codes of a batch by the model of a run.

    Raises:
        UomhError: its model has no codes, or needs labels for them.
    """
    model = load_run(run_dir).model
    if not isinstance(model, Codec) or getattr(model, "num_classes", False):
        raise UomhError(f"cluster_codes={run_dir}: its model has no codes of points without labels")
    return model.encode
