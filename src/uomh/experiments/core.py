"""What an experiment is: arms times data sets times seeds.

An arm is a name and settings on a common base, as texts ``key=value`` of `uomh train`. An
experiment is a class under ``@register("experiments", name)`` whose body says its arms; the user's
own is a file (`uomh.experiments.grid`). Nothing here needs torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from uomh.data import DataConfig
from uomh.settings import Settings, parse_overrides

if TYPE_CHECKING:
    from uomh.metrics.values import Value
    from uomh.parallel.progress import Progress
    from uomh.settings import Nested

PAPER_DATASETS = ("mnist", "fashion-mnist", "svhn", "cifar10", "cifar100")
PAPER_SEEDS = 3
"""runs of each arm in the paper"""


@dataclass(frozen=True)
class Arm:
    """One way to do it.

    Attributes:
        name: unique in its experiment.
        settings: texts ``key=value`` over the experiment's base.
        small: texts over these where the experiment is scaled; epochs in them are scaled as well.
        against: name of the arm that it is compared with; empty: it is compared with none.
    """

    name: str
    settings: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    against: str = ""


class Experiment:
    """A grid of runs, by the constants of its class.

    Attributes:
        name: as registered.
        work: what one run is, ``module:class`` of a `Work`.
        datasets: names of the data sets.
        seeds: how many runs of each arm on each data set, with the seeds 0, 1, ...
        base: texts ``key=value`` of every run.
        small: texts over these where the experiment is scaled, such as networks that train on
            processors; epochs in them are scaled as well.
        arms: what is compared.
        metrics: names of the values that its table shows, in their order.
        reference: published values, by (data set, arm, metric).
        notes: what has to stand beside its table.
    """

    name: ClassVar[str]
    work: str = "uomh.experiments.training:Training"
    datasets: tuple[str, ...] = PAPER_DATASETS
    seeds: int = PAPER_SEEDS
    base: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    arms: tuple[Arm, ...] = ()
    metrics: tuple[str, ...] = ()
    reference: Mapping[tuple[str, str, str], float] = {}
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line about it."""
        return (type(self).__doc__ or "").strip().split("\n", 1)[0]


class _OfData(Settings):
    data: DataConfig = DataConfig()


def said_of_data(texts: Iterable[str]) -> Nested:
    """What texts ``key=value`` say of the data, nested, however they write it.

    >>> said_of_data(["data_limit=5", "data={dataset: mnist}", "train.lr=1"])
    {'dataset': 'mnist'}

    Raises:
        UomhError: an unknown key of the data.
    """
    of_data = [text for text in texts if text.strip().startswith("data")]
    found = parse_overrides(_OfData, of_data, {}).get("data")
    return found if isinstance(found, dict) else {}  # what is none is refused with the run


@dataclass(frozen=True)
class Request:
    """A run that is asked for.

    Attributes:
        dataset: name or path.
        data_root: folder where data sets are looked for first; None: as by default.
        seed: of the run.
        settings: texts ``key=value``, later ones over earlier ones.
        scale: share of the images and of the epochs, in (0, 1].
    """

    dataset: str
    data_root: str | None
    seed: int
    settings: tuple[str, ...]
    scale: float = 1.0


@dataclass(frozen=True)
class SettledRun:
    """A run that is settled.

    Attributes:
        settings: plain values, all that `Work.perform` needs; paths in them are absolute.
        identity: those of them by which it is the same run as another.
        measured: what is measured of it, as plain values.
        passes: training images that are seen in all.
        command: that makes it alone.
    """

    settings: Nested
    identity: Nested
    measured: Any
    passes: int
    command: str


class RunEstimate(NamedTuple):
    """What a run would take.

    Attributes:
        parameters: numbers that are trained.
        training: seconds of training and validation.
        measuring: seconds of what is measured.
    """

    parameters: int
    training: float
    measuring: float

    @property
    def seconds(self) -> float:
        """In all."""
        return self.training + self.measuring


class Work(ABC):
    """What one run of an experiment is; its class holds nothing."""

    @classmethod
    @abstractmethod
    def missing(cls, request: Request) -> str | None:
        """Why there are no data for a run, in a sentence; None: there are."""

    @classmethod
    @abstractmethod
    def prepare(cls, request: Request) -> SettledRun:
        """Settle a run, before any is begun.

        Raises:
            UomhError: an unknown key, a wrong type, what cannot be put together.
        """

    @classmethod
    def estimate(
        cls, settings: Nested, known: dict[str, tuple[float, float]]
    ) -> RunEstimate | None:
        """What a run would take on this machine, by a few of its steps; None: that is not known.

        Args:
            settings: of `prepare`.
            known: what estimates of other runs found out; it is added to.
        """
        del settings, known
        return None

    @classmethod
    @abstractmethod
    def perform(
        cls, settings: Mapping[str, Any], folder: Path, progress: Progress
    ) -> dict[str, Value]:
        """Do a run, or go on with it; in whatever process.

        Args:
            settings: of `prepare`.
            folder: of the run.
            progress: is told of training points (`Progress.advance`).

        Returns:
            What was measured, by name.

        Raises:
            UomhError: it failed.
        """
