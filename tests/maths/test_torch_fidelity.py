"""The same numbers as torch-fidelity on the same features; skipped where it is not installed.

It needs torchvision, which is tied to one build of torch, so it runs in an environment of its own:

    python -m venv fid && fid/bin/pip install -e . torch-fidelity torchvision pytest pytest-timeout
    fid/bin/python -m pytest tests/maths/test_torch_fidelity.py
"""

import numpy as np
import pytest
import torch

pytest.importorskip("torch_fidelity")

from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from uomh.metrics import Moments, frechet_distance, kid, prdc


def features(kind):
    """Real features (n, D) and generated ones (m, D), float64."""
    rng = np.random.default_rng(0)
    if kind == "100 points in 2,048 dimensions":
        return rng.normal(size=(100, 2048)), 1.2 * rng.normal(size=(100, 2048)) + 0.1
    rank, D, n = {"full rank": (64, 64, 1500), "rank deficient": (10, 200, 1200)}[kind]
    mix = rng.normal(size=(rank, D)) / np.sqrt(rank) if rank < D else np.eye(D)
    return rng.normal(size=(n, rank)) @ mix, 0.8 * rng.normal(size=(n - 100, rank)) @ mix + 0.1


KINDS = ["full rank", "rank deficient", "100 points in 2,048 dimensions"]


@pytest.mark.parametrize("kind", KINDS)
def test_fid(kind):
    real, generated = features(kind)
    theirs = fid_statistics_to_metric(
        *(fid_features_to_statistics(torch.from_numpy(x)) for x in (generated, real)),
        verbose=False,
    )["frechet_inception_distance"]
    traces = Moments.of(real).trace + Moments.of(generated).trace
    assert abs(frechet_distance(real, generated) - theirs) <= 1e-6 * traces


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("subsets", [1, 5])
def test_kid(kind, subsets):
    real, generated = (torch.from_numpy(x) for x in features(kind))
    theirs = kid_features_to_metric(
        generated, real, kid_subsets=subsets, kid_subset_size=90, verbose=False
    )["kernel_inception_distance_mean"]
    assert kid(real, generated, subsets=subsets, subset_size=90) == pytest.approx(theirs, rel=1e-6)


def test_kid_of_all_points():
    real, generated = (torch.from_numpy(x[:1000]) for x in features("full rank"))
    theirs = kid_features_to_metric(
        generated, real, kid_subsets=1, kid_subset_size=1000, verbose=False
    )["kernel_inception_distance_mean"]
    assert kid(real, generated) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [3, 5])
def test_precision_and_recall(kind, k):
    real, generated = (torch.from_numpy(x) for x in features(kind))
    # Their first input is the generated one.
    theirs = prc_features_to_metric(
        generated, real, prc_neighborhood=k, prc_batch_size=10000, save_cpu_ram=False, verbose=False
    )
    ours = prdc(real, generated, k)
    assert ours.precision == pytest.approx(theirs["precision"], rel=1e-6)
    assert ours.recall == pytest.approx(theirs["recall"], rel=1e-6)
    assert ours.precision != ours.recall or ours.precision in (0, 1)
