"""What a run of an experiment would take on this machine, from a few of its steps.

Training is timed on a few steps of every leaf, and validation on one pass: they are much the same
in every epoch. Of measuring, drawing and scoring are timed on few points. What the metrics do with
the samples costs alike for every model of a data set: it is timed on two numbers of samples, once,
and is a line in between and beyond.

Whatever is timed is done before, and more than once: a first call loads and allocates, and other
work on the machine makes single ones slow. Of training steps the median of their kind is taken, of
what is timed twice or thrice the shortest: other work only ever adds to a time.
"""

from __future__ import annotations

import copy
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from uomh.config import RunConfig
from uomh.data import load_data
from uomh.data.core import Data
from uomh.experiments.core import RunEstimate
from uomh.metrics import Evaluation
from uomh.metrics.core import built, evaluate, evaluate_with_groups
from uomh.models.core import Generative, Learner
from uomh.parallel.core import computing_with
from uomh.seeds import seeded
from uomh.settings import ComponentSettings, Nested
from uomh.training.fit import Leaf, batch_rows
from uomh.training.measure import in_force
from uomh.training.outline import data_of
from uomh.training.resolve import ROOT, build_decided, decided, grouped
from uomh.training.scope import Scope

STEPS = 12
"""training steps that are timed, after one that warms up"""
FEWEST = 3
"""of them however slow they are: of fewer a single slow one decides the median"""
SECONDS = 2.0
"""after which no more of anything is timed"""
REPEATS = 3
"""times that quick work is timed, and slow work twice"""
DRAWS = (256, 64)
"""samples that are drawn, and points that are scored"""
SAMPLES = (400, 1200)
"""numbers of samples that the metrics are timed on"""
DENSITIES = ("loss", "log_likelihood", "bits_per_dim", "l2_reconstruction_error")
"""metrics of points, not of samples"""
SCORED = ("log_likelihood", "bits_per_dim")


class Timed(NamedTuple):
    """Seconds of a leaf: of a step, of validation for each point, of saving after an epoch."""

    step: float
    validation: float
    saving: float


def estimate(settings: Nested, known: dict[str, tuple[float, float]]) -> RunEstimate:
    """Time a run by a few steps.

    Args:
        settings: of `uomh.experiments.training.Training.prepare`.
        known: what was found about metrics, by data set; it is added to.

    Raises:
        UomhError: as training would before its first step.
    """
    config = RunConfig.of(settings)
    source = load_data(config.data)
    with computing_with(config.threads), seeded(config.seed, ROOT, "estimate"):
        start = time.perf_counter()
        data = grouped(config, source)
        settled = decided(config, data)
        grouping = time.perf_counter() - start
        model = build_decided(settled, data.spec)
        training = grouping + _training(model, settled, data)
        model.eval()
        if isinstance(model, Generative):
            measuring = _measuring(model, settled, data, source, known)
        else:
            measuring = _scoring(model, settled, data)
    size = sum(parameter.numel() for parameter in model.parameters())
    return RunEstimate(size, training, measuring)


def _training(model: Learner, config: RunConfig, data: Data) -> float:
    """Seconds of all epochs of all leaves; leaves of the same networks are timed once."""
    seconds = 0.0
    timed: dict[str, Timed] = {}
    with tempfile.TemporaryDirectory() as folder:
        scope = Scope(
            config.train,
            config.seed,
            Path(folder),
            valid_batch_size=config.evaluate.batch_size,
        )
        for name, network in model.leaves():
            points = data_of(model, data, name, network)
            network.prepare(points)
            leaf = Leaf(scope.child(name), copy.deepcopy(network), points)
            n, size = len(points.train), leaf.config.batch_size
            shapes = [tuple(p.shape) for group in leaf.groups.values() for p in group]
            kind = f"{re.sub('part[0-9]+', 'part', name)} {shapes} {n >= size}"
            if kind not in timed:
                timed[kind] = Timed(_step(leaf), _validation(leaf), 2 * _shortest(leaf.save))
            cost = timed[kind]
            steps = n / min(n, size)  # the last batch of a pass is a short one
            per_epoch = steps * cost.step + len(points.valid) * cost.validation + cost.saving
            seconds += leaf.config.max_epochs * per_epoch
    return seconds


def _step(leaf: Leaf) -> float:
    """Seconds of a training step, in mean over its kinds: a game steps some groups rarely."""
    rows = batch_rows(len(leaf.data.train), leaf.config.batch_size)
    leaf.model.before_epoch(leaf.data, 1)
    leaf.model.train()

    def step(i: int) -> tuple[str, ...]:
        """The groups that are stepped."""
        x, y = leaf.batch(leaf.data.train, rows[i % len(rows)])
        stepped = []
        for group, loss in leaf.model.losses(x, y, i):
            leaf.update(group, loss, 0.0)
            stepped.append(group)
        return tuple(stepped)

    step(0)  # which warms up
    times: dict[tuple[str, ...], list[float]] = {}
    begin, done = time.perf_counter(), 0
    while done < FEWEST or (done < STEPS and time.perf_counter() - begin < SECONDS):
        done += 1
        start = time.perf_counter()
        kind = step(done)
        times.setdefault(kind, []).append(time.perf_counter() - start)
    return sum(len(of_kind) * median(of_kind) for of_kind in times.values()) / done


def _validation(leaf: Leaf) -> float:
    """Seconds of validation for each point and epoch, once what it keeps is there."""
    if not len(leaf.data.valid):
        return 0.0
    leaf.model.eval()
    leaf.validation.values(1, True)
    seconds = _shortest(lambda: leaf.validation.values(1, True))
    return seconds / len(leaf.data.valid) / leaf.config.valid_every


def _scoring(model: Learner, config: RunConfig, data: Data) -> float:
    """Seconds of what is measured of a model that draws nothing: the same for each point."""
    few = data.test[: DRAWS[0]]
    if not len(few):
        return 0.0

    def measure() -> None:
        evaluation = Evaluation(model, data, few, config.seed, config.evaluate.batch_size)
        evaluate(config.evaluate.metrics, evaluation)

    seconds = _shortest(measure)
    return seconds / len(few) * len(data.test)


def _measuring(
    model: Generative,
    config: RunConfig,
    data: Data,
    source: Data,
    known: dict[str, tuple[float, float]],
) -> float:
    """Seconds of what the settings ask to be measured."""
    how = config.evaluate
    metrics = [in_force(built(metric), how).config for metric in how.metrics]
    of_samples = [metric for metric in metrics if metric.name not in DENSITIES]
    scored = sum(metric.name in SCORED for metric in metrics) and model.likelihood is not None
    n = how.samples or len(data.train)
    seconds = 0.0
    drawn, points = DRAWS
    with torch.no_grad():
        if model.can_sample and of_samples:
            seconds += n * _each(lambda m: model.sample(m), drawn)
        if scored and len(data.test):
            x = data.test.x[:points].float()
            # All metrics rest on one score of every point.
            seconds += len(data.test) * _each(lambda m: model.log_prob(x[:m]), len(x))
    if not of_samples or not model.can_sample:
        return seconds
    # Metrics of a model that knows groups are measured of these as well.
    asked = [metric.model_dump_json() for metric in of_samples]
    key = f"{source.fingerprint} {model.num_classes} {asked}"
    if key not in known:
        known[key] = _of_samples(model, config, data, source, of_samples)
    fixed, slope = known[key]
    return seconds + fixed + slope * n


def _of_samples(
    model: Generative,
    config: RunConfig,
    data: Data,
    source: Data,
    metrics: Sequence[ComponentSettings],
) -> tuple[float, float]:
    """Seconds of metrics of samples, drawing apart: fixed, and for each sample."""
    few, many = (min(n, len(data.train)) for n in SAMPLES)

    def once(n: int) -> float:
        """Seconds on n samples, by an evaluation that has them alone."""
        evaluation = Evaluation(
            model,
            data,
            data.test,
            config.seed,
            config.evaluate.batch_size,
            samples=n,
            extractor=config.evaluate.features,
            labelled=lambda: source,
        )
        evaluation.extractor()  # where it has to be trained first, that is once for all runs
        evaluation.samples(n)
        return _timed(partial(evaluate_with_groups, metrics, evaluation))

    once(few)  # which warms up
    times = [min(once(n), once(n)) for n in (few, many)]
    slope = (times[1] - times[0]) / (many - few) if many > few else times[1] / many
    return max(0.0, times[0] - slope * few), max(0.0, slope)


def _each(work: Callable[[int], object], most: int) -> float:
    """Seconds of a point of work on many; slow work is tried on few alone."""
    few = max(1, most // 8)
    seconds = _shortest(lambda: work(few))
    if seconds * most / few > SECONDS:
        return seconds / few
    return _shortest(lambda: work(most)) / most


def _shortest(work: Callable[[], object]) -> float:
    """Seconds of the shortest of a few calls."""
    seconds = [_timed(work), _timed(work)]
    while len(seconds) < REPEATS and sum(seconds) < SECONDS:
        seconds.append(_timed(work))
    return min(seconds)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
