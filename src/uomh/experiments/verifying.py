"""A run of an experiment that estimates the dimension of a data set, as `uomh verify` does."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from uomh.data import DataConfig, load_data
from uomh.data.core import Data
from uomh.dimension.evidence import verify
from uomh.dimension.result import DimensionReport
from uomh.errors import UomhError
from uomh.experiments.core import Request, SettledRun, Work
from uomh.files import only_writer
from uomh.metrics.values import Value
from uomh.parallel.progress import Progress
from uomh.settings import Nested, Settings, merged, parse_overrides

QUARTILES = {"least": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "greatest": 1.0}
"""names of the quantiles over classes"""


class VerifyConfig(Settings):
    """Settings of one estimate."""

    data: DataConfig = DataConfig(valid_fraction=0.0, test_fraction=0.0)
    """which data"""
    k: tuple[int, ...] = (3, 10, 20)
    """numbers of neighbours"""
    estimator: str = "mle"
    """which estimator"""
    nulls: int = Field(199, ge=19)
    """shuffles of the labels"""
    seed: int = 0
    """of shuffles and cuts"""


class Verifying(Work):
    """Estimate and test, by class, at every k."""

    @classmethod
    def missing(cls, request: Request) -> str | None:
        """See `Work`."""
        try:
            _data(cls._config(request))
        except UomhError as error:
            return str(error)
        return None

    @classmethod
    def _config(cls, request: Request) -> VerifyConfig:
        root = {} if request.data_root is None else {"data_root": request.data_root}
        source = {"dataset": request.dataset, **root, "valid_fraction": 0.0, "test_fraction": 0.0}
        typed = parse_overrides(VerifyConfig, request.settings, {})
        return VerifyConfig.of(merged({"data": source, "seed": request.seed}, typed))

    @classmethod
    def prepare(cls, request: Request) -> SettledRun:
        """See `Work`; a scale leaves that share of the points."""
        config = cls._config(request)
        data = _data(config)
        source = config.data.absolute()
        if request.scale < 1:
            limit = max(1, round(request.scale * len(data.train)))
            source = source.model_copy(update={"limit": limit})
            data = load_data(source)
        settings = config.model_copy(update={"data": source}).model_dump(mode="json")
        identity: Nested = {key: value for key, value in settings.items() if key != "data"}
        root = [] if request.data_root is None else ["--data-root", request.data_root]
        limit_text = [] if source.limit is None else [f"data.limit={source.limit}"]
        words = ["uomh", "verify", "--dataset", request.dataset, *root, *limit_text]
        words += ["--k", ",".join(map(str, config.k)), "--nulls", str(config.nulls)]
        words += ["--estimator", config.estimator, "--seed", str(config.seed)]
        return SettledRun(
            settings=settings,
            identity={**identity, "fingerprint": data.fingerprint},
            measured=None,
            passes=0,
            command=shlex.join(words),
        )

    @classmethod
    def perform(
        cls, settings: Mapping[str, Any], folder: Path, progress: Progress
    ) -> dict[str, Value]:
        """See `Work`; the folder holds ``dimension.json`` and ``dimension.csv``."""
        config = VerifyConfig.of(settings)
        data = _data(config)
        order = torch.arange(len(data.train)) if data.train.rows is None else data.train.rows
        split = data.train[order.argsort()]  # in the order of the source, as `uomh verify` has it
        report = verify(
            split.x,
            split.y,
            k=config.k,
            estimator=config.estimator,
            nulls=config.nulls,
            seed=config.seed,
            classes=data.classes or None,
            name=data.name,
            unlabelled=data.unlabelled,
            progress=progress,
        )
        with only_writer(folder):
            report.save(folder)
        return {value.name: value for value in values_of(report)}


def _data(config: VerifyConfig) -> Data:
    return load_data(config.data)


def values_of(report: DimensionReport) -> Iterator[Value]:
    """Quantiles over the classes at each k, and the dimension of the whole with its interval."""
    for k, whole in report.whole.k.items():
        if report.groups:
            by_class = [group.k[k].dimension for group in report.groups]
            for name, share in QUARTILES.items():
                value = float(np.quantile(by_class, share))
                yield Value(value, n=len(by_class), kind="estimate", name=f"{name}_k{k}")
        yield Value(
            whole.dimension,
            whole.low,
            whole.high,
            report.n,
            "estimate",
            name=f"whole_k{k}",
        )
