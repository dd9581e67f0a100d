"""Parts trained by workers that die, and on a Ray cluster, end as those of an undisturbed run."""

import os
import random
import signal
import threading
import time

import pytest

from tests.train import parts
from tests.train.test_disconnected import FLOW, GROUPS, assert_equal, run, weights
from tests.train.test_parallel import cluster, quiet_ray, ray, wait_for  # noqa: F401  (fixtures)
from tests.train.test_resume import duration_of, finish, kill_at_random
from uomh.parallel.core import Parallel

EPOCHS = [*GROUPS, "train.max_epochs=8"]
TWO_STEP = [*GROUPS, *FLOW]


@pytest.fixture
def slowly(monkeypatch):
    monkeypatch.setattr("uomh.training.run.train_part", parts.slow_part)


def log(folder):
    return sorted((folder / "metrics.jsonl").read_text().splitlines())


def saved(folder, part):
    return any((folder / "checkpoints" / "model" / part).rglob("last.pt"))


@quiet_ray
def test_ray_ends_in_the_weights_of_serial(ray, tmp_path):  # noqa: F811
    run(tmp_path / "serial", TWO_STEP)
    run(tmp_path / "ray", TWO_STEP, Parallel("ray", 2))
    assert_equal(weights(tmp_path / "serial"), weights(tmp_path / "ray"))


@quiet_ray
def test_parts_run_on_two_nodes_and_one_dies(cluster, slowly, tmp_path):  # noqa: F811
    """Both nodes train parts; the second dies with a part half trained, and the first goes on."""
    (second,) = cluster.worker_nodes
    folder, died = tmp_path / "a" / "run", []
    folder.parent.mkdir()

    def taken():
        found = parts.part_starts(folder.parent)
        return {each["node"]: name for name, starts in found.items() for each in starts}

    def kill_when_both_work():
        wait_for(lambda: len(taken()) == 2)
        died.append(taken()[second.node_id])
        wait_for(lambda: saved(folder, died[0]))
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill_when_both_work)
    killer.start()
    run(folder, EPOCHS, Parallel("ray", address=cluster.address))
    killer.join()
    again = parts.part_starts(folder.parent)[died[0]]
    assert again[0]["node"] == second.node_id != again[-1]["node"]
    run(tmp_path / "undisturbed", EPOCHS)
    assert_equal(weights(tmp_path / "undisturbed"), weights(folder))


def kill_a_worker(folder, name, seconds):
    """Train in processes, and kill the worker of a part so long after it began."""

    def kill():
        wait_for(lambda: name in parts.part_starts(folder.parent))
        time.sleep(seconds)
        os.kill(parts.part_starts(folder.parent)[name][0]["pid"], signal.SIGKILL)

    folder.parent.mkdir()
    killer = threading.Thread(target=kill)
    killer.start()
    run(folder, TWO_STEP, Parallel("processes", 2))
    killer.join()
    return len(parts.part_starts(folder.parent)[name])


def test_a_part_whose_worker_is_killed_ends_the_same(slowly, tmp_path):
    run(tmp_path / "undisturbed", TWO_STEP)
    # Four epochs of half a second at least, so that after one the worker is at work.
    assert kill_a_worker(tmp_path / "a" / "run", "part0", 1.0) == 2
    assert_equal(weights(tmp_path / "undisturbed"), weights(tmp_path / "a" / "run"))
    assert len(weights(tmp_path / "undisturbed")) == 6


@pytest.mark.slow
def test_workers_killed_at_many_random_moments(slowly, tmp_path):
    run(tmp_path / "undisturbed", TWO_STEP)
    rng = random.Random(7)
    for attempt in range(20):
        folder = tmp_path / str(attempt) / "run"
        # Of the last part a worker may die after the first has begun anywhere, at its start too.
        assert kill_a_worker(folder, f"part{rng.randrange(3)}", rng.uniform(0, 1.9)) == 2
        assert_equal(weights(tmp_path / "undisturbed"), weights(folder))


@pytest.mark.slow
@pytest.mark.parametrize("alternate", [[], ["step.alternate=epoch"]], ids=["in turn", "joint"])
def test_a_run_killed_at_many_random_moments(tmp_path, alternate):
    over = [*TWO_STEP, *alternate]
    assert finish(tmp_path / "whole", over) == 0
    rng, kills = random.Random(7), 0
    for attempt in range(20):
        folder = tmp_path / f"run{attempt}"
        kills += kill_at_random(folder, over, rng, duration_of(tmp_path / "whole"))
        assert_equal(weights(tmp_path / "whole"), weights(folder))
        assert log(tmp_path / "whole") == log(folder)
    assert kills >= 20
