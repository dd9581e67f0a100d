"""A run: a folder that holds its settings, its checkpoints and what was measured.

``config.json`` has the resolved settings, the data's fingerprint and shape, versions; whoever has
the folder can load the model, and with the same data repeat the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from uomh.config import RunConfig
from uomh.data import load_data
from uomh.data.core import Data
from uomh.devices import checked_device
from uomh.errors import UomhError
from uomh.models.core import Learner, learner_class
from uomh.parallel.core import Outcome, Parallel, computing_with, resumable_map
from uomh.parallel.progress import Progress
from uomh.seeds import seeded
from uomh.training.folder import claim, read_config_file, settle
from uomh.training.load import encoder_of
from uomh.training.lock import writing
from uomh.training.pretrained import check_sources
from uomh.training.resolve import ROOT, build_decided, decided, first_weights, grouped
from uomh.training.samples import (
    Sampler,
    save_by_group,
    save_interpolation,
    save_reconstructions,
    save_samples,
)
from uomh.training.trainer import Trainer


def build(config: RunConfig, data: Data) -> Learner:
    """The untrained model of a configuration for grouped data; weights from the seed."""
    return build_decided(decided(config, data), data.spec)


def train(
    config: RunConfig,
    data: Data,
    run_dir: str | Path | None = None,
    progress: Progress | None = None,
    parallel: Parallel | None = None,
) -> tuple[Learner, Data]:
    """Group the data as the settings say, build the model, and train it, or go on with it.

    Args:
        config: of the run.
        data: as loaded.
        run_dir: the run's folder; None keeps nothing.
        progress: is told how it goes.
        parallel: where parts are trained.

    Returns:
        The trained model, and the data with the groups as labels.

    Raises:
        UomhError: as `fit`; the data cannot be grouped so.

    The run's folder is locked meanwhile: it has one writer.
    """
    folder = None if run_dir is None else Path(run_dir)
    check_sources(config, folder)
    with _claimed(folder, config, data) as config:
        codes = config.cluster_codes
        data = grouped(config, data, folder, partial(encoder_of, codes) if codes else None)
        config = settle(folder, config, data)
        model = build_decided(config, data.spec)
        check_parallel(parallel, model)
        return _fit(model, data, config, folder, progress, parallel), data


def check_parallel(parallel: Parallel | None, model: Learner) -> None:
    """See that there are parts to share out where that is asked for.

    Raises:
        UomhError: there is one model.
    """
    if parallel and parallel.backend != "serial" and not model.has_parts():
        raise UomhError(
            f"there is one model to train, so the backend {parallel.backend!r} has nothing to "
            "share out; add --disconnected HOW, or leave it"
        )


def fit(
    model: Learner,
    data: Data,
    config: RunConfig,
    run_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Learner:
    """Train a model; with a folder, go on where it stands and leave everything there.

    Args:
        model: from `build`.
        data: the data, with the groups as labels that the model is for.
        config: of the run.
        run_dir: the run's folder; None keeps nothing.
        progress: is told how it goes.

    Raises:
        UomhError: the folder holds another run, cannot be written or is being written by another
            process, or training failed.
    """
    folder = None if run_dir is None else Path(run_dir)
    check_sources(config, folder)
    with _claimed(folder, config, data) as config:
        return _fit(model, data, settle(folder, config, data), folder, progress)


@contextmanager
def _claimed(folder: Path | None, config: RunConfig, data: Data) -> Iterator[RunConfig]:
    """In this block the folder is the run's, and no other process writes to it; its settings."""
    if folder is None:
        yield config
        return
    with writing(folder):
        yield claim(folder, config, data)


def _fit(
    model: Learner,
    data: Data,
    config: RunConfig,
    folder: Path | None,
    progress: Progress | None,
    parallel: Parallel | None = None,
) -> Learner:
    trainer = _trainer(config, folder, progress or Progress(), data)
    if parallel and parallel.backend != "serial":
        if folder is None:
            raise UomhError(f"backend {parallel.backend!r} needs a run's folder; give run_dir")
        elsewhere = partial(_train_elsewhere, folder.resolve(), config, parallel, progress)
        trainer = replace(trainer, elsewhere=elsewhere)
    with computing_with(config.threads), seeded(config.seed, ROOT, "fit"):
        model.fit(data, trainer)
        model.eval()
        if folder is not None:
            with seeded(config.seed, ROOT, "pictures"):
                if isinstance(model, Sampler):
                    save_samples(model, folder / "samples.png")
                save_reconstructions(model, data, folder / "reconstructions.png")
                save_interpolation(model, data, folder / "interpolation.png")
                if isinstance(model, Sampler):
                    save_by_group(model, folder / "samples_by_group.png")
    return model


def _trainer(config: RunConfig, folder: Path | None, progress: Progress, data: Data) -> Trainer:
    """The trainer of a whole run, on grouped data."""
    return Trainer(
        config.train,
        config.seed,
        folder,
        str(checked_device(config.device)),
        progress,
        ROOT,
        valid_batch_size=config.evaluate.batch_size,
        part_threads=config.part_threads,
        grouped=data,
    )


def _train_elsewhere(
    folder: Path,
    config: RunConfig,
    parallel: Parallel,
    progress: Progress | None,
    paths: Sequence[str],
) -> Sequence[Outcome[None]]:
    """Train the parts at these paths in other processes, which see the run's folder."""
    root = str(Path(config.data.data_root).resolve())
    task = {"run_dir": str(folder), "data_root": root}
    return resumable_map(
        train_part,
        [{**task, "path": path} for path in paths],
        backend=parallel.backend,
        jobs=parallel.jobs,
        threads=config.part_threads,
        address=parallel.address,
        folder=folder,
        progress=progress,
    )


def train_part(task: Mapping[str, Any], progress: Progress) -> None:
    """Train one part of a run in its folder, knowing nothing but the folder.

    Args:
        task: ``run_dir``; ``path`` of the part; ``data_root``, where this machine has the data.
        progress: is told how it goes.
    """
    folder = Path(task["run_dir"])
    record = read_config_file(folder)
    assert record is not None
    config = record.config
    assert config is not None
    data = load_data(config.data.model_copy(update={"data_root": task["data_root"]}))
    data = grouped(config, data, folder)
    leaf, trainer = first_weights(config.seed), _trainer(config, folder, progress, data)
    names = task["path"].split("/")[1:]
    settings, piece = learner_class(config.model).descend(config.model, data, names, trainer, leaf)
    model = learner_class(settings).assemble(settings, piece.spec, task["path"], leaf)
    model.fit(piece, replace(trainer, path=task["path"]))
