"""`uomh verify` by the command line, its work done by others: a death on the way, no cluster."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.train.test_parallel import cluster, quiet_ray, ray  # noqa: F401  (fixtures)
from uomh.cli import app
from uomh.dimension import spread
from uomh.errors import UomhError
from uomh.neighbours.core import Points
from uomh.parallel import Progress
from uomh.parallel.workers import ANSWER_SECONDS, look_for_cluster, processes

QUICK = ["--k", "3,10", "--nulls", "39", "--quiet"]


def written(folder, n, dim):
    """A set whose search takes workers a while: groups of two dimensions."""
    rng = np.random.default_rng(0)
    x, y = rng.random((n, dim)).astype(np.float32), np.arange(n) % 5
    x[y > 2, dim // 2 :] = 0
    file = folder / "set.npz"
    np.savez(file, x=x, y=y)
    return file


def command(file, out, *options):
    words = [sys.executable, "-m", "uomh", "verify", "--dataset", file, "--out", out]
    return subprocess.Popen([*map(str, words), *QUICK, *options], stderr=subprocess.PIPE, text=True)


def finished(process):
    complaints = process.communicate(timeout=600)[1]
    assert process.returncode == 0, complaints


def until(condition, process, seconds=300):
    """What the condition gives once it holds, while the command runs."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, "the command ended before"
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def shards(out):
    """Pieces of the search that are done."""
    return len(list(out.glob(".pieces-*/neighbours-*.npz")))


def children(parent):
    """Processes of a process and what they are called."""
    lines = subprocess.run(
        ["ps", "-ww", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    fields = [line.split(maxsplit=2) for line in lines]
    return {int(each[0]): each[2] for each in fields if len(each) > 2 and int(each[1]) == parent}


def assert_same_files(ours, theirs):
    for name in ("dimension.json", "dimension.csv"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    assert not list(ours.glob(".pieces-*"))  # no piece is left


@pytest.mark.slow
@quiet_ray
def test_a_node_is_killed_and_the_files_are_those_of_serial(cluster, tmp_path):  # noqa: F811
    file = written(tmp_path, 40_000, 24)
    (second,) = cluster.worker_nodes
    (raylet,) = [each.process.pid for each in second.all_processes["raylet"]]
    out = tmp_path / "ray"

    def at_work():
        return [pid for pid, name in children(raylet).items() if name.startswith("ray::_attempt")]

    process = command(file, out, "--backend", "ray", "--ray-address", cluster.address)
    until(lambda: shards(out), process)
    workers = until(at_work, process)
    done = shards(out)
    for pid in (raylet, *workers):  # as when its machine loses power
        os.kill(pid, signal.SIGKILL)
    assert 0 < done < spread.SHARDS - 1  # the one that it had, and more
    finished(process)
    finished(command(file, tmp_path / "serial"))
    assert_same_files(out, tmp_path / "serial")


@pytest.mark.slow
def test_a_process_is_killed_and_the_files_are_those_of_serial(tmp_path):
    file = written(tmp_path, 20_000, 24)
    out = tmp_path / "processes"
    process = command(file, out, "--backend", "processes", "--jobs", "2")

    def at_work():
        return [pid for pid, name in children(process.pid).items() if "popen_loky" in name]

    workers = until(lambda: len(found := at_work()) == 2 and found, process)
    done = until(lambda: shards(out), process)
    os.kill(workers[0], signal.SIGKILL)
    assert 0 < done < spread.SHARDS - 1
    until(lambda: set(at_work()) - set(workers), process)  # another took its place
    finished(process)
    finished(command(file, tmp_path / "serial"))
    assert_same_files(out, tmp_path / "serial")


def test_a_worker_that_dies_between_two_pieces_is_replaced():
    with processes(process_id, jobs=1, threads=1, pieces=2) as workers:
        first = workers.submit().result()
        os.kill(first, signal.SIGKILL)
        time.sleep(1)  # until it is noticed
        assert workers.submit().result() != first


def process_id(number):
    return os.getpid()


def test_points_are_mapped_and_pieces_are_small(tmp_path):
    """A piece is a folder and a few numbers, however many points; they are read where they lie."""
    points = np.random.default_rng(0).random((2000, 40)).astype(np.float32)
    np.save(tmp_path / "points.npy", points)
    np.save(tmp_path / "rows-5.npy", np.arange(2000))
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    assert np.shares_memory(Points(mapped).array, mapped)
    shard = spread.Shard(str(tmp_path), 0, 512, 5, None)
    draws = spread.Draws(str(tmp_path), 0, 10, 0, "mle", (3, 10))
    assert max(len(pickle.dumps(piece)) for piece in (shard, draws)) < 1000
    assert spread.search_shard(shard, Progress()) is None  # what it found is a file as well


def test_a_node_that_does_not_see_the_folder_is_named(tmp_path):
    shard = spread.Shard(str(tmp_path / "elsewhere"), 0, 512, 5, None)
    with pytest.raises(UomhError, match=f"the machine {socket.gethostname()} does not see"):
        spread.search_shard(shard, Progress())


class Server:
    """Something that listens, and is no Ray."""

    def __init__(self, answer):
        self.socket = socket.create_server(("localhost", 0))
        self.address = f"localhost:{self.socket.getsockname()[1]}"
        self.answer = answer
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        connection, _ = self.socket.accept()
        with connection:
            connection.recv(100)
            connection.sendall(self.answer)

    def close(self):
        self.thread.join()
        self.socket.close()


@pytest.fixture
def web_server():
    server = Server(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    yield server
    server.close()


def test_what_answers_is_no_ray(web_server, tmp_path):
    file = written(tmp_path, 300, 4)
    out = tmp_path / "out"
    words = ["verify", "--dataset", str(file), "--out", str(out), *QUICK, "--backend", "ray"]
    result = CliRunner().invoke(app, [*words, "--ray-address", web_server.address])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert f"there is no Ray cluster at '{web_server.address}'" in result.output
    assert not out.exists()  # nothing was read or written


def test_an_address_that_does_not_answer():
    server = socket.create_server(("localhost", 0))  # takes the call, and says nothing
    with server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("uomh.parallel.workers.ANSWER_SECONDS", 0.2)
        with pytest.raises(UomhError, match="no Ray cluster"):
            look_for_cluster(f"localhost:{server.getsockname()[1]}")
    assert ANSWER_SECONDS <= 10


@quiet_ray
def test_nothing_is_left_where_there_is_no_cluster(ray, tmp_path):  # noqa: F811
    file = written(tmp_path, 300, 4)
    out = tmp_path / "out"
    words = ["verify", "--dataset", str(file), "--out", str(out), *QUICK, "--backend", "ray"]
    result = CliRunner().invoke(app, [*words, "--ray-address", "nowhere"])
    assert result.exit_code == 2
    assert "there is no Ray cluster at 'nowhere'" in result.output
    assert not list(Path(out).glob(".pieces-*"))
