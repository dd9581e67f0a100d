"""A run from its settings to its numbers: what is there is not repeated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from uomh.config import RunConfig
from uomh.data import load_data
from uomh.data.core import Data
from uomh.metrics import Value
from uomh.models.core import Learner
from uomh.parallel.core import Parallel
from uomh.parallel.progress import Progress
from uomh.training.lock import writing
from uomh.training.measure import complete_measures
from uomh.training.run import train


@dataclass(frozen=True)
class Completed:
    """A run that is trained and measured.

    Attributes:
        model: with its best weights, in evaluation mode.
        data: with the groups as labels.
        values: what was measured, as in ``metrics.json``.
    """

    model: Learner
    data: Data
    values: dict[str, Value]


def complete(
    config: RunConfig,
    run_dir: str | Path,
    data: Data | None = None,
    progress: Progress | None = None,
    parallel: Parallel | None = None,
) -> Completed:
    """Train a run, or go on with it; then measure what is not measured of its weights.

    Args:
        config: from `uomh.resolve`.
        run_dir: the run's folder.
        data: as loaded; None: as the settings say.
        progress: is told how it goes.
        parallel: where independent parts are trained.

    Raises:
        UomhError: as `uomh.train` and `uomh.measure`.
    """
    folder = Path(run_dir)
    data = load_data(config.data) if data is None else data
    with writing(folder):
        model, grouped = train(config, data, folder, progress, parallel)
        values = complete_measures(model, grouped, config, folder)
    return Completed(model, grouped, values)
