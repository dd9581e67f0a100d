"""The same grid on a Ray cluster of two nodes, one of which dies, gives the same table."""

import threading

import pytest

from tests.experiments.grids import BASE, grid_file, run
from tests.experiments.test_reproduce import numbers
from tests.train.test_parallel import cluster, quiet_ray, ray, wait_for  # noqa: F401  (fixtures)
from uomh.experiments import ExperimentResult

LONGER = [*BASE, "train.max_epochs=40"]


@pytest.mark.slow
@quiet_ray
def test_a_node_dies_and_the_table_is_the_same(cluster, tmp_path):  # noqa: F811
    file = grid_file(tmp_path, LONGER)
    run(file, tmp_path / "serial", seeds=2)
    (second,) = cluster.worker_nodes
    states = tmp_path / "ray" / "runs"

    def running():
        return [path for path in states.glob("*.json") if '"running"' in path.read_text()]

    def kill_when_both_work():
        wait_for(lambda: len(running()) == 2)
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill_when_both_work)
    killer.start()
    run(file, tmp_path / "ray", seeds=2, backend="ray", ray_address=cluster.address)
    killer.join()
    results = [ExperimentResult.read(tmp_path / name / "small") for name in ("serial", "ray")]
    assert [found.state for found in results[1].runs] == ["done"] * 4
    assert numbers(results[1]) == numbers(results[0])
