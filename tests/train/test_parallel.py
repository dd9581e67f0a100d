"""One map over three backends: equal results, whatever dies on the way."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from tests.train.pieces import STEPS, multiply, piece, products, starts
from uomh.errors import UomhError
from uomh.parallel.core import Outcome, raise_failures, resumable_map
from uomh.parallel.progress import Progress

# Ray leaves files and sockets to the interpreter's end.
quiet_ray = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning:ray")


class Recorder(Progress):
    """Keeps what it is told."""

    def __init__(self):
        self.events = []

    def start(self, path, done, epochs, points):
        self.events.append(("start", path, done))

    def advance(self, path, points):
        self.events.append(("advance", path, points))

    def epoch(self, path, epoch, values, seconds):
        self.events.append(("epoch", path, epoch))

    def stop(self, path, why):
        self.events.append(("stop", path, why))

    def stage(self, name, done, total):
        self.events.append(("stage", name, (done, total)))


def errors(outcomes):
    return [each.error for each in outcomes]


@pytest.fixture
def ray(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # writes no token to the home folder
    return pytest.importorskip("ray")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    root = tmp_path_factory.mktemp("serial")
    resumable_map(multiply, [piece(root, i) for i in range(3)], threads=2)
    return products(root, 3)


def assert_reference(reference, root):
    ours = products(root, len(reference))
    assert all(map(torch.equal, ours, reference))


def test_serial_computes_with_the_threads_it_is_told(tmp_path):
    before = torch.get_num_threads()
    (outcome,) = resumable_map(multiply, [piece(tmp_path, 0)], threads=before + 1)
    assert outcome.value["threads"] == before + 1
    assert torch.get_num_threads() == before


def check_backend(backend, root, reference):
    recorder = Recorder()
    outcomes = resumable_map(
        multiply,
        [piece(root, i) for i in range(3)],
        backend=backend,
        jobs=2,
        threads=2,
        folder=root,
        progress=recorder,
    )
    assert [each.value for each in outcomes] == [{"threads": 2, "OMP": "2"}] * 3
    assert_reference(reference, root)
    for i in range(3):
        stages = [each for each in recorder.events if each[:2] == ("stage", f"stage{i}")]
        assert stages[-1][2] == (STEPS, STEPS)
        told = [each for each in recorder.events if each[1] == f"piece{i}"]
        assert told[0] == ("start", f"piece{i}", 0)
        assert told[-1] == ("stop", f"piece{i}", "finished")
        epochs = [each[2] for each in told if each[0] == "epoch"]
        assert epochs == list(range(1, STEPS + 1))
        assert sum(each[2] for each in told if each[0] == "advance") == STEPS * 300
    pids = {starts(root, i)[0]["pid"] for i in range(3)}
    assert os.getpid() not in pids
    assert not (root / ".progress").exists()


def test_processes_give_what_serial_gives(tmp_path, reference):
    check_backend("processes", tmp_path, reference)


@quiet_ray
def test_ray_gives_what_serial_gives(ray, tmp_path, reference):
    check_backend("ray", tmp_path, reference)
    assert not ray.is_initialized()  # what it started, it stopped


def test_a_killed_worker_is_followed_by_another(tmp_path, reference):
    configs = [piece(tmp_path, i, die="once" if i == 1 else None) for i in range(3)]
    recorder = Recorder()
    options = {"jobs": 2, "threads": 2, "folder": tmp_path, "progress": recorder}
    outcomes = resumable_map(multiply, configs, backend="processes", **options)
    assert errors(outcomes) == [None] * 3
    assert_reference(reference, tmp_path)
    assert [each["step"] for each in starts(tmp_path, 1)] == [0, 3]
    assert [len(starts(tmp_path, i)) for i in (0, 2)] == [1, 1]  # the others were not disturbed
    assert [each for each in recorder.events if each[:2] == ("start", "piece1")] == [
        ("start", "piece1", 0),
        ("start", "piece1", 3),
    ]


def test_a_piece_that_kills_its_workers_is_given_up(tmp_path):
    configs = [piece(tmp_path, i, die="always" if i == 0 else None) for i in range(2)]
    outcomes = resumable_map(multiply, configs, backend="processes", jobs=1, retries=1)
    assert [each["step"] for each in starts(tmp_path, 0)] == [0, 1]
    assert outcomes[0].error == "its worker died 2 times, as when memory runs out"
    assert "SIGKILL" in outcomes[0].trace
    assert outcomes[1].error is None


@pytest.mark.parametrize("backend", ["serial", "processes"])
def test_a_failure_leaves_the_others_alone(tmp_path, backend):
    failures = {0: UomhError("part 0 has no data"), 2: ValueError("odd\nshape")}
    configs = [piece(tmp_path, i, fail=failures.get(i)) for i in range(4)]
    outcomes = resumable_map(multiply, configs, backend=backend, jobs=1)
    assert errors(outcomes) == ["part 0 has no data", None, "ValueError: odd shape", None]
    assert [len(starts(tmp_path, i)) for i in range(4)] == [1] * 4
    assert 'raise config["fail"]' in outcomes[2].trace
    with pytest.raises(UomhError) as caught:
        raise_failures(outcomes, "abcd")
    assert str(caught.value) == (
        "2 of 4 failed: a: part 0 has no data; c: ValueError: odd shape; the others finished and "
        "are kept, repeat the command to go on once the cause is mended"
    )
    raise_failures([outcomes[1], outcomes[3]], "bd")


def test_what_cannot_travel_is_an_outcome(tmp_path):
    configs = [threading.Lock(), 1]
    outcomes = resumable_map(return_config, configs, backend="processes", jobs=1)
    assert "pickle" in outcomes[0].error
    assert outcomes[1] == Outcome(1)


def return_config(config, progress):
    return config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "proceses"}, "did you mean 'processes'"),
        ({"jobs": 0}, "jobs is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"backend": "processes", "address": "auto"}, "has no meaning to the backend"),
    ],
)
def test_options_without_meaning(options, message):
    with pytest.raises(UomhError, match=message):
        resumable_map(return_config, [], **options)


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UomhError, match=r"uomh\[ray\]"):
        resumable_map(return_config, [1], backend="ray")


@quiet_ray
@pytest.mark.parametrize("address", ["localhost:1", "localhost:one"])
def test_no_cluster_at_the_address(ray, address):
    with pytest.raises(UomhError, match=f"no Ray cluster at '{address}'"):
        resumable_map(return_config, [1], backend="ray", address=address)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run_pieces(root, backend):
    command = [sys.executable, "-m", "tests.train.pieces", str(root), backend]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "SIGKILL"])
@pytest.mark.parametrize("backend", ["processes", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_command_that_ends_takes_its_workers_along(tmp_path, backend, how, monkeypatch):
    if backend == "ray":
        pytest.importorskip("ray")
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with run_pieces(tmp_path, backend) as process:
        wait_for(lambda: all((tmp_path / f"piece{i}" / "state.pt").exists() for i in range(2)))
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does
        else:
            process.kill()
        process.wait(15)
    pids = [starts(tmp_path, i)[0]["pid"] for i in range(2)]
    # After Ctrl-C they end before the command does (those of Ray are children of its own server,
    # which follows a moment later), after its death as soon as they notice.
    seconds = 20 if how == signal.SIGKILL else 5 if backend == "ray" else 0
    wait_for(lambda: not any(map(alive, pids)), seconds)
    for root in (tmp_path, tmp_path / "undisturbed"):
        resumable_map(multiply, [piece(root, i) for i in range(2)])
    # A slow machine may have ended one piece before the other's worker was there.
    assert 0 < min(starts(tmp_path, i)[-1]["step"] for i in range(2)) < STEPS
    assert all(map(torch.equal, products(tmp_path, 2), products(tmp_path / "undisturbed", 2)))


@pytest.fixture
def cluster(ray):
    """Two nodes of one processor each; the first is the head, to which the driver connects."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 78 * 2**20, "include_dashboard": False}
    fast = {"health_check_period_ms": 500, "health_check_failure_threshold": 2}
    made = Cluster(initialize_head=True, head_node_args=node | {"_system_config": fast})
    made.add_node(**node)
    yield made
    made.shutdown()


@quiet_ray
def test_nodes_share_the_work_and_one_dies(cluster, tmp_path):
    (second,) = cluster.worker_nodes
    died = []

    def kill_when_both_work():
        def nodes():
            return {each["node"]: i for i in range(3) for each in starts(tmp_path, i)}

        wait_for(lambda: len(nodes()) == 2)
        died.append(nodes()[second.node_id])
        wait_for(lambda: (tmp_path / f"piece{died[0]}" / "state.pt").exists())
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill_when_both_work)
    killer.start()
    configs = [piece(tmp_path, i, seconds=0.5) for i in range(3)]
    options = {"threads": 1, "address": cluster.address, "folder": tmp_path}
    outcomes = resumable_map(multiply, configs, backend="ray", **options)
    killer.join()
    assert errors(outcomes) == [None] * 3
    again = starts(tmp_path, died[0])
    assert again[0]["node"] == second.node_id != again[-1]["node"]
    assert again[-1]["step"] > 0
    resumable_map(multiply, [piece(tmp_path / "undisturbed", i) for i in range(3)])
    assert all(map(torch.equal, products(tmp_path, 3), products(tmp_path / "undisturbed", 3)))
