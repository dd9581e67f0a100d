"""The runs of an experiment: settled before the first begins, and each made once.

A run stands in a folder named by the hash of its settings, so two arms, or two experiments under
one folder, that ask for the same run share it. An unknown key of any arm is an error before
anything is trained; a data set that is not there is recorded for its runs, and the others go on.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from uomh import registry
from uomh.errors import UomhError, unknown
from uomh.experiments.core import Arm, Experiment, Request, SettledRun, Work, said_of_data

RUNS = "runs"
"""folder of all runs, beside those of the experiments"""


@dataclass(frozen=True)
class Grid:
    """An experiment and what is asked of it.

    Attributes:
        experiment: which.
        datasets: names.
        seeds: how many.
        arms: those that are wanted, each with the arms that it is compared with.
        scale: share of images and epochs.
        settings: texts ``key=value`` over those of every run.
        data_root: folder where data sets are looked for first.
    """

    experiment: Experiment
    datasets: tuple[str, ...]
    seeds: int
    arms: tuple[Arm, ...]
    scale: float = 1.0
    settings: tuple[str, ...] = ()
    data_root: str | None = None

    @property
    def work(self) -> type[Work]:
        """What one run is."""
        found: type[Work] = registry.attribute(self.experiment.work)
        return found


@dataclass(frozen=True)
class Planned:
    """A run of a grid.

    Attributes:
        arm: its name.
        dataset: its name.
        seed: of it.
        key: name of its folder; empty where it cannot be prepared.
        prepared: what is to be done; None where it cannot be.
        error: why it cannot.
    """

    arm: str
    dataset: str
    seed: int
    key: str = ""
    prepared: SettledRun | None = None
    error: str | None = None

    @property
    def label(self) -> str:
        """In a line of progress."""
        return f"{self.dataset}: {self.arm}, seed {self.seed}"


def grid(
    experiment: Experiment,
    *,
    datasets: Sequence[str] | None = None,
    seeds: int | None = None,
    arms: Sequence[str] | None = None,
    scale: float = 1.0,
    settings: Sequence[str] = (),
    data_root: str | None = None,
) -> Grid:
    """An experiment, cut down to what is asked of it.

    Args:
        experiment: which.
        datasets: names; None: all of the experiment's.
        seeds: how many; None: the experiment's.
        arms: names, or the words that names begin or end with; None: all.
        scale: share of images and epochs.
        settings: texts over those of every run.
        data_root: folder where data sets are looked for first.

    Raises:
        UomhError: no such arm, a number that has no meaning, or a data set among the settings.
    """
    if not 0 < scale <= 1:
        raise UomhError(f"the scale is a share of images and epochs, in (0, 1]; it is {scale}")
    count = experiment.seeds if seeds is None else seeds
    if count < 1:
        raise UomhError(f"an experiment needs one seed at least; it is given {count}")
    names = tuple(dict.fromkeys(experiment.datasets if datasets is None else datasets))
    if not names:
        raise UomhError("which data sets? name one at least, as in --datasets mnist")
    root = None if data_root is None else str(Path(data_root).expanduser().absolute())
    common = said_of_data((*experiment.base, *experiment.small, *settings))
    if "dataset" in common:
        raise UomhError(
            f"data.dataset={common['dataset']}: results stand under the names of an experiment's "
            "data sets; say which by --datasets, or by datasets: in a file"
        )
    chosen = _chosen(experiment.arms, arms)
    return Grid(experiment, names, count, chosen, scale, tuple(settings), root)


def _chosen(arms: tuple[Arm, ...], wanted: Sequence[str] | None) -> tuple[Arm, ...]:
    by_name = {arm.name: arm for arm in arms}
    if len(by_name) < len(arms):
        names = [arm.name for arm in arms]
        twice = next(name for name in names if names.count(name) > 1)
        raise UomhError(f"two arms of the experiment are called {twice!r}; give each its own name")
    if wanted is None:
        return arms
    if not wanted:
        raise UomhError(f"which arms? name one at least, as in --arms {shlex.quote(arms[0].name)}")
    kept: set[str] = set()
    for word in wanted:
        found = [
            name
            for name in by_name
            if name == word or name.startswith(f"{word} ") or name.endswith(f" {word}")
        ]
        if not found:
            raise unknown("arm", word, {*by_name, *(name.split()[0] for name in by_name)})
        kept.update(found)
    kept.update(by_name[name].against for name in list(kept))  # nothing to compare with otherwise
    return tuple(arm for arm in arms if arm.name in kept)


def plan(grid: Grid) -> list[Planned]:
    """Every run of a grid, settled.

    Raises:
        UomhError: settings of an arm are wrong; which, and what of them.
    """
    found = []
    absent: dict[tuple[str, ...], str | None] = {}
    for dataset in grid.datasets:
        for arm in grid.arms:
            for seed in range(grid.seeds):
                request = _request(grid, arm, dataset, seed)
                data = (dataset, *(text for text in request.settings if text.startswith("data")))
                try:
                    if data not in absent:
                        absent[data] = grid.work.missing(request)
                    if (reason := absent[data]) is not None:
                        found.append(Planned(arm.name, dataset, seed, error=reason))
                        continue
                    prepared = grid.work.prepare(request)
                except UomhError as error:
                    raise UomhError(f"arm {arm.name!r} on {dataset}: {error}") from None
                key = _key(dataset, prepared, grid.experiment.work)
                found.append(Planned(arm.name, dataset, seed, key, prepared))
    _check_seeds(found)
    return found


def _check_seeds(runs: Iterable[Planned]) -> None:
    """See that the seeds of an arm are runs of their own: one run twice would seem to be sure."""
    seeds: dict[tuple[str, str, str], int] = {}
    for run in runs:
        if run.key and seeds.setdefault((run.dataset, run.arm, run.key), run.seed) != run.seed:
            raise UomhError(
                f"arm {run.arm!r} on {run.dataset}: its settings say which seed, so that its seeds "
                "are one run; leave seed=... out, or ask for one seed (--seeds 1)"
            )


def _request(grid: Grid, arm: Arm, dataset: str, seed: int) -> Request:
    small = grid.scale < 1
    layers: Iterable[tuple[str, ...]] = (
        grid.experiment.base,
        grid.experiment.small if small else (),
        arm.settings,
        arm.small if small else (),
        grid.settings,
    )
    texts = tuple(text for layer in layers for text in layer)
    return Request(dataset, grid.data_root, seed, texts, grid.scale)


def _key(dataset: str, prepared: SettledRun, work: str) -> str:
    text = json.dumps([work, prepared.identity], sort_keys=True)
    readable = "".join(c if c.isalnum() else "-" for c in Path(dataset).name)[:32]
    return f"{readable}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def measured_hash(prepared: SettledRun) -> str:
    """A short hash of what is measured of a run."""
    text = json.dumps(prepared.measured, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def shared(runs: Iterable[Planned]) -> list[str]:
    """A sentence for each run that several arms of a grid ask for."""
    arms: dict[str, list[str]] = {}
    for run in runs:
        if run.key:
            arms.setdefault(run.key, []).append(f"{run.arm!r} ({run.dataset}, seed {run.seed})")
    return [
        f"{' and '.join(names)} are the same run, which is made once"
        for names in arms.values()
        if len(names) > 1
    ]
