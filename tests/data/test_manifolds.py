"""Points on manifolds of known dimension: what each name stands for, and that it never changes."""

import numpy as np
import pytest

from uomh import UomhError, load_data
from uomh.data.manifolds import MANIFOLDS, sample_manifold

NAMES = sorted(MANIFOLDS)


@pytest.mark.parametrize("name", NAMES)
def test_points_have_the_declared_shape_and_groups(name):
    manifold = MANIFOLDS[name]
    x, groups = sample_manifold(name, 300, seed=1)
    assert x.shape == (300, manifold.ambient)
    assert np.isfinite(x).all()
    assert len(np.unique(x, axis=0)) == 300
    sizes = np.bincount(groups)
    assert len(sizes) == len(manifold.dimensions)
    assert sizes.max() - sizes.min() <= 1
    again, other = sample_manifold(name, 300, seed=1)[0], sample_manifold(name, 300, seed=2)[0]
    assert np.array_equal(x, again)
    assert not np.array_equal(x, other)


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("sphere-2", lambda x: np.linalg.norm(x, axis=1) - 1),
        ("sphere-10", lambda x: np.linalg.norm(x, axis=1) - 1),
        ("ball-5", lambda x: np.maximum(np.linalg.norm(x, axis=1) - 1, 0)),
        ("cube-10", lambda x: np.minimum(x, 1 - x).min(axis=1)),
        ("torus", lambda x: (np.hypot(x[:, 0], x[:, 1]) - 2) ** 2 + x[:, 2] ** 2 - 1),
        ("flat-torus-2", lambda x: x[:, :2] ** 2 + x[:, 2:] ** 2 - 1),
        ("helicoid", lambda x: x[:, 0] * np.sin(2 * x[:, 2]) - x[:, 1] * np.cos(2 * x[:, 2])),
        (
            "swiss-roll",
            lambda x: (
                np.hypot(x[:, 0], x[:, 2]).clip(1.5 * np.pi, 4.5 * np.pi)
                - np.hypot(x[:, 0], x[:, 2])
            ),
        ),
        ("spiral", lambda x: np.hypot(x[:, 0], x[:, 1]) - 100),
        ("affine-3-5", lambda x: np.linalg.svd(x, compute_uv=False)[3:]),
        ("affine-10-1000", lambda x: np.linalg.svd(x, compute_uv=False)[10:]),
        ("tangents-18-72", lambda x: x[:, :36] - x[:, 36:]),
    ],
)
def test_points_obey_the_equation_of_their_manifold(name, holds):
    x, _ = sample_manifold(name, 400)
    assert np.abs(holds(x)).max() < 1e-9


def test_the_groups_of_a_union_have_their_dimensions_and_lie_apart():
    for name in ("union-2-5", "union-2-5-10", "union-8-12"):
        x, groups = sample_manifold(name, 600)
        for group, dimension in enumerate(MANIFOLDS[name].dimensions):
            members = x[groups == group]
            values = np.linalg.svd(members - members.mean(0), compute_uv=False)
            assert (values > 1e-9).sum() == dimension
        first, second = x[groups == 0], x[groups == 1]
        assert np.linalg.norm(first[:, None] - second[None], axis=2).min() > 1


def test_the_dimension_of_a_union_is_the_harmonic_mean():
    assert MANIFOLDS["union-2-5"].dimension == pytest.approx(2 / (1 / 2 + 1 / 5))
    assert MANIFOLDS["sphere-10"].dimension == 10


def test_data_sets_of_manifolds_are_labelled_where_there_are_groups():
    data = load_data("manifold:union-2-5", limit=90)
    assert (len(data.train) + len(data.valid), data.spec.shape) == (90, (100,))
    assert data.classes == ("0: 2-dimensional", "1: 5-dimensional")
    plain = load_data("manifold:torus", limit=90, valid_fraction=0.0, test_fraction=0.0)
    assert (plain.classes, plain.train.y, len(plain.train), len(plain.test)) == ((), None, 90, 0)
    assert data.fingerprint != plain.fingerprint


def test_unknown_names_and_too_few_points_are_refused():
    with pytest.raises(UomhError, match="unknown manifold 'torsu'; did you mean 'torus'"):
        sample_manifold("torsu", 10)
    with pytest.raises(UomhError, match="has 3 groups; n = 2 points are too few"):
        sample_manifold("union-2-5-10", 2)
