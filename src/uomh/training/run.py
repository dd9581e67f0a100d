"""A run: a folder that holds its settings, its checkpoints and what was measured.

``config.json`` has the resolved settings, the data's fingerprint and shape, versions; whoever has
the folder can load the model, and with the same data repeat the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from uomh.config import RunConfig, TrainConfig
from uomh.data import load_data
from uomh.data.core import Data
from uomh.devices import checked_device
from uomh.errors import UomhError
from uomh.models.compose import Disconnected, parts_of
from uomh.models.core import Generative
from uomh.parallel.core import Parallel, computing_with, raise_failures, resumable_map
from uomh.parallel.progress import Progress
from uomh.seeds import seeded
from uomh.training.folder import (
    claim,
    read_config,
    read_record,
)
from uomh.training.lock import writing
from uomh.training.plan import (
    ROOT,
    Plan,
    build_part,
    build_plan,
    grouped,
    make_plan,
    part_training,
)
from uomh.training.pretrained import begin_from, encoder_of
from uomh.training.samples import save_reconstructions, save_samples
from uomh.training.trainer import Trainer


def build(config: RunConfig, data: Data) -> Generative:
    """The untrained model of a configuration for grouped data; weights from the seed."""
    return build_plan(config, make_plan(config, data), data.spec)


def train(
    config: RunConfig,
    data: Data,
    run_dir: str | Path | None = None,
    progress: Progress | None = None,
    parallel: Parallel | None = None,
) -> tuple[Generative, Data]:
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
    if parallel and parallel.backend != "serial" and not config.disconnected:
        raise UomhError(
            f"there is one model to train, so the backend {parallel.backend!r} has nothing to "
            "share out; add --disconnected HOW, or leave it"
        )
    folder = None if run_dir is None else Path(run_dir)
    with _claimed(folder, config, data) as config:
        codes = config.cluster_codes
        data = grouped(config, data, folder, partial(encoder_of, codes) if codes else None)
        plan = make_plan(config, data, folder)
        model = build_plan(config, plan, data.spec)
        paths = [part.path for part in plan.parts]
        begin_from(config, plan, dict(zip(paths, parts_of(model), strict=True)), folder)
        return _fit(model, data, config, plan, folder, progress, parallel), data


def fit(
    model: Generative,
    data: Data,
    config: RunConfig,
    run_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Generative:
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
    with _claimed(folder, config, data) as config:
        return _fit(model, data, config, make_plan(config, data, folder), folder, progress)


@contextmanager
def _claimed(folder: Path | None, config: RunConfig, data: Data) -> Iterator[RunConfig]:
    """In this block the folder is the run's, and no other process writes to it; its settings."""
    if folder is None:
        yield config
        return
    with writing(folder):
        yield claim(folder, config, data)


def _fit(
    model: Generative,
    data: Data,
    config: RunConfig,
    plan: Plan,
    folder: Path | None,
    progress: Progress | None,
    parallel: Parallel | None = None,
) -> Generative:
    own: dict[str, TrainConfig] = {}
    for part, each in zip(plan.parts, parts_of(model), strict=True):
        own |= part_training(config, part, each)
    elsewhere = None
    if isinstance(model, Disconnected) and parallel and parallel.backend != "serial":
        if folder is None:
            raise UomhError(f"backend {parallel.backend!r} needs a run's folder; give run_dir")
        elsewhere = partial(_train_elsewhere, folder.resolve(), config, plan, parallel, progress)
    trainer = Trainer(
        config.train,
        config.seed,
        folder,
        str(checked_device(config.device)),
        progress,
        ROOT,
        own,
        config.part_threads,
        elsewhere,
        config.evaluate.batch_size,
    )
    with computing_with(config.threads), seeded(config.seed, ROOT, "fit"):
        model.fit(data, trainer)
        model.eval()
        if folder is not None:
            with seeded(config.seed, ROOT, "pictures"):
                save_samples(model, folder / "samples.png")
                save_reconstructions(model, data, folder / "reconstructions.png")
    return model


def _train_elsewhere(
    folder: Path,
    config: RunConfig,
    plan: Plan,
    parallel: Parallel,
    progress: Progress | None,
    paths: Sequence[str],
) -> None:
    """Train the parts at these paths in other processes, which see the run's folder."""
    root = Path(config.data.data_root).resolve()
    tasks = [{"run_dir": str(folder), "data_root": str(root), "path": path} for path in paths]
    outcomes = resumable_map(
        train_part,
        tasks,
        backend=parallel.backend,
        jobs=parallel.jobs,
        threads=config.part_threads,
        address=parallel.address,
        folder=folder,
        progress=progress,
    )
    names = {part.path: part.name for part in plan.parts}
    raise_failures(outcomes, [f"{config.data.dataset}/{names[path]}" for path in paths])


def train_part(task: dict[str, str], progress: Progress) -> None:
    """Train one part of a run in its folder, knowing nothing but the folder.

    Args:
        task: ``run_dir``; ``path`` of the part; ``data_root``, where this machine has the data.
        progress: is told how it goes.
    """
    folder = Path(task["run_dir"])
    record = read_record(folder)
    assert record is not None
    config = read_config(folder, record)
    data = load_data(config.data.model_copy(update={"data_root": task["data_root"]}))
    data = grouped(config, data, folder)
    plan = Plan.load(folder / "plan.json")
    k = [part.path for part in plan.parts].index(task["path"])
    piece = data.parts()[k]
    model = build_part(config, plan.parts[k], piece.spec)
    begin_from(config, plan, {task["path"]: model}, folder)
    own = part_training(config, plan.parts[k], model)
    trainer = Trainer(
        config.train,
        config.seed,
        folder,
        str(checked_device(config.device)),
        progress,
        task["path"],
        own,
        valid_batch_size=config.evaluate.batch_size,
    )
    model.fit(piece, trainer)
