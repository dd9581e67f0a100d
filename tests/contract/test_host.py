"""The library leaves its host alone: what a program has set is as it was after every call."""

import importlib
import os
import pickle
import random
import signal
import subprocess
import sys
import warnings
from contextlib import suppress
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch

import uomh
from uomh import memory
from uomh.config import RunConfig
from uomh.parallel import workers
from uomh.registry import entries, load
from uomh.seeds import preserved, reseed, seeded

# What these set once, when they are imported for the first time, is theirs.
FOREIGN = (
    "scipy.special",
    "sympy",
    "torch._dynamo",
    "sklearn.cluster",
    "zuko",
    "torch.utils.tensorboard",
    "joblib",
)
for _module in FOREIGN:
    importlib.import_module(_module)

TINY = {
    "threads": 1,
    "part_threads": 1,
    "data": {"limit": 120, "test_limit": 30, "class_ind": [0, 1]},
    "model": {"name": "vae", "encoder": {"hidden_dims": [8]}, "decoder": {"hidden_dims": [8]}},
    "train": {"max_epochs": 1},
}


def state():
    """All that a program may have set and a library should leave, by name."""
    return {
        "torch": torch.get_rng_state().tolist(),
        "torch's seed": torch.initial_seed(),
        "numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "random": random.getstate(),
        "threads": torch.get_num_threads(),
        "threads between operations": torch.get_num_interop_threads(),
        "type": torch.get_default_dtype(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "matmul": torch.get_float32_matmul_precision(),
        "cuda": torch.cuda.is_initialized(),
        "seeds that wait for cuda": len(torch.cuda._queued_calls),
        "environment": dict(os.environ),
        "warnings": list(warnings.filters),
        "errors of numpy": np.geterr(),
        "printing of numpy": str(np.get_printoptions()),
        "backend of matplotlib": mpl.get_backend(auto_select=False),
        "figures": {name: str(mpl.rcParams._get(name)) for name in set(mpl.rcParams) - {"backend"}},
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "folder": os.getcwd(),
        "output": (sys.stdout, sys.stderr, sys.excepthook),
    }


def unchanged(call):
    """What a call returns, once it is seen that it changed nothing."""
    torch.manual_seed(20)
    np.random.seed(21)  # noqa: NPY002
    random.seed(22)
    torch.rand(3)
    before, threads = state(), torch.get_num_threads()
    torch.set_num_threads(2)  # another number than any call here asks for
    before["threads"] = 2
    try:
        result = call()
        after = state()
    finally:
        torch.set_num_threads(threads)
    changed = {name: (before[name], after[name]) for name in before if after[name] != before[name]}
    assert changed == {}
    return result


@pytest.fixture
def told(monkeypatch):
    """What the allocator was told."""
    calls = []
    monkeypatch.setattr(memory, "allowed", False)  # a command may have run in this process before
    monkeypatch.setattr(memory, "_limits", lambda *limits: calls.append(limits))
    return calls


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"model": {"name": "gan"}},
        {"model": {"name": "disconnected"}},
        {"model": {"name": "two_step"}},
    ],
    ids=["one", "gan", "parts", "two steps"],
)
def test_training_and_measuring(more, tmp_path, told):
    config, data = unchanged(lambda: uomh.resolve(values={**TINY, **more}))
    model, grouped = unchanged(lambda: uomh.train(config, data, tmp_path / "run"))
    unchanged(lambda: uomh.measure(model, grouped, config, run_dir=tmp_path / "run"))
    unchanged(lambda: uomh.load_run(tmp_path / "run"))
    fresh = unchanged(lambda: uomh.build(config, grouped))
    unchanged(lambda: uomh.fit(fresh, grouped, config))
    assert told == []


def test_a_training_that_fails(vectors, told):
    config = RunConfig.of({"model": {"name": "vae"}, "train": {"lr": 1e30, "max_epochs": 3}})

    def fail():
        with pytest.raises(uomh.UomhError):
            uomh.fit(uomh.build(config, vectors), vectors, config)

    unchanged(fail)
    assert told == []


def test_verify_and_its_files(vectors, tmp_path):
    from uomh.report.figures import save_dimension_figure

    report = unchanged(lambda: uomh.verify(vectors.train.x, vectors.train.y, k=[5], nulls=19))
    unchanged(lambda: report.save(tmp_path))
    unchanged(lambda: save_dimension_figure([report], tmp_path))


def test_neighbours_by_any_backend(vectors):
    unchanged(lambda: uomh.nearest_neighbours(vectors.train.x, 5))
    faiss = pytest.importorskip("faiss")
    threads = faiss.omp_get_max_threads()
    unchanged(lambda: uomh.nearest_neighbours(vectors.train.x, 5, backend="faiss"))
    assert faiss.omp_get_max_threads() == threads


def test_loading():
    unchanged(lambda: uomh.load_data("digits", limit=100))


@pytest.mark.parametrize("how", ["kmeans", "random", "agglomerative"])
def test_clusterers(how, vectors):
    if how not in entries("clusterers"):
        pytest.skip("there is no such clusterer")
    unchanged(lambda: uomh.cluster(vectors, how, num_clusters=3))


@pytest.mark.filterwarnings("ignore:geomle finds .* dimensions")  # more than coordinates
@pytest.mark.filterwarnings("ignore:shortest_path sees the largest part")  # one of three clouds
@pytest.mark.parametrize("name", entries("estimators"))
def test_estimators(name, vectors):
    try:
        estimator = load("estimators", name)()
    except uomh.UomhError as missing:
        pytest.skip(str(missing))
    unchanged(lambda: estimator.fit(vectors.train.x[:200].double().numpy()))


def test_the_stream_of_the_host_does_not_reach_a_run():
    def weights(seed):
        torch.manual_seed(seed)
        config, data = uomh.resolve(values=TINY)
        model, _ = uomh.train(config, data)
        return model.state_dict()

    first, second = weights(1), weights(2)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_blocks_of_their_own_streams():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with seeded(0, "a"):
        drawn = torch.rand(4)
    with suppress(ZeroDivisionError), preserved():
        reseed(0, "a")
        assert torch.equal(torch.rand(4), drawn)
        raise ZeroDivisionError
    assert torch.equal(torch.rand(4), expected)


def test_only_a_process_of_our_own_changes_the_allocator(told, monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: object())
    monkeypatch.setattr(memory, "allowed", False)
    with memory.keeping_freed_memory():
        assert told == []
    ask = "from uomh import memory; print(memory.allowed)"
    ours = {**os.environ, memory.OWN_PROCESS: "1"}
    for environment, answer in ((None, "False"), (ours, "True")):
        done = subprocess.run(
            [sys.executable, "-c", ask], env=environment, capture_output=True, text=True
        )
        assert done.stdout.strip() == answer
    command = "from uomh.cli import console; console.prepare_process(); " + ask
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout.strip() == "True"


FIT = """
import os, random
import numpy, sklearn.datasets, torch  # what these change when first imported is theirs
import uomh
from uomh import memory

def state():
    streams = {"torch": torch.get_rng_state().tolist(), "python": random.getstate()}
    streams["numpy"] = str(numpy.random.get_state())
    return {**streams, "environment": dict(os.environ), "threads": torch.get_num_threads()}

calls = []
memory._limits = lambda *limits: calls.append(limits)
before = state()
config, data = uomh.resolve(values={settings})
uomh.fit(uomh.build(config, data), data, config)
after = state()
changed = [name for name in before if after[name] != before[name]]
print(changed, calls)
"""


def test_a_program_that_fits_keeps_its_allocator_environment_threads_and_streams():
    code = FIT.replace("{settings}", repr(TINY))
    clean = {name: text for name, text in os.environ.items() if name != memory.OWN_PROCESS}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True)
    assert done.stdout.strip() == "[] []", done.stderr


FIRST = """
import random
import uomh
before = random.getstate()
data = uomh.load_data("digits", limit=60)
print(random.getstate() == before)
uomh.cluster(data, "kmeans", num_clusters=2)
print(random.getstate() == before)
"""


def test_what_is_imported_for_the_first_time_draws_nothing_from_the_stream_of_the_host(tmp_path):
    # On an empty cache the digits are read, by scikit-learn, which draws when it is imported.
    environment = {**os.environ, "UOMH_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FIRST], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_starting_ray_leaves_the_environment(monkeypatch):
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    seen = []
    ray = SimpleNamespace(
        init=lambda *_, **__: seen.append(os.environ.get("RAY_USAGE_STATS_ENABLED"))
    )
    unchanged(lambda: workers._connect(ray, 1, 1, None))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    unchanged(lambda: workers._connect(ray, 1, 1, None))
    assert seen == ["0", "1"]
