"""No measured number depends on where a batch ends."""

import math

import pytest
import torch

import uomh
from uomh import registry
from uomh.data import Data, Split
from uomh.errors import UomhError
from uomh.metrics import Evaluation, evaluate, weights_of
from uomh.nn.mmd import mmd

SIZES = (64, 100, 512, 513)
QUICK = {
    "arm": ["model.hidden_size=8"],
    "ebm": ["model.ais_temperatures=20", "model.sample_steps=2", "model.buffer_size=64"],
    "flow_matching": ["model.hidden_units=8", "model.num_layers=1"],
    "two_step": [
        "model.density.num_layers=1",
        "model.autoencoder.latent_dim=3",
        "model.importance_samples=4",
    ],
}
DRAWN = {"avb", "disconnected", "ebm", "flow_matching", "two_step", "vae"}
"""models whose loss or likelihood takes draws of its own for each point"""


def points(n, seed=0):
    """The levels of n images of 4x4 pixels and their labels."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 8, (n, 1, 4, 4), generator=generator, dtype=torch.uint8)
    return Split(x, torch.arange(n) % 2)


@pytest.fixture(scope="module")
def data():
    return Data("points", points(64), points(513, 1), points(33, 2), ("a", "b"), 8, "points")


def model_of(name, data, *overrides):
    config, _ = uomh.resolve(overrides=[f"model.name={name}", "threads=1", *overrides])
    model = uomh.build(config, data)
    for path, leaf in model.leaves():
        leaf.prepare(model.codes(data) if path == "density" else data)
    return model.eval()


def values_of(names, model, data, split, size):
    return evaluate(names, Evaluation(model, data, split, 0, size))


@pytest.mark.parametrize("overrides", [[], ["model.penalty=mmd"], ["model.conditional=true"]])
def test_the_loss_of_a_wae_is_the_same_for_every_batch_size(data, overrides):
    model = model_of("wae", data, *overrides)
    losses = [values_of(["loss"], model, data, data.valid, size)["loss"] for size in SIZES]
    assert math.isfinite(losses[0].value)
    assert losses[0].n == 513
    for other in losses[1:]:
        assert other.value == pytest.approx(losses[0].value, rel=1e-6)


def test_the_loss_of_a_joint_wae_is_the_same_for_every_batch_size(data):
    model = model_of("two_step", data, "model.autoencoder.name=wae", "model.alternate=step")
    joint = model.joint
    one, other = (values_of(["loss"], joint, data, data.valid, size)["loss"] for size in (64, 512))
    assert one.value == pytest.approx(other.value, rel=1e-6)


def test_a_discrepancy_of_one_point_is_refused():
    with pytest.raises(UomhError, match="needs pairs of points"):
        mmd(torch.zeros(1, 2), torch.zeros(1, 2))


@pytest.mark.parametrize("name", registry.entries("models"))
def test_no_metric_depends_on_where_a_batch_ends(name, data):
    first, _, second = name.partition("+")
    density = [f"density.name={second}"] if second else []
    model = model_of(first, data, *density, *QUICK.get(name, []))
    split, before = data.valid[:33], weights_of(model)
    names = list(registry.entries("metrics"))
    found = [values_of(names, model, data, split, size) for size in (16, 32, 33)]
    for metric, value in found[0].items():
        for other in (values[metric] for values in found[1:]):
            assert (other.value is None) == (value.value is None), metric
            if value.value is None:
                assert value.reason, metric
            elif name in DRAWN and metric != "l2_reconstruction_error":
                assert math.isfinite(other.value), metric
                half = 0 if value.high is None else value.high - value.value
                assert abs(other.value - value.value) <= 2 * half + 1e-5 * abs(value.value), metric
            else:
                assert other.value == pytest.approx(value.value, rel=1e-5), metric
    if model.can_sample:
        model.sample(3)
    assert weights_of(model) == before, "measuring and sampling leave the weights alone"
