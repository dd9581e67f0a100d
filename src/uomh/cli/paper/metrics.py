"""The metrics that the paper's options name, and of what they are measured.

The paper's code has three evaluators: of the whole model, of each step of a two-step model, and of
each part of a disconnected one. Each measures what its own ``test_metrics`` say. Of the whole they
are the run's ``evaluate.metrics``; the others are measured here, and stand in ``metrics.json`` as
``gae/METRIC`` and ``de/METRIC``, and as ``METRIC[GROUP]``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uomh.cli.console import say
from uomh.cli.paper.reading import Given, Meaning, Said, Values
from uomh.devices import checked_device
from uomh.errors import UomhError, unknown
from uomh.files import write_json

if TYPE_CHECKING:
    from uomh.config import RunConfig
    from uomh.data.core import Data
    from uomh.metrics import Value
    from uomh.models.core import Generative

PAIRS = {
    "mnist": "fashion-mnist",
    "fashion-mnist": "mnist",
    "svhn": "cifar10",
    "cifar10": "svhn",
}
"""data sets, and those that the paper tells apart from them"""

KWARGS = {
    "nearest_k": "give it by `uomh evaluate RUN --metrics "
    "[{name:precision_recall_density_coverage,k:5}]`",
    "gen_batch_size": "samples are drawn by test_batch_size",
    "old_fid": "features of Inception are of values between 0 and 1",
}
"""settings of metrics that have no effect on a run, and why"""

NULL = "null_metric"
"""the paper's metric that is always 0"""


@dataclass(frozen=True)
class Evaluators:
    """Names of metrics by what they are of; None: not asked for.

    Attributes:
        whole: of the whole model.
        parts: of each part of a disconnected model.
        steps: of the first step ("gae") and the second ("de") of a two-step model.
    """

    whole: tuple[str, ...] | None = None
    parts: tuple[str, ...] | None = None
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Those of parts and steps, which `measure_others` measures."""
        return (*(self.parts or ()), *(name for names in self.steps.values() for name in names))


def measure_other_data(run_dir: Path, dataset: str, two_step: bool, root: str | None) -> None:
    """What ``--test-ood`` asks: tell the paper's other data set apart; or say that there is none.

    Args:
        run_dir: of a trained run.
        dataset: that it was trained on.
        two_step: whether the model has codes, by whose likelihood that is asked as well.
        root: where this machine has the data, if not where the settings say.
    """
    if dataset not in PAIRS:
        say(
            f"--test-ood: the paper tells no other data apart from {dataset}; "
            f"use `uomh evaluate {run_dir} --metrics likelihood_ood_acc --ood DATASET`"
        )
        return
    from uomh.cli.runs import evaluate, metrics_of_other_data

    names = [name for name in metrics_of_other_data() if two_step or "low_dim" not in name]
    evaluate([run_dir], ",".join(names), ood=PAIRS[dataset], data_root=root)


def early_stopping(name: Any) -> Said:
    """The metric that chooses the best weights; None: there is no early stopping."""
    if name is None:
        return {"train": {"early_stopping_metric": None, "patience": None}}
    if name == NULL:
        values: Values = {"valid_metrics": [], "early_stopping_metric": None, "patience": None}
        return {"train": values}, f"{NULL} is always 0, so training never stops early by it"
    return {"train": {"early_stopping_metric": name}}


def patience(epochs: Any, given: Given) -> Said:
    """Epochs without a better value, after which training stops; none and infinity are never."""
    from uomh.cli.paper.values import never

    if given.get("early_stopping_metric", "") in (None, NULL):
        return "early_stopping_metric says that training does not stop early"
    return {"train": {"patience": None if never(epochs) else epochs}}


def _valid_metrics(names: Any) -> Said:
    values: Values = {"train": {"valid_metrics": list(present_metrics(names))}}
    return (values, f"{NULL} is always 0") if NULL in names_of(names) else values


def _test_metrics(names: Any) -> Said:
    return {"evaluate": {"metrics": list(present_metrics(names))}}


EVALUATED: dict[str, Meaning] = {"valid_metrics": _valid_metrics, "test_metrics": _test_metrics}
"""Options that name metrics."""


def metric_settings(settings: Any) -> Said:
    """Settings of metrics: how many samples they draw; others are set by another command here."""
    if not isinstance(settings, dict | None):
        raise UomhError("metric_kwargs should be a dictionary such as {'gen_samples': 10000}")
    settings = settings or {}
    for name in settings:
        if name not in ("gen_samples", *KWARGS):
            raise unknown("setting of metrics", str(name), ["gen_samples", *KWARGS])
    notes = "; ".join(f"{name}: {why}" for name, why in KWARGS.items() if name in settings)
    if "gen_samples" not in settings:
        return notes or "it sets nothing"
    values: Values = {"evaluate": {"samples": settings["gen_samples"]}}
    return (values, notes) if notes else values


def present_metrics(names: Any) -> tuple[str, ...]:
    """Those of the named metrics that measure something."""
    return tuple(name for name in names_of(names) if name != NULL)


def names_of(names: Any) -> tuple[str, ...]:
    """Names as a value of an option has them: one, a list, or none."""
    return (names,) if isinstance(names, str) else tuple(str(name) for name in names or ())


def measure_others(run_dir: Path, evaluators: Evaluators, data_root: str | None = None) -> None:
    """Measure parts and steps of a run on the test split; add to its ``metrics.json``.

    Args:
        run_dir: of a trained run.
        evaluators: what to measure.
        data_root: where this machine has the data, if not where the settings say.
    """
    if not present_metrics(evaluators.elsewhere):
        return
    from uomh.data import load_data
    from uomh.models.core import Generative
    from uomh.training.load import load_run
    from uomh.training.resolve import grouped

    run = load_run(run_dir)
    where = run.config.data
    if data_root is not None:
        where = where.model_copy(update={"data_root": data_root})
    data = grouped(run.config, load_data(where), run_dir)
    model = run.model.to(checked_device(run.config.device))
    assert isinstance(model, Generative)  # these commands name no other
    pieces: list[tuple[str | None, Generative, Data]] = [(None, model, data)]
    if parts := model.parts():
        pieces = list(zip(parts, parts.values(), data.parts(), strict=True))
    values: dict[str, Value] = {}
    for group, part, piece in pieces:
        found: list[Value] = []
        if evaluators.parts:
            found += _measure(part, piece, run.config, evaluators.parts).values()
        for step, metrics in evaluators.steps.items():
            of, points = part.step({"gae": "autoencoder", "de": "density"}[step], piece)
            if of is not part:
                measured = _measure(of, points, run.config, metrics).values()
                found += [replace(value, name=f"{step}/{value.name}") for value in measured]
        of_part = [replace(value, group=group) for value in found]
        values |= {value.key: value for value in of_part}
    add(run_dir, {name: value.to_dict() for name, value in values.items()})
    for name, value in values.items():
        shown = f"n/a ({value.reason})" if value.value is None else f"{value.value:.6g}"
        say(f"{name}: {shown}")


def _measure(
    model: Generative, data: Data, config: RunConfig, names: Iterable[str]
) -> dict[str, Value]:
    from uomh.metrics import Evaluation, evaluate

    if not len(data.test):
        return {}
    evaluation = Evaluation(model, data, data.test, config.seed, config.evaluate.batch_size)
    return evaluate(present_metrics(names), evaluation)


def add(run_dir: Path, values: Mapping[str, Any]) -> None:
    """Add to the ``metrics.json`` of a run."""
    path = run_dir / "metrics.json"
    if values:
        there = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        write_json(path, {**there, **values})


def add_nulls(run_dir: Path, evaluators: Evaluators) -> None:
    """Add the metric that is always 0 to ``metrics.json``, where it is asked for."""
    nulls = [NULL] if NULL in (*(evaluators.whole or ()), *(evaluators.parts or ())) else []
    nulls += [f"{step}/{NULL}" for step, names in evaluators.steps.items() if NULL in names]
    add(run_dir, {key: {"value": 0.0, "kind": "exact", "n": 0} for key in nulls})
