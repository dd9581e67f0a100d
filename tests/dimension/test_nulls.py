import numpy as np
import pytest
from scipy.stats import ks_2samp

from uomh.dimension.claims.groups_separated import chance_purity, crossing, purity
from uomh.dimension.claims.labels_matter import spreads
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.nulls import Shuffles, p_value
from uomh.neighbours import nearest_neighbours
from uomh.neighbours.graph import spanning_tree

HARMONIC = Harmonic((3, 10))


@pytest.fixture(scope="module")
def cloud():
    x = np.random.default_rng(0).normal(size=(600, 5))
    found = nearest_neighbours(x, 150)
    return HARMONIC.lists(found, x), spanning_tree(found, x).edges


def test_nulls_do_not_depend_on_threads(cloud):
    lists, _ = cloud
    shuffles = Shuffles(np.arange(600) % 3, 19, seed=5)
    one, three = (
        shuffles(lambda mixed: HARMONIC.parts(lists, mixed, (3, 10)), threads=threads)
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one, three)


def test_progress_counts_the_shuffles():
    seen = []
    Shuffles(np.arange(4) % 2, 3)(len, progress=lambda *state: seen.append(state))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_purity_and_crossing_edges_of_shuffles_have_their_closed_form_means(cloud):
    lists, tree = cloud
    labels = np.repeat([0, 1, 2], [300, 200, 100])
    shuffles = Shuffles(labels, 200)
    same = np.array(shuffles(lambda mixed: purity(lists.nearest, mixed)))
    across = np.array(shuffles(lambda mixed: crossing(tree, mixed)))
    chance = chance_purity(labels)
    # 4 standard errors of the mean of 200 shuffles
    for values, mean in ((same, chance), (across, 599 * (1 - chance))):
        assert abs(values.mean() - mean) < 4 * values.std() / np.sqrt(200)


def test_separated_groups_have_no_crossing_but_the_joints():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 2)) + 50 * np.repeat([0, 1, 2], 30)[:, None]
    labels = np.repeat([0, 1, 2], 30)
    found = nearest_neighbours(x, 5)
    assert crossing(spanning_tree(found, x).edges, labels) == 2
    assert purity(found.indices[:, 0], labels) == 1
    assert chance_purity(labels) == pytest.approx(29 / 89)


def test_p_value_counts_the_observed_value_in():
    assert p_value(5.0, np.zeros(199)) == 1 / 200
    assert p_value(0.0, np.zeros(199)) == 1


def test_spread_ignores_what_size_explains_and_weighs_by_size():
    rng = np.random.default_rng(2)
    sizes = np.array([10, 20, 70])
    null = np.array([3.0, 4.0, 5.0]) + 1e-9 * rng.normal(size=(50, 3))  # size alone differs
    spread, nulls = spreads(np.array([3.0, 4.0, 5.0]), null, sizes)
    assert spread < 1e-6
    assert (nulls < 1e-6).all()
    spread, _ = spreads(np.array([4.0, 5.0, 6.0]), null, sizes)  # a common shift is no spread
    assert spread < 1e-6
    spread, _ = spreads(np.array([4.0, 4.0, 5.0]), null, sizes)
    assert spread == pytest.approx(np.sqrt(0.1 * 0.9**2 + 0.9 * 0.1**2), rel=1e-6)


def test_p_values_of_shuffled_labels_are_uniform(cloud):
    lists, _ = cloud
    rng = np.random.default_rng(3)
    ps = []
    for i in range(60):
        labels = rng.permutation(np.arange(600) % 4)
        observed = HARMONIC.parts(lists, labels, (5,))[:, 0]
        draws = Shuffles(labels, 39, seed=i)(lambda mixed: HARMONIC.parts(lists, mixed, (5,)))
        spread, null = spreads(observed, np.array(draws)[:, :, 0], np.bincount(labels))
        ps.append(p_value(spread, null))
    assert ks_2samp(ps, np.arange(1, 41) / 40).pvalue > 0.01
