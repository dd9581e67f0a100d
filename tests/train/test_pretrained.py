"""Runs that begin with the autoencoders of others, and densities whose codes become others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import uomh
from tests.train.test_compositions import FEW, FLOW, INNER, VAE, same
from uomh.errors import UomhError
from uomh.parallel import Parallel
from uomh.parallel.progress import Progress
from uomh.training.pretrained import partners

LEAF = {**VAE, "latent_dim": 2}
PARTS = {"name": "disconnected", "part": LEAF}


def resolved(model, data=FEW, epochs=1, **values):
    values = {"model": model, "threads": 1, "data": data, "train": {"max_epochs": epochs}, **values}
    return uomh.resolve(values=values)


def trained(folder, model, *given, parallel=None, **values):
    return uomh.train(*resolved(model, *given, **values), folder, parallel=parallel)


def begun(run, autoencoder=LEAF, **settings):
    """Two steps that begin with a run's autoencoder and leave it as it is."""
    two = {"name": "two_step", "autoencoder": autoencoder, "density": FLOW}
    return {**two, "autoencoder_run": str(run), "freeze": True, **settings}


@pytest.fixture(scope="module")
def by_class(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "by_class"
    return folder, trained(folder, PARTS)[0]


@pytest.fixture(scope="module")
def by_kmeans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "by_kmeans"
    kmeans = {"name": "kmeans", "num_clusters": 2}
    return folder, *trained(folder, PARTS, clusters=kmeans)


@pytest.mark.parametrize("backend", ["serial", pytest.param("processes", marks=pytest.mark.slow)])
def test_parts_of_classes_begin_with_those_of_the_same_name(by_class, tmp_path, backend):
    run, first = by_class
    second = {"name": "disconnected", "part": begun(run)}
    turned = {**FEW, "class_ind": [1, 0]}
    parallel = Parallel(backend, None if backend == "serial" else 2)
    model, _ = trained(tmp_path / "run", second, turned, parallel=parallel)
    assert list(model.parts()) == ["1", "0"]
    for name, part in model.parts().items():
        assert same(part.autoencoder.state_dict(), first.parts()[name].state_dict())


def test_groups_are_the_same_where_their_points_are(by_kmeans, tmp_path):
    run, first, _ = by_kmeans
    turned = tmp_path / "turned.npz"
    with np.load(run / "partition.npz") as file:
        saved = dict(file)
    for split in ("train", "valid", "test"):
        saved[split] = 1 - saved[split]
    np.savez(turned, **saved | {"names": np.array(["x", "y"])})
    second = {"name": "disconnected", "part": begun(run)}
    clusters = {"name": "saved", "file": str(turned)}
    model, data = trained(tmp_path / "run", second, clusters=clusters)
    assert partners(str(run), data) == (1, 0)
    ours, theirs = list(model.parts().values()), list(first.parts().values())
    for part, other in zip(ours, reversed(theirs), strict=True):
        assert same(part.autoencoder.state_dict(), other.state_dict())


def test_other_groups_are_refused_before_training(by_class, by_kmeans, tmp_path):
    run, _, grouped = by_kmeans
    moved = uomh.data.Split(grouped.train.x, grouped.train.y.roll(1), grouped.train.rows)
    with pytest.raises(UomhError, match=r"group '.*' is not among that run's, so it is not known"):
        partners(str(run), replace(grouped, train=moved))
    second = {"name": "disconnected", "part": begun(run)}
    with pytest.raises(UomhError, match="the groups of this run are not among that run's"):
        trained(tmp_path / "run", second)  # by class
    other = {"name": "disconnected", "part": begun(by_class[0])}
    with pytest.raises(UomhError, match="group '2' is not among that run's"):
        trained(tmp_path / "other", other, {**FEW, "class_ind": [0, 2]})
    assert not list(tmp_path.rglob("*.pt"))


def test_a_run_that_is_not_there_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("uomh.training.run.grouped", None)  # clusters, or reads labels
    inner = begun("/nowhere")
    for model in (inner, {"name": "two_step", "autoencoder": LEAF, "density": inner}):
        config, data = resolved(model)
        with pytest.raises(UomhError, match="autoencoder_run=/nowhere: there is no run in"):
            uomh.train(config, data, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_a_frozen_autoencoder_of_two_steps_has_a_trained_density(tmp_path):
    first, _ = trained(tmp_path / "first", INNER)
    model, _ = trained(tmp_path / "second", begun(tmp_path / "first", INNER))
    assert same(model.autoencoder.state_dict(), first.state_dict())
    assert same(model.state_dict(), uomh.load_run(tmp_path / "second").model.state_dict())
    trained(tmp_path / "leaf", LEAF)
    with pytest.raises(UomhError, match="has other settings than this run's"):
        trained(tmp_path / "third", begun(tmp_path / "leaf", INNER))


GROWING = {
    "two steps": {"name": "two_step", "autoencoder": LEAF, "density": FLOW},
    "parts of two steps": {
        "name": "disconnected",
        "part": {"name": "two_step", "autoencoder": LEAF, "density": FLOW},
    },
    "a mixture of densities": {
        "name": "two_step",
        "autoencoder": LEAF,
        "density": {"name": "disconnected", "part": FLOW},
    },
    "two steps on codes": {"name": "two_step", "autoencoder": VAE, "density": INNER},
}


@pytest.mark.parametrize("name", GROWING)
def test_with_more_epochs_of_both_steps_the_density_is_that_of_the_new_codes(name, tmp_path):
    trained(tmp_path / "run", GROWING[name])
    model, _ = trained(tmp_path / "run", GROWING[name], FEW, 2)
    whole, _ = trained(tmp_path / "whole", GROWING[name], FEW, 2)
    assert same(model.state_dict(), whole.state_dict())  # its transforms are among them
    logs = [(tmp_path / run / "metrics.jsonl").read_text().splitlines() for run in ("run", "whole")]
    assert sorted(logs[0]) == sorted(logs[1])


def test_with_more_epochs_of_the_density_alone_it_goes_on(tmp_path):
    two = GROWING["two steps"]
    trained(tmp_path / "run", two)
    path = tmp_path / "run" / "checkpoints" / "model" / "density" / "last.pt"
    step = torch.load(path)["step"]
    longer = {**two, "density": {**FLOW, "train": {"max_epochs": 2}}}
    reached = []

    class Watch(Progress):
        def start(self, path, done, *rest):
            reached.append((path, done))

    config, data = resolved(longer)
    uomh.train(config, data, tmp_path / "run", Watch())
    assert reached == [("model/autoencoder", 1), ("model/density", 1)]
    assert torch.load(path)["step"] == 2 * step
