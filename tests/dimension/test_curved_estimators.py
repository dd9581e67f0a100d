"""Estimators that know of curvature: closed forms, known dimension, the formulas by hand."""

import numpy as np
import pytest
from scipy.stats import f

from uomh import nearest_neighbours
from uomh.data.manifolds import sample_manifold
from uomh.dimension import tls
from uomh.dimension.anchors import at_anchors
from uomh.dimension.bracket import Bracket
from uomh.dimension.calibration import calibrated_band
from uomh.dimension.capca import CAPCA, best_dimension
from uomh.dimension.ess import ESS
from uomh.dimension.local import number_of_terms, principal_coordinates, up_to_squares
from uomh.dimension.lpca import LocalPCA
from uomh.dimension.mle import harmonic_dimension
from uomh.dimension.qe import QuadraticEmbedding, most_coordinates
from uomh.dimension.tls import UNITS, TotalLeastSquares


def patches(d, bend, n=40, k=200, seed=0):
    """Neighbourhoods (n, k, d + 3): flat balls, bent by random forms into three more directions."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, k, d))
    x *= rng.random((n, k, 1)) ** (1 / d) / np.linalg.norm(x, axis=2, keepdims=True)
    forms = rng.standard_normal((n, 3, d, d))
    return np.concatenate([x, bend * np.einsum("nki,ncij,nkj->nkc", x, forms, x)], axis=2)


@pytest.mark.parametrize("d", [1, 2, 5, 20])
def test_capca_knows_the_spectrum_of_a_flat_ball(d):
    values = np.zeros((1, 30))
    values[0, :d] = 1 / (d + 2)
    assert best_dimension(values) == d


def test_capca_is_the_papers_formula():
    points, _ = sample_manifold("sphere-2", 200)
    found = nearest_neighbours(points, 31)
    dimensions = []
    for i in range(200):
        radius = found.distances[i, 29:31].mean()
        values = np.linalg.eigvalsh(np.cov(points[found.indices[i, :30]].T))[::-1] / radius**2
        scores = []
        for d in (1, 2, 3):
            rest = values[d:].sum()
            adjusted = values[:d] + (3 * d + 4) / (d * (d + 4)) * rest
            scores.append(np.linalg.norm(adjusted - 1 / (d + 2)) + 2 * rest)
        dimensions.append(1 + np.argmin(scores))
    fitted = CAPCA(30, splits=0).fit(points, neighbours=found)
    np.testing.assert_array_equal(fitted.dimension_pw_, dimensions)


def test_capca_finds_a_sphere_where_local_pca_counts_the_bend():
    points, _ = sample_manifold("sphere-10", 1500)
    assert CAPCA(100, splits=0).fit(points).dimension_ == pytest.approx(10, abs=0.1)
    assert LocalPCA(100, splits=0).fit(points).dimension_ > 10.5


@pytest.mark.parametrize("d", [1, 3, 4])
def test_terms_of_the_first_coordinates_come_first(d):
    x = np.random.default_rng(0).standard_normal((2, 9, 4))
    some, all_terms = up_to_squares(x[:, :, :d]), up_to_squares(x)
    assert some.shape[2] == number_of_terms(d)
    np.testing.assert_array_equal(some, all_terms[:, :, : number_of_terms(d)])


def test_principal_coordinates_keep_angles_and_are_uncorrelated():
    vectors = np.random.default_rng(0).standard_normal((3, 12, 30)) * np.linspace(1, 3, 30)
    turned = principal_coordinates(vectors, 30)
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    scale = np.linalg.norm(turned, axis=(1, 2)) / np.linalg.norm(centred, axis=(1, 2))
    inner = scale[:, None, None] ** 2 * centred @ centred.transpose(0, 2, 1)
    np.testing.assert_allclose(turned @ turned.transpose(0, 2, 1), inner, atol=1e-10)
    products = turned.transpose(0, 2, 1) @ turned
    products *= 1 - np.eye(12)
    np.testing.assert_allclose(products, 0, atol=1e-10)
    np.testing.assert_allclose((turned[:, :, 0] ** 2).mean(axis=1), 1)


def test_qe_regresses_as_least_squares_does():
    """One neighbourhood by hand: F-tests of each coordinate on all terms of those before it."""
    coordinates = principal_coordinates(patches(2, 0.3, n=1, k=60), most_coordinates(60) + 1)
    x = coordinates[0]
    significant = []
    for d in range(1, x.shape[1]):
        design = up_to_squares(coordinates[:, :, :d])[0]
        left = np.linalg.lstsq(design, x[:, d], rcond=None)[1][0]
        terms = design.shape[1] - 1
        ratio = ((x[:, d] ** 2).sum() - left) / terms / (left / (59 - terms))
        significant.append(f.sf(ratio, terms, 59 - terms) < 0.01)
    least = next(d for d in range(1, 6) if all(significant[d - 1 :]))
    dimensions, weights = QuadraticEmbedding(60)._at(coordinates)
    assert dimensions == [least] == [2]
    assert 0 < weights[0] <= 1


@pytest.mark.parametrize(("d", "share"), [(1, 1), (2, 1), (4, 0.9)])
def test_qe_finds_quadratic_graphs(d, share):
    coordinates = principal_coordinates(patches(d, 0.2), most_coordinates(200) + 1)
    dimensions, _ = QuadraticEmbedding(200)._at(coordinates)
    assert np.mean(dimensions == d) >= share


def test_qe_finds_bent_sets_where_angles_count_the_bend():
    points, _ = sample_manifold("paraboloid-6-21", 1500)
    found = at_anchors(QuadraticEmbedding(), points, 150)
    assert found.dimension_ == pytest.approx(6, abs=0.1)
    assert at_anchors(ESS(), points, 150).dimension_ < 5.5


def test_flat_neighbourhoods_count_in_qe():
    points, _ = sample_manifold("affine-3-5", 800)
    assert QuadraticEmbedding(splits=0).fit(points).dimension_ == pytest.approx(3, abs=0.15)


def test_tls_leaves_over_what_a_singular_value_decomposition_does():
    """The curve of what is left over, by hand, and the dimension that it falls from."""
    coordinates = UNITS * principal_coordinates(patches(3, 0.3, n=5), 6)
    by_hand = []
    for x in coordinates:
        over = []
        for j in range(1, x.shape[1]):
            terms = up_to_squares(x[None, :, :j])[0, :, 1:]
            joint = np.column_stack([terms, x[:, j]])
            least = np.linalg.svd(joint - joint.mean(axis=0), compute_uv=False)[-1]
            over.append(terms.shape[1] * least**2)
        falls = np.diff(over) <= 0
        by_hand.append(next((i + 2 for i in range(len(falls)) if falls[i:].all()), len(over) + 1))
    np.testing.assert_array_equal(tls._dimensions(coordinates / UNITS), by_hand)


@pytest.mark.parametrize(("name", "dimension"), [("sphere-2", 2), ("swiss-roll", 2), ("torus", 2)])
def test_tls_finds_surfaces(name, dimension):
    points, _ = sample_manifold(name, 1500)
    found = TotalLeastSquares(splits=0).fit(points)
    assert found.dimension_ == pytest.approx(dimension, abs=0.2)


@pytest.mark.parametrize("name", ["ball-5", "flat-torus-8", "beta-10-40"])
def test_bracket_is_the_angles_within_the_band(name):
    points, _ = sample_manifold(name, 600)
    found = nearest_neighbours(points, 40)
    band = calibrated_band(harmonic_dimension(found.distances, 10), 600, 10)
    angles = ESS(30, splits=0).fit(points, neighbours=found)
    fitted = Bracket(splits=0).fit(points, neighbours=found)
    assert fitted.dimension_ == np.clip(angles.dimension_, *band)
    assert fitted.dimension_pw_.mean() == pytest.approx(fitted.dimension_)
