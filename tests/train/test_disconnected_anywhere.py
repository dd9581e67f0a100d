"""Parts of a disconnected model on processes and nodes that die end in the same weights."""

import json
import threading

from tests.train.pieces import killed_once_part, recorded_part
from tests.train.test_disconnected import GROUPS, assert_equal, run, weights
from tests.train.test_parallel import cluster, quiet_ray, ray, wait_for  # noqa: F401  (fixtures)
from uomh.training.parallel import Parallel


def test_a_killed_worker_costs_nothing(tmp_path, monkeypatch):
    run(tmp_path / "serial", GROUPS)
    monkeypatch.setattr("uomh.training.run.train_part", killed_once_part)
    run(tmp_path / "killed", GROUPS, Parallel("processes", 2))
    assert (tmp_path / "killed" / "died").exists()
    assert_equal(weights(tmp_path / "serial"), weights(tmp_path / "killed"))


@quiet_ray
def test_two_nodes_train_the_parts_and_one_dies(cluster, tmp_path, monkeypatch):  # noqa: F811
    long = [*GROUPS, "train.max_epochs=120", "clusters.name=random"]
    run(tmp_path / "serial", long)
    monkeypatch.setattr("uomh.training.run.train_part", recorded_part)
    (second,) = cluster.worker_nodes
    died = []

    def begun():
        path = tmp_path / "ray" / "nodes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def kill_when_both_work():
        wait_for(lambda: len({each["node"] for each in begun()}) == 2)
        died.append(next(each["path"] for each in begun() if each["node"] == second.node_id))
        last = tmp_path / "ray" / "checkpoints" / died[0] / "last.pt"
        wait_for(last.exists)
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill_when_both_work)
    killer.start()
    run(tmp_path / "ray", long, Parallel("ray", address=cluster.address))
    killer.join()
    again = [each["node"] for each in begun() if each["path"] == died[0]]
    assert again[0] == second.node_id != again[-1]
    assert_equal(weights(tmp_path / "serial"), weights(tmp_path / "ray"))
