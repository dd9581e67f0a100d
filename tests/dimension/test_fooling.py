"""The sets of benchmarks/fooling.py: a small draw always, all of them at full size when slow."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

import uomh

spec = importlib.util.spec_from_file_location(
    "fooling", Path(__file__).parents[2] / "benchmarks" / "fooling.py"
)
fooling = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fooling)


@pytest.fixture(scope="module")
def small():
    found = {}
    for name, expected, points, labels in fooling.cases(700, np.random.default_rng(0)):
        if any(word in name for word in ("cubes", "Gaussians", "8 and 12")):
            continue  # told apart with 3,000 points a group, not with 700
        report = uomh.verify(points, labels, k=(3, 10), nulls=19, name=name)
        found[name] = expected, report
    return found


def test_small_draws_fool_nobody(small):
    assert len(small) == 5
    for name, (expected, report) in small.items():
        assert fooling.held(expected, report), (name, report.claims.dimensions_differ)


def test_groups_of_one_set_are_told_as_such(small):
    _, report = small["Gaussian of dimension 5, cut at random"]
    assert report.claims.labels_matter.status != "supported"
    assert report.claims.groups_separated.status == "not supported"
    _, report = small["ten shapes of dimension 8"]
    assert report.claims.labels_matter.status == "supported"
    assert report.claims.dimensions_differ.status == "undecided"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_full_draws_fool_nobody(seed):
    recognised = {}
    for name, expected, points, labels in fooling.cases(3000, np.random.default_rng(seed)):
        report = uomh.verify(points, labels, k=fooling.KS, nulls=99, seed=seed, name=name)
        if "8 and 12" in name:
            recognised[name] = fooling.held(expected, report)
        else:
            assert fooling.held(expected, report), (name, report.claims.dimensions_differ)
    # These lie at the edge of what 3,000 points show: at k = 3 the bands of one of the nine draws
    # are 0.77 apart, so that the claim is undecided. Nobody is fooled by that.
    assert sum(recognised.values()) >= 2, recognised


@pytest.mark.slow
def test_p_values_of_shuffled_labels_are_uniform_at_full_size():
    images = np.random.default_rng(0).normal(size=(5000, 12)) ** 3  # uneven, like images
    for p in fooling.shuffled_p_values(images, groups=10, count=200, nulls=199).T:
        assert ks_2samp(p, np.arange(1, 201) / 200).pvalue > 0.01
