"""The trained autoencoder of another run, with whose weights a model begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from uomh.clusters.partition import read_partition
from uomh.config import RunConfig
from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.models.core import Generative
from uomh.settings import all_settings
from uomh.training.folder import read_config_file
from uomh.training.load import load_run
from uomh.training.resolve import PARTITION

PART = "part"
"""what the name of a part in a path begins with, before its number"""


def check_sources(config: RunConfig, folder: Path | None) -> None:
    """See that the runs whose autoencoders are taken can be loaded, before any work.

    A run that has begun to train needs them no more.

    Raises:
        UomhError: there is no run, or it is not trained.
    """
    if folder is not None and any(folder.glob("checkpoints/**/*.pt")):
        return
    for run_dir in sources(config):
        try:
            load_run(run_dir)
        except UomhError as error:
            raise UomhError(f"autoencoder_run={run_dir}: {error}") from None


def sources(config: RunConfig) -> list[str]:
    """The folders of the runs whose autoencoders are taken."""
    runs = (getattr(settings, "autoencoder_run", None) for settings in all_settings(config.model))
    return list(dict.fromkeys(run for run in runs if run))


def begin(run_dir: str, model: Generative, path: str, data: Data | None, frozen: bool) -> None:
    """Give an autoencoder the trained weights of that of another run.

    Args:
        run_dir: the other run.
        model: the autoencoder.
        path: of the two-step model that it is of.
        data: of the run, with its groups as labels; None where they are not known.
        frozen: it is used as it is, so every weight has to be trained there.

    Raises:
        UomhError: that run has no such autoencoder.
    """
    found = load_run(run_dir).model
    if not isinstance(found, Generative):
        raise UomhError(f"autoencoder_run={run_dir}: {type(found).__name__} is no autoencoder")
    for name in path.split("/")[1:]:
        if name.startswith(PART) and found.parts():
            name = f"{PART}{partners(run_dir, data)[int(name.removeprefix(PART))]}"
        found = found.follow(name)
    composed = model.codec() is not model
    whole = [other for other in (found, found.follow("autoencoder")) if _alike(model, other)]
    if composed and whole:
        model.load_state_dict(whole[0].state_dict())
        return
    try:
        codec = found.codec()
    except UomhError as error:
        raise UomhError(f"autoencoder_run={run_dir}: {error}") from None
    if (composed and frozen) or not _alike(model.codec(), codec):
        raise UomhError(
            f"the autoencoder of {run_dir!r} has other settings than this run's; repeat them"
        )
    model.codec().load_state_dict(codec.state_dict())


def partners(run_dir: str, data: Data | None) -> tuple[int, ...]:
    """The number of the group of another run that is each group of these data.

    Groups are the same where they have the same points; classes, where they have the same name.

    Args:
        run_dir: the other run.
        data: with the groups as labels; None where they are not known.

    Raises:
        UomhError: a group of these data is none of that run's.
    """
    record = read_config_file(Path(run_dir))
    assert record is not None
    saved = Path(run_dir) / PARTITION
    theirs = read_partition(saved) if saved.is_file() else None
    clustered = theirs is not None and theirs.grouping is not None
    if data is None or data.train.y is None or (data.grouping is not None) != clustered:
        raise _other_groups(run_dir, None)
    if theirs is None or not clustered:
        for name in data.classes:
            if name not in record.groups:
                raise _other_groups(run_dir, name)
        return tuple(record.groups.index(name) for name in data.classes)
    ours = np.concatenate(
        [split.y.numpy() for split in (data.valid, data.train) if split.y is not None]
    )
    if len(ours) != len(theirs.pool):
        raise _other_groups(run_dir, None)
    found = []
    for number, name in enumerate(data.classes):
        members = np.unique(theirs.pool[ours == number])
        if len(members) != 1 or (theirs.pool == members[0]).sum() != (ours == number).sum():
            raise _other_groups(run_dir, name)
        found.append(int(members[0]))
    return tuple(found)


def _other_groups(run_dir: str, name: str | None) -> UomhError:
    what = "the groups of this run are" if name is None else f"group {name!r} is"
    return UomhError(
        f"autoencoder_run={run_dir}: {what} not among that run's, so it is not known which of its "
        "autoencoders to take; group the data as that run does (--disconnected "
        f"{run_dir}/{PARTITION}, where it has clusters), or begin from a run of one model"
    )


def _alike(model: Generative, other: Generative) -> bool:
    """Whether the weights of one fit the other."""
    shapes, others = (
        {name: value.shape for name, value in side.state_dict().items()} for side in (model, other)
    )
    return shapes == others
