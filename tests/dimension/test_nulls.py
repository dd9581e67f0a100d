import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from uomh.dimension.nulls import chance_purity, crossing_edges, p_value, purity, shuffled, spreads
from uomh.dimension.thinning import NeighbourLists, part_means
from uomh.neighbours import nearest_neighbours
from uomh.neighbours.graph import spanning_tree

KS = (3, 10)


@pytest.fixture(scope="module")
def cloud():
    x = np.random.default_rng(0).normal(size=(600, 5))
    found = nearest_neighbours(x, 150)
    return NeighbourLists(found, x), spanning_tree(found, x).edges


def test_nulls_do_not_depend_on_threads(cloud):
    lists, tree = cloud
    labels = np.arange(600) % 3
    threads = torch.get_num_threads()
    try:
        draws = []
        for count in (1, 3):
            torch.set_num_threads(count)
            draws.append(shuffled(lists, labels, KS, tree, 19, seed=5))
    finally:
        torch.set_num_threads(threads)
    for name in ("dimension", "purity", "crossing"):
        np.testing.assert_array_equal(getattr(draws[0], name), getattr(draws[1], name))


def test_purity_and_crossing_edges_of_shuffles_have_their_closed_form_means(cloud):
    lists, tree = cloud
    labels = np.repeat([0, 1, 2], [300, 200, 100])
    draws = shuffled(lists, labels, (3,), tree, 200, seed=0)
    chance = chance_purity(labels)
    # 4 standard errors of the mean of 200 shuffles
    for values, mean in ((draws.purity, chance), (draws.crossing, 599 * (1 - chance))):
        assert abs(values.mean() - mean) < 4 * values.std() / np.sqrt(200)


def test_separated_groups_have_no_crossing_but_the_joints():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 2)) + 50 * np.repeat([0, 1, 2], 30)[:, None]
    labels = np.repeat([0, 1, 2], 30)
    found = nearest_neighbours(x, 5)
    assert crossing_edges(spanning_tree(found, x).edges, labels) == 2
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
    lists, tree = cloud
    rng = np.random.default_rng(3)
    ps = []
    for i in range(60):
        labels = rng.permutation(np.arange(600) % 4)
        observed = 1 / part_means(lists.inverse_dimensions(labels, (5,)), labels, 4)[:, 0]
        draws = shuffled(lists, labels, (5,), tree, 39, seed=i)
        spread, null = spreads(observed, draws.dimension[:, :, 0], np.bincount(labels))
        ps.append(p_value(spread, null))
    assert ks_2samp(ps, np.arange(1, 41) / 40).pvalue > 0.01
