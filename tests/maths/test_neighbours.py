import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

import uomh
from tests.maths.search import assert_unchanged_by
from uomh.errors import UomhError
from uomh.neighbours import bands, bounds, distinct, exact, measure, nearest_neighbours
from uomh.neighbours.core import Points
from uomh.parallel import Progress


@pytest.fixture(autouse=True)
def _plan_for_small_sets(monkeypatch):
    """Sets of a test's size would be searched in full; make them go the way of large ones."""
    monkeypatch.setattr(bounds, "PLANNED_FROM", 2 * bounds.SAMPLE)


def brute(X, k, queries=None):
    """Every distance in float64 by differences; ties by index."""
    X = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    Q = X if queries is None else np.asarray(queries, dtype=np.float64).reshape(len(queries), -1)
    squared = cdist(Q, X, "sqeuclidean")
    if queries is None:
        np.fill_diagonal(squared, np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(squared, order, 1)), order


def assert_exact(found, distances, indices):
    # Sums of D squares in another order differ by about D units of the last place, 2^-53.
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    np.testing.assert_array_equal(found.indices, indices)
    assert found.distances.dtype == np.float64
    assert found.indices.dtype == found.rows.dtype == np.int64


def low_rank(n, D, rank, seed=0, noise=0.01):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, D)) + noise * rng.normal(size=(n, D))


def images(n, D, rank, seed=0):
    return np.clip(128 + 15 * low_rank(n, D, rank, seed), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(12, 1), (50, 3), (300, 4, 5, 3), (1500, 20), (2200, 2)])
@pytest.mark.parametrize("k", [1, 11])
def test_equals_brute_force(shape, k):
    X = np.random.default_rng(0).normal(size=shape)
    assert_exact(nearest_neighbours(X, k), *brute(X, k))


@pytest.mark.parametrize("k", [1, 20, 300])
@pytest.mark.parametrize("D", [40, 200, 700])
def test_equals_brute_force_where_few_coordinates_tell(k, D):
    X = low_rank(1600, D, 12)
    assert_exact(nearest_neighbours(X, k), *brute(X, k))
    X = images(1600, D, 12)
    assert_exact(nearest_neighbours(X, k, duplicates="keep"), *brute(X, k))


def test_small_sets_need_no_plan(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(bounds, "principal_directions", None)
    X = low_rank(1500, 80, 5)
    assert_exact(nearest_neighbours(X, 7), *brute(X, 7))


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "int16", "int32", "int64", "bool", ">f4", "float16", "float32", "float64"],
)
def test_types_of_numbers(dtype):
    X = (40 * np.random.default_rng(0).normal(size=(200, 15))).clip(0, 120).astype(dtype)
    assert_exact(nearest_neighbours(X, 5, duplicates="keep"), *brute(X, 5))


def test_tensors():
    X = torch.randn(200, 6, 2, generator=torch.Generator().manual_seed(0))
    for x in (X, X.bfloat16(), X.half(), X.transpose(1, 2), X.requires_grad_()):
        assert_exact(nearest_neighbours(x, 5), *brute(x.detach().double().numpy(), 5))


def test_arrays_in_odd_order():
    X = np.random.default_rng(0).normal(size=(300, 12))
    for x in (np.asfortranarray(X), X[::-1], X[:, ::2], X[::3], np.lib.stride_tricks.as_strided(X)):
        assert_exact(nearest_neighbours(x, 5), *brute(x, 5))


def test_memory_map(tmp_path):
    X = images(1100, 64, 5)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert_exact(nearest_neighbours(mapped, 9, duplicates="keep"), *brute(X, 9))


@pytest.mark.parametrize("m", [1, 7, 1500])
def test_queries(m):
    X, Q = low_rank(1300, 100, 8, seed=0), low_rank(m, 100, 8, seed=0)[::-1] + 0.01
    found = nearest_neighbours(X, 6, Q)
    assert_exact(found, *brute(X, 6, Q))
    np.testing.assert_array_equal(found.rows, np.arange(m))
    alone = nearest_neighbours(X, 1, X[:50])
    np.testing.assert_array_equal(alone.indices[:, 0], np.arange(50))
    assert (alone.distances == 0).all()


def test_queries_far_from_the_set():
    X = np.random.default_rng(0).normal(size=(1200, 30))
    for shift in (1e3, 1e6):
        Q = X[:40] + shift
        found, (distances, _) = nearest_neighbours(X, 4, Q), brute(X, 4, Q)
        np.testing.assert_allclose(found.distances, distances, rtol=1e-12)


def test_ties_go_to_the_lower_row():
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 4), -1).reshape(-1, 4)
    X = np.random.default_rng(0).permutation(grid)
    for x in (X.astype(np.uint8), X.astype(np.float32), X * 1e-3):
        assert_exact(nearest_neighbours(x, 30), *brute(X * (x.max() / 5), 30))


def test_k_reaches_every_other_point():
    X = np.random.default_rng(0).normal(size=(9, 4))
    assert_exact(nearest_neighbours(X, 8), *brute(X, 8))
    assert_exact(nearest_neighbours(X, 9, X + 1), *brute(X, 9, X + 1))
    assert_exact(nearest_neighbours(X[:2], 1), *brute(X[:2], 1))


@pytest.mark.parametrize("kind", ["offset", "clusters", "tiny", "huge", "constant", "heavy"])
@pytest.mark.parametrize("D", [3, 150])
def test_data_that_would_break_single_precision(kind, D):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1400, D))
    if kind == "offset":
        X += 1e7
    elif kind == "clusters":
        X += 1e5 * rng.integers(0, 5, size=(1400, 1))
    elif kind == "tiny":
        X *= 1e-120
    elif kind == "huge":
        X *= 1e120
    elif kind == "constant":
        X[:, 1:] = 3e5
    else:
        X = rng.standard_cauchy(size=(1400, D))
    # The reference sums plainly too, but squares of 1e-120 leave it few digits before they vanish.
    unit = {"tiny": 1e-120, "huge": 1e120}.get(kind, 1.0)
    distances, indices = brute(X / unit, 7)
    found = nearest_neighbours(X, 7)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances * unit, rtol=1e-12)


def test_near_duplicates_keep_their_digits():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 784)).astype(np.float32)
    norms = np.linalg.norm(X.astype(np.float64), axis=1)
    step = rng.normal(size=X.shape)
    step *= 1e-4 * norms[:, None] / np.linalg.norm(step, axis=1, keepdims=True)
    both = np.concatenate([X, (X + step).astype(np.float32)])
    found = nearest_neighbours(both, 1)
    true = np.linalg.norm(both[:1200].astype(np.float64) - both[1200:].astype(np.float64), axis=1)
    np.testing.assert_array_equal(found.indices[:1200, 0], np.arange(1200, 2400))
    np.testing.assert_allclose(found.distances[:1200, 0], true, rtol=1e-12)
    # 1e-4 of the norm, up to the rounding of the points themselves to float32.
    np.testing.assert_allclose(found.distances[:1200, 0] / norms, 1e-4, rtol=1e-3)


def test_sums_of_bytes_above_what_float32_counts():
    X = (255 * np.random.default_rng(0).integers(0, 2, size=(60, 3000))).astype(np.uint8)
    found = nearest_neighbours(X, 5)
    assert found.distances.min() ** 2 > 2**24
    assert_exact(found, *brute(X, 5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["plain", "offset", "images"])
def test_bounds_never_exceed_distances(dtype, kind):
    X = low_rank(400, 90, 7, noise=0.3) + (1e6 if kind == "offset" else 0)
    points = Points(images(400, 90, 7) if kind == "images" else X)
    x = points[slice(None)].double()
    centre = x.mean(0)
    scale = 2.0**-12
    basis = bounds.principal_directions((x - centre) * scale, 16)
    np.testing.assert_allclose(basis.T @ basis, np.eye(16), atol=1e-13)
    true = torch.from_numpy(cdist(x, x, "sqeuclidean")) * scale**2
    for q in (basis, None):
        sketch = bounds.Sketch(centre, scale, q, dtype)
        columns = sketch.columns(points[slice(None)])
        table = (bounds.as_rows(columns) @ columns.T).double()
        assert (table <= true * (1 + 4 * torch.finfo(dtype).eps)).all()
    # Not vacuous: with every coordinate the bound is the distance but for rounding.
    slack = 4 * sketch.kappa * ((x - centre) * scale).square().sum(1).max()
    assert (true - table).max() <= slack


def test_guesses_memory_and_caches_do_not_change_the_answer(monkeypatch):
    X = low_rank(5000, 60, 6)
    plain = nearest_neighbours(X, 12)
    assert_exact(plain, *brute(X, 12))
    settings = [
        (bands, "MISS", 0.9),
        (bands, "WAITING_PAIRS", 20_000),
        (exact, "CACHE_BYTES", 0),
        (measure, "LISTED_PAIRS", 5_000),
        (bands, "BAND", 300),
        (bounds, "DIMENSIONS", (4, 8)),
    ]
    assert_unchanged_by(settings, X, plain, monkeypatch)


def test_leaves_the_global_random_state_alone():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    nearest_neighbours(low_rank(1200, 80, 5), 3)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_progress_reaches_its_end():
    calls = []
    progress = Progress()
    progress.stage = lambda *call: calls.append(call)
    X = np.random.default_rng(0).normal(size=(2500, 5))
    nearest_neighbours(X, 3, device="cpu", progress=progress)
    assert [done for _, done, _ in calls] == list(range(1, len(calls) + 1))
    assert calls[-1] == ("neighbours", 6, 6)


def test_dropped_duplicates_leave_rows_of_the_original():
    X = np.random.default_rng(1).integers(0, 255, size=(60, 8), dtype=np.uint8)
    X[[5, 40]] = X[2]
    found = uomh.nearest_neighbours(torch.from_numpy(X), 4)
    kept = np.delete(np.arange(60), [5, 40])
    distances, indices = brute(X[kept], 4)
    assert_exact(found, distances, kept[indices])
    np.testing.assert_array_equal(found.rows, kept)
    assert found.duplicates == 2
    assert len(found) == 58
    assert found.k == 4

    asked = nearest_neighbours(X, 2, X[:10])
    np.testing.assert_array_equal(asked.indices[:10, 0], [0, 1, 2, 3, 4, 2, 6, 7, 8, 9])
    assert asked.duplicates == 2


def test_kept_duplicates_are_neighbours_at_distance_zero():
    X = np.random.default_rng(1).normal(size=(80, 8))
    X[[5, 40]] = X[2]
    found = nearest_neighbours(X, 4, duplicates="keep")
    assert_exact(found, *brute(X, 4))
    np.testing.assert_array_equal(found.indices[[2, 5, 40], :2], [[5, 40], [2, 40], [2, 5]])
    assert found.duplicates == 2
    many = np.repeat(np.arange(4.0), 400)[:, None]
    assert_exact(nearest_neighbours(many, 5, duplicates="keep"), *brute(many, 5))


def test_distinct_rows():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(distinct(X), [0, 2])
    rng = np.random.default_rng(0)
    for dtype in ("uint8", "int16", "float32", "bool"):
        small = rng.integers(0, 2, size=(3000, 11)).astype(dtype)
        _, first = np.unique(small, axis=0, return_index=True)
        np.testing.assert_array_equal(distinct(small), np.sort(first))


def test_distinct_rows_whose_hashes_agree(monkeypatch):
    monkeypatch.setattr("uomh.neighbours.core._hashes", lambda p: np.zeros(p.n, dtype=np.uint64))
    X = np.array([[1], [2], [1], [3], [2]])
    np.testing.assert_array_equal(distinct(X), [0, 1, 3])


@pytest.mark.parametrize(
    ("X", "k", "message"),
    [
        (np.eye(5), 0, "k must be at least 1"),
        (np.eye(5), 5, "at most 4 neighbours"),
        (np.ones((5, 2)), 1, "after 4 duplicates were dropped"),
        (np.eye(5), 1.5, "whole number"),
        (np.arange(5.0), 1, "one point of real numbers per row"),
        (np.empty((0, 3)), 1, "one point of real numbers per row"),
        (np.eye(3) * 1j, 1, "real numbers"),
        (np.array([["a", "b"]]), 1, "array of real numbers"),
        ([[1.0, 2.0], [1.0]], 1, "array of real numbers"),
        (np.diag([1.0, np.nan, 1.0]), 1, "row 1"),
        (np.diag([1.0, 1.0, np.inf]), 1, "row 2"),
        (np.diag([1.0, 1.0, 1e200]), 1, "row 2"),
    ],
)
def test_bad_input_is_one_sentence(X, k, message):
    with pytest.raises(UomhError, match=message) as caught:
        nearest_neighbours(X, k)
    assert "\n" not in str(caught.value)


def test_bad_options_are_one_sentence():
    X = np.eye(4)
    with pytest.raises(UomhError, match="queries have 3 coordinates but X has 4"):
        nearest_neighbours(X, 1, np.eye(3))
    with pytest.raises(UomhError, match="queries has a NaN"):
        nearest_neighbours(X, 1, X * np.nan)
    with pytest.raises(UomhError, match="did you mean 'drop'"):
        nearest_neighbours(X, 1, duplicates="drp")
    with pytest.raises(UomhError, match="unknown backend"):
        nearest_neighbours(X, 1, backend="annoy")
    with pytest.raises(UomhError, match="2 rows that equal an earlier row"):
        nearest_neighbours(np.zeros((3, 2)), 1, duplicates="error")


MEMORY = """
    import resource, sys
    import numpy as np
    from uomh.neighbours import nearest_neighbours
    X = np.load(sys.argv[1], mmap_mode="r")
    found = nearest_neighbours(X, 20, np.asarray(X[::100]) + np.float32(0.01))
    assert found.distances.shape == (10_000, 20)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_points_from_a_file_stay_under_two_gibibytes(tmp_path):
    n, D = 1_000_000, 50
    X = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (n, D))
    rng = np.random.default_rng(0)
    for start in range(0, n, 100_000):
        X[start : start + 100_000] = rng.normal(size=(100_000, D))
    X.flush()
    command = [sys.executable, "-c", textwrap.dedent(MEMORY), str(tmp_path / "x.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2 * 2**30
