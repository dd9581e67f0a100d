"""Compositions of compositions: they build, train, go on, load and score, or are refused."""

import pytest
import torch

import uomh
from uomh.errors import UomhError
from uomh.models.core import model_class
from uomh.parallel import Parallel
from uomh.settings import parse_value

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
        (
            {"name": "disconnected", "parts": [{"name": "a", "n": 1, "model": {"name": "vae"}}]},
            "setting parts: the data decide it",
        ),
        ({"name": "disconnected", "part": {"conditional": 3}}, r"model\.part\.conditional=3"),
        ({"name": "two_step", "freeze": 3}, r"model\.freeze=3"),
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


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["model=3"], "setting model should be a mapping of settings, not 3"),
        (["model=flow"], "setting model should be a mapping of settings, not 'flow'"),
        (["model.density=[]"], r"setting model\.density should be a mapping of settings, not \[\]"),
        (["model.autoencoder=3"], r"setting model\.autoencoder should be a mapping"),
        (["model.name=[]"], r"model\.name=\[\]: a name is a text"),
        (["model=3", "model.conditional=true"], "setting model should be a mapping"),
        (["model.name=vae", "model.name.name=x"], "setting model.name should be a mapping"),
        (["train=3", "train.lr=1"], "setting train should be a mapping"),
        (["data=[]"], "setting data should be a mapping"),
        (
            ["model.density.train.lr=x"],
            r'model\.density\.train\.lr="x": input should be a valid num',
        ),
        (
            ["model.density.train.max_epochs=0"],
            r"model\.density\.train\.max_epochs=0: input should",
        ),
    ],
)
def test_a_value_over_settings_is_refused_by_its_key(overrides, sentence):
    values = {"data": {"dataset": "digits"}}
    with pytest.raises(UomhError, match=sentence):
        uomh.resolve(values=values, overrides=overrides, density="flow")


def test_null_over_a_model_is_the_default_and_over_its_training_that_of_the_run():
    overrides = ["model.density=null", "model.autoencoder.train=null", "train.lr=0.5"]
    values = {"data": {"dataset": "digits"}, "model": {"name": "two_step"}}
    config, _ = uomh.resolve(values=values, overrides=overrides)
    assert config.model.density.name == "flow"
    assert config.model.autoencoder.train.lr == 0.5


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("model=null", "model"),
        ("model.density=null", "model.density"),
        ("model.autoencoder=null", "model.autoencoder"),
    ],
)
def test_null_over_a_model_that_is_named_is_refused(override, key):
    values = {"data": {"dataset": "digits"}, "model": {"name": "ae"}}
    with pytest.raises(UomhError, match=rf"setting {key}=null: the model '\w+' is named there"):
        uomh.resolve(values=values, overrides=[override], density="gan")


@pytest.mark.parametrize(
    ("model", "overrides", "sentence"),
    [
        ("flow", ["model.fit_latent_dim=true"], r"'model\.fit_latent_dim'; the model has no codes"),
        (
            "flow",
            ["model.latent_dim=dimension"],
            r"'model\.latent_dim'; the model has no codes;",
        ),
        ("gan", ["model.fit_latent_dim=true"], "the model has no codes, whose size the dimension"),
        ("gan", ["model.latent_dim=dimension"], "latent_dim=dimension: GAN has no codes, whose"),
        (
            "ae",
            ["model.latent_dim=dimension", "model.fit_latent_dim=false"],
            "latent_dim=dimension and fit_latent_dim=false contradict each other",
        ),
    ],
)
def test_codes_by_dimension_are_refused_where_they_cannot_be(model, overrides, sentence):
    values = {"data": {"dataset": "digits"}, "model": {"name": model}}
    with pytest.raises(UomhError, match=sentence):
        uomh.resolve(values=values, overrides=overrides)
    pairs = (text.partition("=") for text in overrides)
    nested = {key.removeprefix("model."): parse_value(value) for key, _, value in pairs}
    with pytest.raises(UomhError, match=sentence):
        uomh.resolve(values={**values, "model": {"name": model, **nested}})


def test_a_density_without_such_a_setting_may_follow_a_conditional_autoencoder():
    density = {"name": "disconnected", "part": FLOW}
    config, _ = resolved({"name": "two_step", "conditional": True, "density": density})
    assert config.model.autoencoder.conditional


def test_codes_below_the_first_step_do_not_change_under_a_trained_second_step():
    def settings(first, inner, second):
        steps = zip(("autoencoder", "density"), (first, inner), strict=True)
        below = {step: {"train": {"max_epochs": epochs}} for step, epochs in steps}
        outer = {"name": "flow", "train": {"max_epochs": second}}
        tree = {"name": "two_step", "autoencoder": {"name": "two_step", **below}, "density": outer}
        return resolved(tree)[0].model

    check = model_class(settings(1, 1, 1)).check_growth
    check(settings(1, 1, 1), settings(2, 2, 2))
    with pytest.raises(UomhError, match="raise those of the density, too"):
        check(settings(1, 1, 1), settings(2, 1, 2))
