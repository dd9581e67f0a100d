"""A run that is killed and repeated ends as if nothing had happened."""

import multiprocessing
import random
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.train import child
from uomh.training.checkpoints import Checkpoints

EPOCHS = 12
CASES = {
    "plain": ["train.optimizer=sgd", "train.lr=1e-4", "model.conditional=true"],
    "learned prior, averaged weights": [
        "train.ema=0.9",
        "model.prior.kind=completely_learned_mixture_of_gaussians",
        "model.prior.components=3",
        "train.schedule=cosine",
    ],
    "early stopping": ["train.patience=1", "train.lr=0.3", "train.optimizer=rmsprop"],
}
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.train.child"])


def start(run, overrides, die_before=None, ready=None):
    arguments = (run, [f"train.max_epochs={EPOCHS}", *overrides], die_before, ready)
    process = SERVER.Process(target=child.train, args=arguments)
    process.start()
    return process


def finish(run, overrides, die_before=None):
    process = start(run, overrides, die_before)
    process.join(120)
    return process.exitcode


def same(left, right):
    """Bit-identical nested states."""
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def assert_same_run(run, other):
    for name in ("best", "last"):
        path = Path("checkpoints", "model", f"{name}.pt")
        ours, theirs = (torch.load(each / path, weights_only=True) for each in (run, other))
        assert same(ours, theirs), name
    log = "metrics.jsonl"
    assert (run / log).read_text() == (other / log).read_text()
    leftovers = [path.name for path in (run / "checkpoints" / "model").iterdir()]
    assert sorted(leftovers) == [".lock", "best.pt", "cost.json", "last.pt"]


@pytest.fixture(scope="module", params=CASES)
def reference(request, tmp_path_factory):
    run = tmp_path_factory.mktemp("reference") / "run"
    assert finish(run, CASES[request.param]) == 0
    return run, CASES[request.param]


@pytest.mark.parametrize("moment", [("best", 2), ("last", 1), ("last", 3)], ids=str)
def test_killed_at_a_checkpoint(reference, tmp_path, moment):
    """Before a checkpoint is written; ``last`` is between the two of an epoch."""
    undisturbed, overrides = reference
    run = tmp_path / "run"
    assert finish(run, overrides, moment) == -signal.SIGKILL
    assert finish(run, overrides) == 0
    assert_same_run(run, undisturbed)


def kill_at_random(run, overrides, rng, duration):
    """Start and kill up to four times, then let it finish; how often it was killed midway."""
    kills = 0
    for _ in range(4):
        ready = SERVER.Event()
        process = start(run, overrides, ready=ready)
        assert ready.wait(120)
        time.sleep(rng.uniform(0, duration))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    assert finish(run, overrides) == 0
    return kills


def duration_of(undisturbed):
    """Seconds between the first and the last write of a run."""
    times = [path.stat().st_mtime for path in undisturbed.rglob("*") if path.is_file()]
    return max(times) - min(times)


def test_killed_at_random_moments(reference, tmp_path):
    undisturbed, overrides = reference
    rng = random.Random(str(overrides))
    kills = kill_at_random(tmp_path / "run", overrides, rng, duration_of(undisturbed) / 3)
    assert kills >= 1
    assert_same_run(tmp_path / "run", undisturbed)


@pytest.mark.slow
def test_killed_at_many_random_moments(reference, tmp_path):
    undisturbed, overrides = reference
    rng = random.Random(7)
    for attempt in range(20):
        run = tmp_path / f"run{attempt}"
        kill_at_random(run, overrides, rng, duration_of(undisturbed) / 2)
        assert_same_run(run, undisturbed)


def test_early_stopping_stopped_early(reference):
    run, overrides = reference
    last = torch.load(run / "checkpoints" / "model" / "last.pt", weights_only=True)
    assert last["done"]
    assert (last["epoch"] < EPOCHS) == ("train.patience=1" in overrides)


@pytest.mark.parametrize("writes", range(1, 7))
def test_ctrl_c_within_the_writing_of_a_checkpoint_is_ctrl_c(writes, tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("last", {"epoch": 1})
    told = []

    def write(data):
        told.append(data)
        if len(told) == writes:
            raise KeyboardInterrupt
        return len(data)

    file = SimpleNamespace(write=write, flush=lambda: None)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda path, mode: nullcontext(file))
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save("last", {"epoch": 2, "model": {"weight": torch.zeros(100)}})
    assert checkpoints.load("last") == {"epoch": 1}
    assert not list(tmp_path.glob(".*"))
