"""Compositions of compositions: they build, train, go on, load and score, or are refused."""

import pytest
import torch

import uomh
from uomh.errors import UomhError
from uomh.parallel import Parallel

NETS = {"encoder": {"hidden_dims": [16]}, "decoder": {"hidden_dims": [16]}}
VAE = {"name": "vae", "latent_dim": 4, "importance_samples": 4, **NETS}
FLOW = {"name": "flow", "num_layers": 1, "hidden_units": 8}
INNER = {"name": "two_step", "autoencoder": {**VAE, "latent_dim": 2}, "density": FLOW}
FEW = {"limit": 120, "test_limit": 24, "class_ind": [0, 1]}

BUILT = {
    "two steps on the codes of two steps": (
        {"name": "two_step", "autoencoder": VAE, "density": INNER},
        ["autoencoder", "density/autoencoder", "density/density"],
        "bound",
    ),
    "two steps as autoencoder": (
        {"name": "two_step", "autoencoder": INNER, "density": FLOW},
        ["autoencoder/autoencoder", "autoencoder/density", "density"],
        None,
    ),
    "a mixture of densities on codes": (
        {
            "name": "two_step",
            "autoencoder": VAE,
            "density": {"name": "disconnected", "part": FLOW},
        },
        ["autoencoder", "density/part0", "density/part1"],
        "bound",
    ),
    "parts of two steps on two steps": (
        {
            "name": "disconnected",
            "part": {"name": "two_step", "autoencoder": VAE, "density": INNER},
        },
        [
            f"part{k}/{leaf}"
            for k in range(2)
            for leaf in ("autoencoder", "density/autoencoder", "density/density")
        ],
        "bound",
    ),
    "a conditional density on codes": (
        {"name": "two_step", "autoencoder": VAE, "density": {**FLOW, "conditional": True}},
        ["autoencoder", "density"],
        "bound",
    ),
}


def resolved(model, **train):
    values = {"model": model, "threads": 1, "data": FEW, "train": {"max_epochs": 1, **train}}
    return uomh.resolve(values=values)


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize("name", BUILT)
def test_it_trains_goes_on_loads_and_scores(name, tmp_path):
    tree, leaves, likelihood = BUILT[name]
    config, data = resolved(tree)
    model, grouped = uomh.train(config, data, tmp_path / "run")
    assert [path for path, _ in model.leaves()] == leaves
    assert model.likelihood == likelihood
    values = uomh.measure(model, grouped, config, run_dir=tmp_path / "run")
    if likelihood is not None:
        assert values["bits_per_dim"].value > 0
    assert model.sample(3).shape == (3, 1, 8, 8)
    assert same(model.state_dict(), uomh.load_run(tmp_path / "run").model.state_dict())
    again, _ = uomh.train(config, data, tmp_path / "run")  # finished before
    assert same(model.state_dict(), again.state_dict())
    longer, _ = resolved(tree, max_epochs=2)
    once, _ = uomh.train(longer, data, tmp_path / "once")
    assert len(list((tmp_path / "once").rglob("best.pt"))) == len(leaves)
    assert same(once.state_dict(), uomh.train(longer, data)[0].state_dict())


@pytest.mark.parametrize(
    "name", ["a mixture of densities on codes", "parts of two steps on two steps"]
)
def test_processes_end_as_this_one(name, tmp_path):
    config, data = resolved(BUILT[name][0])
    here, _ = uomh.train(config, data, tmp_path / "here")
    there, _ = uomh.train(config, data, tmp_path / "there", parallel=Parallel("processes", 2))
    assert same(here.state_dict(), there.state_dict())


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (
            {"name": "disconnected", "part": {**VAE, "conditional": True}},
            "parts of a disconnected model have no labels left to be conditional on",
        ),
        (
            {
                "name": "disconnected",
                "part": {"name": "two_step", "density": {**FLOW, "conditional": True}},
            },
            "parts of a disconnected model have no labels left to be conditional on",
        ),
        ({"name": "disconnected", "part": {"name": "disconnected"}}, "cluster more finely"),
        ({"name": "two_step", "autoencoder": {"name": "gan"}}, "gan has no codes"),
        ({"name": "two_step", "density": {"name": "ae"}}, "ae is no density"),
        ({"name": "two_step", "alternate": "step", "density": INNER}, "leave alternate"),
        (
            {
                "name": "two_step",
                "density": {
                    "name": "two_step",
                    "autoencoder": {"name": "vae", "latent_dim": "dimension"},
                },
            },
            "are codes, which are not there before training",
        ),
        ({"name": "two_step", "freeze": True}, "needs autoencoder_run"),
        ({"name": "two_step", "density": {"name": "fow"}}, "did you mean 'flow'"),
        (
            {"name": "two_step", "density": {"name": "flow", "num_layer": 3}},
            r"model\.density\.num_layer'; did you mean 'model\.density\.num_layers'",
        ),
    ],
)
def test_what_cannot_be_put_together_is_said_by_the_composition(tree, sentence):
    with pytest.raises(UomhError, match=sentence):
        uomh.build(*resolved(tree))
