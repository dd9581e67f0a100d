"""Measuring a trained run on its test split; what was measured stands in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from uomh.config import EvaluateConfig, RunConfig
from uomh.data.config import DataConfig
from uomh.data.core import Data
from uomh.data.load import load_data
from uomh.devices import checked_device
from uomh.memory import keeping_freed_memory
from uomh.metrics import Evaluation, Metric, Value, weights_of
from uomh.metrics.cache import Cache
from uomh.metrics.core import built, evaluate_with_groups
from uomh.metrics.pairing import has_influences, keep_influences
from uomh.metrics.values import Values
from uomh.models.core import Learner
from uomh.parallel.core import computing_with
from uomh.parallel.progress import Progress
from uomh.seeds import seeded
from uomh.settings import ComponentSettings
from uomh.training import budget
from uomh.training.folder import joined, measured, save_measured, setup_of
from uomh.training.lock import writing
from uomh.training.resolve import ROOT
from uomh.training.shown import keep_shown


def measure(
    model: Learner,
    data: Data,
    config: RunConfig,
    metrics: Iterable[str | ComponentSettings] | None = None,
    run_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Values:
    """Evaluate on the test split; with a folder, add to its ``metrics.json``.

    Each value has the hash of the weights that it is of, and those of other weights are dropped
    from the folder. Without a test split there are no values, and that is their reason.

    Metrics of the parts of a disconnected model, each on the test points of its group, stand
    beside those of the whole, and say their group.

    Args:
        model: trained.
        data: with the groups as labels.
        config: of the run.
        metrics: names or settings; by default those of the run's settings.
        run_dir: the run's folder.
        progress: is told of every batch.

    Raises:
        UomhError: no such metric, or another process writes to the folder.
    """
    asked = config.evaluate.metrics if metrics is None else metrics
    chosen = [in_force(built(metric), config.evaluate) for metric in asked]
    if run_dir is None:
        return Values(_measure(model, data, config, chosen, None, progress))
    with writing(Path(run_dir)):
        cache = Cache(Path(run_dir) / "cache")
        values = _measure(model, data, config, chosen, cache, progress)
        return Values(save_measured(Path(run_dir), values) if values else values)


def _measure(
    model: Learner,
    data: Data,
    config: RunConfig,
    chosen: Sequence[Metric],
    cache: Cache | None,
    progress: Progress | None,
) -> dict[str, Value]:
    weights, setup = weights_of(model), setup_of(config, data)  # before measuring, which may draw
    if not len(data.test):
        reason = f"{data.name} has no test split"
        names = [metric.name for metric in chosen]
        values = {name: Value(None, reason=reason, name=name, metric=name) for name in names}
        return _marked(values, weights, setup)
    model.to(checked_device(config.device))
    how = config.evaluate
    with (
        computing_with(config.threads),
        seeded(config.seed, ROOT, "measure"),
        keeping_freed_memory(),
        budget.for_measuring(model, data, config),
    ):
        evaluation = Evaluation(
            model,
            data,
            data.test,
            config.seed,
            how.batch_size,
            partial(progress.advance, "evaluate") if progress else None,
            samples=how.samples,
            extractor=how.features,
            other=partial(_other, config),
            labelled=partial(_by_source, config, data),
            cache=cache,
            state=f"{weights} {setup}",
        )
        values = evaluate_with_groups([metric.config for metric in chosen], evaluation)
    values = _marked(values, weights, setup)
    if cache is not None:
        keep_influences(cache, values.values())
        keep_shown(cache.folder.parent, evaluation.shown, weights, setup)
    return values


def in_force(metric: Metric, how: EvaluateConfig) -> Metric:
    """The metric with the settings that it leaves to the evaluation; its values say them."""
    shared = {name: getattr(how, name) for name in ("samples", "features", "ood")}
    left = {
        name: value
        for name, value in shared.items()
        if value is not None and getattr(metric.config, name, value) is None
    }
    return type(metric)(metric.config.model_copy(update=left))


def _other(config: RunConfig, name: str) -> Data:
    """Another data set, read as the run's own was, and whole."""
    like = config.data
    return load_data(
        DataConfig(
            dataset=name,
            data_root=like.data_root,
            resize=like.resize,
            skip_broken=like.skip_broken,
            limit=like.limit,
            test_limit=like.test_limit,
        )
    )


def _by_source(config: RunConfig, data: Data) -> Data:
    """The data with the labels of their source: features of random groups would compare nothing.

    Data that the settings do not name, made in memory, keep the labels that they have.
    """
    if data.grouping is None:
        return data
    source = load_data(config.data)
    return source if data.fingerprint.startswith(f"{source.fingerprint}+") else data


def _marked(values: Mapping[str, Value], weights: str, setup: str) -> dict[str, Value]:
    """The values with the hashes of what they are of."""
    return {name: replace(value, weights=weights, setup=setup) for name, value in values.items()}


def _may_change(metric: Metric) -> bool:
    """Whether numbers rest on files beside the run: other data, a function, another run."""
    features = getattr(metric.config, "features", None)
    elsewhere = features is not None and features.name not in ("classifier", "pixels")
    return elsewhere or getattr(metric.config, "ood", None) is not None


def complete_measures(
    model: Learner, data: Data, config: RunConfig, run_dir: Path, *, paired: bool = False
) -> dict[str, Value]:
    """What a run's settings ask to be measured; what stands in its folder is not repeated.

    Numbers that rest on other files than the run's, which may change, are measured anew.

    Args:
        model: trained, with the weights of the folder.
        data: with the groups as labels.
        config: of the run.
        run_dir: its folder.
        paired: whether they are to be compared with those of other runs, point by point; what each
            point contributed is measured anew where the cache has lost it.

    Raises:
        UomhError: another process writes to the folder.
    """
    with writing(run_dir):
        found = measured(run_dir, weights_of(model), setup_of(config, data))
        cache = Cache(run_dir / "cache")
        whole = [
            value
            for value in found.values()
            if value.group is None and (not paired or has_influences(cache, value))
        ]
        asked = [in_force(built(metric), config.evaluate) for metric in config.evaluate.metrics]
        missing = [
            metric.config
            for metric in asked
            if not any(
                value.metric == metric.name and value.settings == metric.changed for value in whole
            )
            or _may_change(metric)
        ]
        return joined(found, measure(model, data, config, missing, run_dir)) if missing else found
