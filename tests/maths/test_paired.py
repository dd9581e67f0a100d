"""Differences of two models on the same points: exact for means, covering for the rest."""

import numpy as np
import pytest
import torch

from uomh.errors import UomhError
from uomh.metrics import (
    Value,
    auroc,
    frechet_estimate,
    kid_estimate,
    paired_difference,
    prdc_estimates,
    share_beyond,
)
from uomh.metrics.values import NORMAL_95


def test_of_means_it_is_the_interval_of_the_mean_of_the_differences():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=200)
    a, b = hard + 0.1 * rng.normal(size=200) + 0.05, hard + 0.1 * rng.normal(size=200)
    found = paired_difference(Value.mean(torch.tensor(a)), Value.mean(torch.tensor(b)))
    half = NORMAL_95 * (a - b).std(ddof=1) / np.sqrt(200)
    expected = ((a - b).mean(), (a - b).mean() - half, (a - b).mean() + half)
    assert found[:3] == pytest.approx(expected, rel=1e-9)
    assert found.paired
    assert found.low > 0  # though the intervals of both overlap nearly wholly
    alone = paired_difference(
        Value.mean(torch.tensor(a)), Value.mean(torch.tensor(b)), paired=False
    )
    assert not alone.paired
    assert alone.low < 0 < alone.high


def test_of_a_number_and_itself_it_is_zero():
    real, drawn = np.random.default_rng(1).normal(size=(2, 300, 3))
    found = frechet_estimate(real, drawn + 1)
    assert found.high - found.value != found.value - found.low
    assert paired_difference(found, found)[:3] == pytest.approx((0, 0, 0), abs=1e-9)


@pytest.mark.parametrize(
    "other", [Value.mean(torch.zeros(50)), Value(1.0, 0.5, 1.5, 200, influences={"other": [1, 2]})]
)
def test_other_sets_of_points_are_not_paired(other):
    value = Value.mean(torch.arange(200.0))
    found = paired_difference(value, other)
    assert not found.paired
    assert found.low is not None


def test_without_an_interval_there_is_a_difference_alone():
    assert paired_difference(Value(2.0), Value(0.5)) == (1.5, None, None, False)
    with pytest.raises(UomhError, match="needs two numbers"):
        paired_difference(Value(2.0), Value(None, reason="none"))


def samples(rng, n, D, shift, scale):
    return rng.normal(size=(n, D)) * scale + shift / np.sqrt(D)


def two_models(measure, n=200, D=4):
    """Two models against the same real points."""

    def once(rng):
        real = rng.normal(size=(n, D))
        first, second = samples(rng, n, D, 0.6, 1.1), samples(rng, n, D, 0.5, 0.9)
        return measure(real, first), measure(real, second)

    return once


def two_scores(measure, n=200, m=100):
    """Two scores of the same points, which agree in part."""

    def once(rng):
        known, foreign = rng.normal(size=n) + 1.2, rng.normal(size=m)
        noise = 0.5 * rng.normal(size=n), 0.5 * rng.normal(size=m)
        return measure(known, foreign), measure(known + noise[0], foreign + noise[1])

    return once


def two_shares(rng):
    """Two models' shares beyond a quantile of the same held-out points."""
    held_out = rng.normal(size=400)
    first, second = rng.normal(size=400) + 0.8, rng.normal(size=400) + 0.4
    return share_beyond(first, held_out, 0.95), share_beyond(second, held_out, 0.95)


def part(name):
    return lambda real, drawn: getattr(prdc_estimates(real, drawn, 3), name)


SIMULATIONS = {
    "fid": two_models(frechet_estimate),
    "kid": two_models(kid_estimate),
    "precision": two_models(part("precision")),
    "coverage": two_models(part("coverage")),
    "density": two_models(part("density")),
    "auroc": two_scores(auroc),
    "share": two_shares,
}


def coverage(name, repeats):
    """How often the interval holds the mean difference, and its width over that without pairs."""
    found, alone = [], []
    for repeat in range(repeats):
        pair = SIMULATIONS[name](np.random.default_rng([11, repeat]))
        found.append(paired_difference(*pair))
        alone.append(paired_difference(*pair, paired=False))
    assert all(difference.paired for difference in found)
    mean = np.mean([difference.value for difference in found])
    widths = [sum(d.high - d.low for d in of) for of in (found, alone)]
    inside = np.mean([difference.low <= mean <= difference.high for difference in found])
    return inside, widths[0] / widths[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", SIMULATIONS)
def test_paired_intervals_cover_in_200_repeats(name):
    inside, narrower = coverage(name, 200)
    assert 0.90 <= inside <= 0.99
    assert narrower < 1.02


@pytest.mark.parametrize("name", ["fid", "auroc", "share"])
def test_paired_intervals_cover_in_a_few_repeats(name):
    inside, narrower = coverage(name, 24)
    assert inside >= 0.8
    assert narrower < 1
