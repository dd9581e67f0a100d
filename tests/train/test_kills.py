"""Commands that are killed, or run twice at once, end as one that nothing happened to."""

import json
import random
import re
import shutil
import signal
import time

import pytest
import torch

from tests.train import child
from tests.train.test_resume import SERVER, same
from uomh.files import is_leftover

KILLS = {"vanilla": 72, "two-step": 52, "processes": 12, "evaluate": 32, "verify": 32}
"""how often each kind of command is killed by the slow test: 200 times in all"""
QUICK = [kind for kind in KILLS if kind != "processes"]  # whose workers take seconds to start


def start(kind, folder, pretrained=None, **more):
    process = SERVER.Process(target=child.command, args=(kind, folder, pretrained), kwargs=more)
    process.start()
    return process


def finish(*arguments):
    """Let a command run to its end; the seconds that it took once it was loaded."""
    ready = SERVER.Event()
    process = start(*arguments, ready=ready)
    assert ready.wait(120)
    began = time.perf_counter()
    process.join(300)
    assert process.exitcode == 0
    return time.perf_counter() - began


def end_of(folder):
    """What a command left: weights, logs, numbers; and no half-written file."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in files if is_leftover(name.name) or name.name == ".lock.json"]
    end = {}
    for name, path in files.items():
        if path.suffix == ".pt":
            end[str(name)] = torch.load(path, weights_only=True)
        elif name.name == "metrics.jsonl":
            end[str(name)] = sorted(path.read_text().splitlines())  # parts write when they are done
        elif name.name in ("metrics.json", "dimension.json", "plan.json", "dimension.csv"):
            end[str(name)] = path.read_text()
        elif name.name == "config.json":
            end[str(name)] = json.loads(path.read_text())
    return end


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained") / "run"
    finish("vanilla", folder)
    return folder


@pytest.fixture(scope="module", params=KILLS)
def undisturbed(request, pretrained, tmp_path_factory):
    """A kind of command, how it begins a folder, the end of one, and how long it takes."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"

    def prepare(folder):
        if request.param == "evaluate":
            shutil.copytree(pretrained, folder)
            (folder / "metrics.json").unlink()

    prepare(folder)
    arguments = (request.param, folder, pretrained)
    seconds = finish(*arguments)
    end = end_of(folder)
    assert len(end) >= (2 if request.param == "verify" else 5)
    return request.param, prepare, end, seconds


def kill_and_repeat(undisturbed, pretrained, root, rng, kills, in_a_row):
    """Kill at random moments, so often in a row, then let it finish and compare; kills done."""
    kind, prepare, end, seconds = undisturbed
    done = 0
    while done < kills:
        folder = root / f"after{done}"
        prepare(folder)
        for _ in range(min(in_a_row, kills - done)):
            ready = SERVER.Event()
            process = start(kind, folder, pretrained, ready=ready)
            assert ready.wait(120)
            time.sleep(rng.uniform(0, seconds))
            process.kill()
            process.join()
            done += process.exitcode == -signal.SIGKILL
        finish(kind, folder, pretrained)
        assert same(end_of(folder), end), (kind, folder)
        shutil.rmtree(folder)
    print(f"{kind}: {done} kills, {seconds:.2f} s undisturbed")
    return done


def race(root, seconds, rng):
    """Two processes on one folder: one is refused by the name of the other, which finishes.

    Whether they met, and the end: on a busy machine one may have finished before the other began.
    """
    root.mkdir()
    go = SERVER.Event()
    processes, readies = [], []
    for _ in range(2):
        readies.append(SERVER.Event())
        wait = rng.uniform(0, seconds / 4)
        processes.append(start("vanilla", root / "run", ready=readies[-1], go=go, wait=wait))
    assert all(ready.wait(120) for ready in readies)
    go.set()
    for process in processes:
        process.join(120)
    winner, loser = sorted(processes, key=lambda process: process.exitcode)
    assert winner.exitcode == 0
    assert loser.exitcode in (0, 2)
    if loser.exitcode:
        sentence = (root / f"{loser.pid}.refused").read_text()
        assert re.search(rf"is being written by process {winner.pid} on .* since ", sentence)
    return loser.exitcode == 2, end_of(root / "run")


@pytest.mark.parametrize("undisturbed", QUICK, indirect=True)
def test_killed_commands_end_the_same(undisturbed, pretrained, tmp_path):
    rng = random.Random(undisturbed[0])
    assert kill_and_repeat(undisturbed, pretrained, tmp_path, rng, 2, 2) == 2


@pytest.mark.slow
def test_200_kills(undisturbed, pretrained, tmp_path):
    kills, rng = KILLS[undisturbed[0]], random.Random(f"{undisturbed[0]} many")
    assert kill_and_repeat(undisturbed, pretrained, tmp_path, rng, kills, 4) == kills


def check_races(tmp_path, races, seed):
    seconds = finish("vanilla", tmp_path / "alone")
    alone, rng = end_of(tmp_path / "alone"), random.Random(seed)
    met, attempts = 0, 0
    while met < races:
        refused, end = race(tmp_path / str(attempts), seconds, rng)
        assert same(end, alone)
        met, attempts = met + refused, attempts + 1
        assert attempts <= 4 * races
    print(f"{met} of {attempts} races met, {seconds:.2f} s alone")


def test_two_processes_on_one_folder(tmp_path):
    check_races(tmp_path, 3, 0)


@pytest.mark.slow
def test_two_processes_on_one_folder_50_times(tmp_path):
    check_races(tmp_path, 50, 1)
