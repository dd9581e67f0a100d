"""Many partitions at once: what each gives by itself."""

import numpy as np
import pytest

from uomh.dimension.harmonic import Harmonic
from uomh.dimension.mle import dimension_of, inverse_dimension
from uomh.dimension.partitions import (
    NOBODY,
    fits,
    in_blocks,
    inverse_in_parts,
    side_by_side,
    split_variances,
)
from uomh.dimension.thinning import split_variance
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours

KS = (2, 3, 10)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 4))
X[100:120] = X[:20]  # copies, which are no neighbours


@pytest.mark.parametrize("shares", [[0.5, 0.3, 0.2], [0.95, 0.05], [1.0]])
@pytest.mark.parametrize("width", [599, 40])
def test_parts_of_many_partitions_are_those_of_each_by_itself(shares, width):
    statistic = Harmonic(KS)
    labels = np.repeat(np.arange(len(shares)), (600 * np.array(shares)).astype(int))
    partitions = [RNG.permutation(labels) for _ in range(7)]
    lists = statistic.lists(nearest_neighbours(X, width, duplicates="keep"), X)
    together = statistic.partitions(lists, partitions, KS)
    for values, partition in zip(together, partitions, strict=True):
        # Steps between logarithms are summed in float32.
        np.testing.assert_allclose(values, statistic.parts(lists, partition, KS), rtol=1e-6)
        for part in range(len(shares)):
            inside = X[partition == part]
            near = nearest_neighbours(inside, min(60, len(inside) - 1), duplicates="keep")
            truth = [dimension_of(inverse_dimension(near.distances, k)) for k in KS]
            np.testing.assert_allclose(values[part], truth, rtol=1e-5)


def test_inverse_dimensions_of_points_whose_list_is_too_short_are_none():
    found = nearest_neighbours(X[200:], 30)
    labels = side_by_side([RNG.integers(0, 5, 400), np.zeros(400, int), np.arange(400)[::-1] % 7])
    logs = np.log(found.distances)
    values = inverse_in_parts(found.indices, logs, labels[:-1], labels, (3, 10))
    for i in range(3):
        same = labels[found.indices, i] == labels[:-1, i, None]
        for row in range(400):
            fellows = found.distances[row, same[row]]
            for j, k in enumerate((3, 10)):
                if len(fellows) < k:
                    assert np.isnan(values[j, row, i])
                else:
                    truth = inverse_dimension(fellows[None], k)[0]
                    assert values[j, row, i] == pytest.approx(truth, rel=1e-5, abs=1e-6)


def test_long_lists_of_one_part_are_counted_without_overflow():
    found = nearest_neighbours(X[200:], 399)
    labels = side_by_side([np.zeros(400, int)])
    values = inverse_in_parts(found.indices, np.log(found.distances), labels[:-1], labels, (127,))
    np.testing.assert_allclose(values[0, :, 0], inverse_dimension(found.distances, 127), rtol=1e-5)
    assert fits(np.arange(NOBODY), 127)
    assert not fits(np.arange(NOBODY + 1), 127)
    assert not fits(np.arange(9), 128)


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_come_in_order_and_cover_all_rows(threads):
    blocks = list(in_blocks(lambda block: block, 1000, 100, threads))
    assert len(blocks) > 3
    assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(1000))


def test_variances_of_all_halves_at_once_are_those_of_one_after_the_other():
    found = nearest_neighbours(X, 60, duplicates="keep")

    def logarithms(half):
        return np.log([dimension_of(inverse_dimension(half.distances, k)) for k in KS])

    expected = split_variance(logarithms, found, 10, seed=3, splits=20)
    np.testing.assert_allclose(split_variances(found, KS, 3, 20), expected, rtol=1e-4)


def test_lists_too_short_for_halves_and_points_all_alike_are_said():
    with pytest.raises(UomhError, match="too short to find 10 in a random half"):
        split_variances(nearest_neighbours(X, 12, duplicates="keep"), KS, 0, 5)
    corners = np.eye(50)  # all equally far
    with pytest.raises(UomhError, match="no finite dimension"):
        split_variances(nearest_neighbours(corners, 49), (3,), 0, 5)
