"""Losses weighted by dimension against plain ones: classifiers trained both ways on equal seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from uomh.config import RunConfig
from uomh.data.core import Data
from uomh.experiments.classes import RunValues, class_means, gain_by_dimension, numbers
from uomh.experiments.statistics import Paired, mean_of, paired
from uomh.files import write_json
from uomh.metrics.correlation import Correlation
from uomh.parallel.progress import Progress
from uomh.training.complete import complete
from uomh.training.folder import read_config_file

ARMS = {"plain": False, "weighted": True}
"""names of the arms, and their ``weight_by_dimension``"""
COMPARED = ("accuracy", "lowest_class_accuracy", "right_probability", "loss", "calibration_error")
"""what is compared, each a number of a run"""
FILE = "comparison.json"
FOLDER = "compared"
"""below the run's, of the runs that it is compared with and of what was found"""


@dataclass(frozen=True)
class WeightingResult:
    """Weighted against plain, over seeds.

    Attributes:
        seeds: of the runs of each arm.
        values: by arm, what was measured of the run of each seed.
        differences: of each number, weighted less plain, seed by seed.
        gains: correlation of the dimension of a class with what it gained, in mean over seeds, of
            ``accuracy`` and of ``right_probability``; those that there are.
    """

    seeds: tuple[int, ...]
    values: Mapping[str, list[RunValues]]
    differences: Mapping[str, Paired]
    gains: Mapping[str, Correlation]

    def to_dict(self) -> dict[str, Any]:
        """As it stands in ``comparison.json``."""
        arms = {
            arm: {name: mean_of(numbers(runs, name))._asdict() for name in self.differences}
            for arm, runs in self.values.items()
        }
        return {
            "seeds": list(self.seeds),
            "arms": arms,
            "weighted_less_plain": {k: v._asdict() for k, v in self.differences.items()},
            "gain_by_dimension": {k: asdict(v) for k, v in self.gains.items()},
        }

    def class_means(self, arm: str) -> RunValues:
        """Accuracy of each class by an arm, in mean over seeds, and its dimension."""
        return class_means(self.values[arm])


def compare(
    config: RunConfig,
    data: Data,
    folder: Path,
    seeds: int,
    progress: Callable[[str, int], Progress] | None = None,
) -> WeightingResult:
    """Train both arms over seeds from that of the settings on, and measure the difference.

    The run of the folder is the first of its arm; the others stand in ``FOLDER/compared``, each a
    run like any other, so that what is there is not repeated.

    Args:
        config: settings of the run of the folder, which is trained.
        data: as loaded.
        folder: of that run.
        seeds: how many.
        progress: of the run of an arm and a seed.

    Raises:
        UomhError: a class has no dimension to be weighted by, or as `complete`.
    """
    record = read_config_file(folder)
    assert record is not None
    assert record.config is not None
    dimensions = record.config.model.dimensions  # of the data alone: not estimated anew
    used = tuple(range(config.seed, config.seed + seeds))
    values: dict[str, list[RunValues]] = {arm: [] for arm in ARMS}
    for seed in used:
        for arm, weighted in ARMS.items():
            run, place = config, folder
            if (seed, weighted) != (config.seed, config.model.weight_by_dimension):
                changed = {"weight_by_dimension": weighted, "dimensions": dimensions}
                model = config.model.model_copy(update=changed)
                run = config.model_copy(update={"seed": seed, "model": model})
                place = folder / FOLDER / f"{arm}-{seed}"
            told = None if progress is None else progress(arm, seed)
            values[arm].append(with_lowest(complete(run, place, data, told).values))
    found = WeightingResult(used, values, _differences(values), _gains(values))
    write_json(folder / FOLDER / FILE, found.to_dict())
    return found


def with_lowest(values: RunValues) -> RunValues:
    """The values with the accuracy of the class that has the lowest."""
    by_class = [v for v in values.values() if v.name == "accuracy" and v.group is not None]
    known = [value for value in by_class if value.value is not None]
    if not known:
        return values
    lowest = min(known, key=lambda value: (value.value, value.group))
    name = "lowest_class_accuracy"
    # Its interval would be that of a class chosen beforehand.
    value = replace(lowest, name=name, group=None, low=None, high=None, about=str(lowest.group))
    return {**values, name: value}


def _differences(values: Mapping[str, list[RunValues]]) -> dict[str, Paired]:
    """Of the numbers that every run has."""
    by_name = {
        name: (numbers(values["weighted"], name), numbers(values["plain"], name))
        for name in COMPARED
    }
    return {
        name: paired(weighted, plain)
        for name, (weighted, plain) in by_name.items()
        if all(map(math.isfinite, (*weighted, *plain)))
    }


def _gains(values: Mapping[str, list[RunValues]]) -> dict[str, Correlation]:
    found = {
        name: gain_by_dimension(values["weighted"], values["plain"], name)
        for name in ("accuracy", "right_probability")
    }
    return {name: gain for name, gain in found.items() if gain is not None}
