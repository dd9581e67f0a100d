"""Grids are found, and what rounding does to distances is said where it is much."""

import numpy as np
import pytest

import uomh
from uomh.dimension.rounding import grid_step, rounding_radius, rounding_sentence

RNG = np.random.default_rng(0)
FLOATS = RNG.random((400, 6))


@pytest.mark.parametrize(
    ("points", "step"),
    [
        (RNG.integers(0, 256, (400, 40)).astype(np.uint8), 1),
        ((RNG.integers(0, 256, (400, 40)) / 255).astype(np.float32), 1 / 255),
        (3.7 + np.round(FLOATS * 20) / 8, 1 / 8),
        (FLOATS, 0),
        (np.pad(FLOATS, ((0, 0), (0, 30))), 0),
        (np.ones((5, 3)), 0),
        (np.round(FLOATS * 20) - FLOATS[0], 1),
    ],
)
def test_the_step_of_a_grid_is_found(points, step):
    assert grid_step(points) == pytest.approx(step, rel=1e-5)


def test_rounding_adds_what_two_independent_errors_have():
    """The mean square of the distance of two points grows by D s^2 / 6, within sampling."""
    exact = 50 * RNG.random((2000, 30))
    rounded = np.round(exact)
    apart = [((x[:1000] - x[1000:]) ** 2).sum(axis=1).mean() for x in (exact, rounded)]
    error = ((rounded - exact)[:1000] - (rounded - exact)[1000:]) ** 2
    assert rounding_radius(rounded) ** 2 == pytest.approx(error.sum(axis=1).mean(), rel=0.02)
    assert apart[1] - apart[0] == pytest.approx(5, abs=8)


def test_columns_that_never_vary_add_nothing():
    points = np.pad(np.round(FLOATS * 20), ((0, 0), (0, 50)))
    assert rounding_radius(points) == pytest.approx(1.0)


def test_much_rounding_is_said_and_little_is_not():
    fine = rounding_sentence(np.round(FLOATS * 255), np.full(400, 60.0), 3)
    coarse = rounding_sentence(np.round(FLOATS * 15), np.full(400, 2.0), 3)
    assert fine == ""
    assert coarse.startswith("The points lie on a grid of step 1: rounding makes up 25% of")
    x = np.unique(np.round(FLOATS[:, :4] * 6), axis=0)
    report = uomh.verify(x, np.arange(len(x)) % 2, k=(3,), nulls=19)
    assert any(note.startswith("The points lie on a grid") for note in report.notes)
