"""Correlation over classes: scipy's value, an interval that covers, an exact test."""

import itertools

import numpy as np
import pytest
import scipy.stats
import torch

from uomh.errors import UomhError
from uomh.metrics.classification import calibration_error
from uomh.metrics.correlation import correlation

HOWS = {"spearman": scipy.stats.spearmanr, "pearson": scipy.stats.pearsonr}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("n", [3, 6, 100])
def test_values_are_those_of_scipy_ties_included(how, n):
    rng = np.random.default_rng(n)
    x = rng.integers(0, 5, n) + rng.random() * np.arange(n)
    y = rng.integers(0, 4, n) + np.arange(n) % 2
    assert correlation(x, y, how).value == pytest.approx(HOWS[how](x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("how", HOWS)
def test_of_a_few_classes_the_test_counts_every_pairing(how):
    x, y = [1.0, 2.0, 4.0, 3.0, 7.0], [2.0, 1.0, 3.0, 9.0, 4.0]
    found = [HOWS[how](x, order).statistic for order in itertools.permutations(y)]
    far = np.abs(found) >= abs(HOWS[how](x, y).statistic) - 1e-9
    assert correlation(x, y, how).p_value == far.mean()


def test_of_many_classes_the_test_is_near_the_exact_one_and_never_zero():
    x = np.arange(30.0)
    rng = np.random.default_rng(0)
    y = x + rng.normal(0, 18, 30)
    found = correlation(x, y, "pearson")
    # Of 9,999 shuffles: the standard error of a p-value of 0.03 is 0.002.
    assert found.p_value == pytest.approx(scipy.stats.pearsonr(x, y).pvalue, abs=0.008)
    assert correlation(x, x).p_value == 1 / 10_000
    assert correlation(x, y, seed=1) == correlation(x, y, seed=1)


@pytest.mark.parametrize(("how", "rho"), [("pearson", 0.6), ("pearson", -0.3), ("spearman", 0.5)])
def test_intervals_cover_the_true_correlation(how, rho):
    # Of a bivariate normal, Spearman's is 6/pi asin(rho/2).
    truth = rho if how == "pearson" else 6 / np.pi * np.arcsin(rho / 2)
    rng = np.random.default_rng(1)
    covered, times = 0, 600
    for _ in range(times):
        x, noise = rng.normal(size=(2, 20))
        y = rho * x + np.sqrt(1 - rho**2) * noise
        found = correlation(x, y, how, permutations=1)
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / times <= 0.98  # 0.95 give or take three standard errors


def test_a_perfect_rank_correlation_of_few_classes_is_not_taken_for_certain():
    found = correlation([1, 2, 3, 4, 5], [5, 6, 7, 8, 9])
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.2
    assert correlation([1, 2, 3], [1, 2, 3]).low is None


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        ([1, 2], [1, 2], "x must be one score a point, at least 3"),
        ([1, 2, 3], [1, 2, 3, 4], "x has 3 numbers and y 4; they come in pairs"),
        ([1, 1, 1], [1, 2, 3], "all numbers of x are equal, so they correlate with nothing"),
        ([1, 2, float("nan")], [1, 2, 3], "NaN"),
    ],
)
def test_what_has_no_correlation_is_one_sentence(x, y, sentence):
    with pytest.raises(UomhError, match=sentence):
        correlation(x, y)


def test_calibration_error_by_hand():
    confidence = torch.tensor([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    found = torch.tensor([True, True, True, False, True, True])
    # Ten bins: |0.95 - 0.75| over four points and |0.55 - 1| over two.
    value = calibration_error(confidence, found, bins=10)
    assert value.value == pytest.approx((4 * 0.2 + 2 * 0.45) / 6)
    assert 0 <= value.low < value.value < value.high <= 1


def test_the_interval_of_the_calibration_error_covers_it():
    # Accuracy is 0.1 below every confidence.
    generator = torch.Generator().manual_seed(0)
    covered, times = 0, 400
    for _ in range(times):
        confidence = 0.5 + 0.5 * torch.rand(400, generator=generator)
        found = torch.rand(400, generator=generator) < confidence - 0.1
        value = calibration_error(confidence, found, bins=5)
        covered += value.low <= 0.1 <= value.high
    assert 0.9 <= covered / times <= 0.99
