"""A run of an experiment that trains a generative model and measures it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from uomh.config import RunConfig
from uomh.cost import Costs
from uomh.data import DataConfig, load_data
from uomh.errors import UomhError
from uomh.experiments.core import Request, RunEstimate, SettledRun, Work, said_of_data
from uomh.metrics.values import Value
from uomh.parallel.progress import Progress
from uomh.settings import Nested, merged
from uomh.training.complete import complete
from uomh.training.resolve import resolve

ELSEWHERE = ("device", "evaluate")
"""settings that leave a run the one that it is; so does the folder of its data"""


class Training(Work):
    """Train and measure, as `uomh train` does."""

    @classmethod
    def missing(cls, request: Request) -> str | None:
        """See `Work`."""
        try:
            load_data(_source(request))
        except UomhError as error:
            return str(error)
        return None

    @classmethod
    def prepare(cls, request: Request) -> SettledRun:
        """See `Work`."""
        values: Nested = {"seed": request.seed, "threads": 1, "data": _values(request)}
        config, data = resolve(values=values, overrides=request.settings)
        if request.scale < 1:
            limits = {
                "limit": _shrunk(len(data.train) + len(data.valid), request.scale),
                "test_limit": _shrunk(len(data.test), request.scale),
            }
            nested = config.model_dump(mode="json")
            nested["data"] |= limits
            _shrink_epochs(nested, request.scale)
            config, data = RunConfig.of(nested), load_data(DataConfig.of(nested["data"]))
        settings = config.model_dump(mode="json")
        identity = {key: value for key, value in settings.items() if key not in ELSEWHERE}
        identity["data"] = {k: v for k, v in settings["data"].items() if k != "data_root"}
        identity["fingerprint"] = data.fingerprint
        return SettledRun(
            settings=settings,
            identity=identity,
            measured=settings["evaluate"],
            passes=len(data.train) * sum(_epochs(settings["model"])),
            command=_command(request, config),
        )

    @classmethod
    def estimate(cls, settings: Nested, known: dict[str, tuple[float, float]]) -> RunEstimate:
        """See `Work`."""
        from uomh.experiments.estimate import estimate

        return estimate(settings, known)

    @classmethod
    def perform(
        cls, settings: Mapping[str, Any], folder: Path, progress: Progress
    ) -> dict[str, Value]:
        """See `Work`; beside what was measured stand the parameters and what training cost."""
        done = complete(RunConfig.of(settings), folder, None, progress)
        size = sum(parameter.numel() for parameter in done.model.parameters())
        cost = Costs.read(folder).total
        values = {name: value for name, value in done.values.items() if value.group is None}
        values["parameters"] = Value(size, name="parameters")
        values["training_seconds"] = replace(
            Value(cost.seconds, name="training_seconds"), about="one thread of this machine"
        )
        if cost.flops is not None:
            values["training_tflop"] = Value(cost.flops / 1e12, name="training_tflop")
        return values


def _values(request: Request) -> Nested:
    """The settings of the data that a request names, nested."""
    root = {} if request.data_root is None else {"data_root": request.data_root}
    return {"dataset": request.dataset, **root}


def _source(request: Request) -> DataConfig:
    """The data of a request, whatever else is right of it."""
    return DataConfig.of(merged(_values(request), said_of_data(request.settings)), "data")


def _shrunk(number: int, scale: float) -> int | None:
    return max(1, round(scale * number)) if number else None


def _shrink_epochs(nested: Nested, scale: float) -> None:
    """Fewer epochs for every leaf, in place."""
    for key, value in nested.items():
        if key == "max_epochs":
            nested[key] = max(1, round(scale * value))
        elif isinstance(value, dict):
            _shrink_epochs(value, scale)


def _epochs(model: Nested) -> Iterator[int]:
    """The epochs of the leaves of a model; parts of a disconnected one share the points."""
    if (train := model.get("train")) and "max_epochs" in train:
        yield train["max_epochs"]
    for key, value in model.items():
        if key != "train" and isinstance(value, dict):
            yield from _epochs(value)


def _command(request: Request, config: RunConfig) -> str:
    """The command that makes the run alone."""
    limits = [
        f"data.{name}={getattr(config.data, name)}"
        for name in ("limit", "test_limit")
        if request.scale < 1 and getattr(config.data, name) is not None
    ]
    root = [] if request.data_root is None else ["--data-root", request.data_root]
    words = ["uomh", "train", "--dataset", request.dataset, *root, "--seed", str(request.seed)]
    epochs = [] if request.scale == 1 else list(_epoch_settings(config.model.model_dump(), "model"))
    words += ["--threads", "1", *request.settings, *limits, *epochs]
    return shlex.join(words)


def _epoch_settings(model: Nested, where: str) -> Iterator[str]:
    """Texts that set the epochs of every leaf."""
    if (train := model.get("train")) and "max_epochs" in train:
        yield f"{where}.train.max_epochs={train['max_epochs']}"
    for key, value in model.items():
        if key != "train" and isinstance(value, dict):
            yield from _epoch_settings(value, f"{where}.{key}")
