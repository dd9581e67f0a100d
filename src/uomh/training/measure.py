"""Measuring a trained run on its test split; what was measured stands in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from uomh.config import RunConfig
from uomh.data.core import Data
from uomh.devices import checked_device
from uomh.memory import keeping_freed_memory
from uomh.metrics import Evaluation, Value, evaluate, weights_of
from uomh.models.core import Generative
from uomh.parallel.core import computing_with
from uomh.parallel.progress import Progress
from uomh.seeds import seeded
from uomh.training import budget
from uomh.training.folder import measured, save_measured, setup_of
from uomh.training.lock import writing
from uomh.training.resolve import ROOT


def measure(
    model: Generative,
    data: Data,
    config: RunConfig,
    metrics: tuple[str, ...] | None = None,
    run_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Value]:
    """Evaluate on the test split; with a folder, add to its ``metrics.json``.

    Each value has the hash of the weights that it is of, and those of other weights are dropped
    from the folder. Without a test split there are no values, and that is their reason.

    Metrics of the parts of a disconnected model, each on the test points of its group, stand
    beside those of the whole as ``METRIC[GROUP]``.

    Args:
        model: trained.
        data: with the groups as labels.
        config: of the run.
        metrics: names; by default those of the settings.
        run_dir: the run's folder.
        progress: is told of every batch.

    Raises:
        UomhError: no such metric, or another process writes to the folder.
    """
    if run_dir is not None:
        with writing(Path(run_dir)):
            values = measure(model, data, config, metrics, progress=progress)
            return save_measured(Path(run_dir), values) if values else values
    names = config.evaluate.metrics if metrics is None else metrics
    advance = partial(progress.advance, "evaluate") if progress else None

    def on(model: Generative, data: Data) -> dict[str, Value]:
        size = config.evaluate.batch_size
        evaluation = Evaluation(model, data, data.test, config.seed, size, advance)
        return evaluate(names, evaluation)

    weights, setup = weights_of(model), setup_of(config, data)  # before measuring, which may draw
    if not len(data.test):
        reason = f"{data.name} has no test split"
        values = {name: Value(None, reason=reason) for name in names}
        return _marked(values, weights, setup)
    model.to(checked_device(config.device))
    with (
        computing_with(config.threads),
        seeded(config.seed, ROOT, "measure"),
        keeping_freed_memory(),
        budget.for_measuring(model, data, config),
    ):
        values = on(model, data)
        if parts := model.parts():
            for (group, part), piece in zip(parts.items(), data.parts(), strict=True):
                found = on(part, piece) if len(piece.test) else {}
                values |= {f"{name}[{group}]": value for name, value in found.items()}
    return _marked(values, weights, setup)


def _marked(values: Mapping[str, Value], weights: str, setup: str) -> dict[str, Value]:
    """The values with the hashes of what they are of."""
    return {name: replace(value, weights=weights, setup=setup) for name, value in values.items()}


def complete_measures(
    model: Generative, data: Data, config: RunConfig, run_dir: Path
) -> dict[str, Value]:
    """What a run's settings ask to be measured; what stands in its folder is not repeated.

    Args:
        model: trained, with the weights of the folder.
        data: with the groups as labels.
        config: of the run.
        run_dir: its folder.

    Raises:
        UomhError: another process writes to the folder.
    """
    with writing(run_dir):
        found = measured(run_dir, weights_of(model), setup_of(config, data))
        missing = tuple(name for name in config.evaluate.metrics if name not in found)
        return found | measure(model, data, config, missing, run_dir) if missing else found
