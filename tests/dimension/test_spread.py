"""The work of verify in pieces: the same to the bit, whoever does it and whatever dies."""

import json
import os
import signal
import threading
import time

import numpy as np
import pytest
from tests.train.test_parallel import cluster, quiet_ray, ray, wait_for  # noqa: F401  (fixtures)

import uomh
from uomh.dimension import spread
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours
from uomh.neighbours.rows import neighbours_of
from uomh.parallel import Parallel

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.random((700, 6)) * ([1] * 3 + [0] * 3), 5 + RNG.random((600, 6))])
Y = np.repeat([0, 1], [700, 600])
BYTES = (X * 40).astype(np.uint8)
QUICK = {"k": (3, 10), "nulls": 39}


def text(report):
    return report.to_json()


@pytest.mark.parametrize("x", [X, BYTES.repeat(5, axis=1)], ids=["floats", "bytes"])
def test_two_processes_give_what_serial_gives(x, tmp_path):
    serial = uomh.verify(x, Y, duplicates="keep", **QUICK)
    spread_out = uomh.verify(
        x, Y, duplicates="keep", parallel=Parallel("processes", 2), folder=tmp_path, **QUICK
    )
    assert text(spread_out) == text(serial)
    assert not list(tmp_path.iterdir())  # no piece is left


def test_pieces_of_many_small_groups_and_of_another_estimator(tmp_path, monkeypatch):
    y = np.arange(1300) % 100
    options = [{"k": (3,)}, {"k": (4,), "estimator": "mom"}]
    serial = [text(uomh.verify(X, y, nulls=19, **option)) for option in options]
    for i, option in enumerate(options):
        (tmp_path / str(i)).mkdir()
        in_pieces = spread.Spread(Parallel(), tmp_path / str(i))  # one after the other, here
        with monkeypatch.context() as patch:
            patch.setattr("uomh.dimension.evidence.workplace", lambda *_, p=in_pieces, **__: p)
            assert text(uomh.verify(X, y, nulls=19, **option)) == serial[i]


@pytest.mark.parametrize("k", [1, 9])
def test_neighbours_of_some_rows_are_those_of_a_search_within(k):
    x = np.concatenate([X, X[:3], X[:3]])  # copies, of which a point is not its own
    whole = nearest_neighbours(x, k, duplicates="keep")
    rows = RNG.permutation(len(x))[:200]
    rows[:9] = [0, 700, 1300, 1303, 1, 1301, 1304, 2, 1305]
    some = neighbours_of(x, rows, k)
    np.testing.assert_array_equal(some.indices, whole.indices[rows])
    np.testing.assert_array_equal(some.distances, whole.distances[rows])


def test_a_command_that_was_stopped_goes_on_with_its_pieces(tmp_path, monkeypatch):
    options = {**QUICK, "parallel": Parallel("processes", 1), "folder": tmp_path}
    searched = spread.Spread.search

    def stopped(*arguments):
        searched(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(spread.Spread, "search", stopped)
        with pytest.raises(KeyboardInterrupt):
            uomh.verify(X, Y, **options)
    (place,) = tmp_path.iterdir()
    before = {file: file.stat().st_mtime_ns for file in place.glob("neighbours-*")}
    assert before

    def checked(self, *arguments):
        assert {file: file.stat().st_mtime_ns for file in place.glob("neighbours-*")} == before
        return searched(self, *arguments)

    monkeypatch.setattr(spread.Spread, "search", checked)
    assert text(uomh.verify(X, Y, **options)) == text(uomh.verify(X, Y, **QUICK))


def dying(shard, progress):
    """The worker of a piece is killed, once."""
    mark = spread.Path(shard.folder) / "died"
    if shard.first and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    spread.search_shard(shard, progress)


def test_a_killed_worker_costs_its_shard(tmp_path, monkeypatch):
    monkeypatch.setattr(spread.Spread, "_map", with_dying(spread.Spread._map))
    died = uomh.verify(X, Y, parallel=Parallel("processes", 1), folder=tmp_path, **QUICK)
    assert text(died) == text(uomh.verify(X, Y, **QUICK))


def with_dying(mapped):
    def map_(self, function, pieces, stage):
        mapped(self, dying if stage == "neighbours" else function, pieces, stage)
        if stage == "neighbours":
            assert (self.folder / "died").exists()

    return map_


def test_a_cluster_needs_a_folder():
    with pytest.raises(UomhError, match="a folder that all of them see"):
        uomh.verify(X, Y, parallel=Parallel("ray", address="host:1"), **QUICK)


@pytest.mark.slow
@quiet_ray
def test_a_node_dies_and_the_file_is_that_of_serial(cluster, tmp_path):  # noqa: F811
    rng = np.random.default_rng(0)
    x, y = rng.random((30_000, 20)), np.arange(30_000) % 10
    (second,) = cluster.worker_nodes

    def kill_when_there_are_pieces():
        wait_for(lambda: list(tmp_path.glob("ray/.pieces-*/neighbours-*")), 120)
        time.sleep(0.2)  # in the middle of the next ones
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill_when_there_are_pieces)
    killer.start()
    options = {"k": (3, 10), "nulls": 39}
    uomh.verify(
        x, y, parallel=Parallel("ray", address=cluster.address), folder=tmp_path / "ray", **options
    ).save(tmp_path / "ray")
    killer.join()
    uomh.verify(x, y, **options).save(tmp_path / "serial")
    both = [(tmp_path / name / "dimension.json").read_bytes() for name in ("ray", "serial")]
    assert both[0] == both[1]
    assert json.loads(both[0])["n"] == 30_000
