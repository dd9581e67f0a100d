"""What every model says to points, labels, codes and counts that are not what it is for."""

import math
import time

import numpy as np
import pytest
import torch

from tests.contract.test_models import MODELS, build, data_of
from uomh import registry
from uomh.data import DataSpec
from uomh.errors import UomhError
from uomh.models.core import Codec
from uomh.models.disconnected import Disconnected
from uomh.models.ebm import EBM
from uomh.models.flow import Flow
from uomh.models.flow_matching import FlowMatching
from uomh.models.two_step import TwoStep
from uomh.models.vae import VAE

IMAGES, VECTORS = data_of((1, 4, 4)), data_of((3,))
SCORED = [
    name
    for name in MODELS
    if registry.load("models", name).likelihood is not None and name != "ebm"  # without its Z
]
SAMPLED = [name for name in MODELS if registry.load("models", name).can_sample]


def composition(name, data):
    spec = DataSpec(data.spec.shape, data.spec.levels, 0)
    vae = VAE(VAE.Config(latent_dim=2), spec)
    if name == "two_step":
        return TwoStep(vae, Flow(Flow.Config(num_layers=1), DataSpec((2,), None, 0)))
    parts = {k: VAE(VAE.Config(latent_dim=2), spec) for k in "abc"}
    return Disconnected(parts, torch.ones(3), data.spec)


def prepared(name, data, conditional=True):
    if name in ("two_step", "disconnected"):
        model = composition(name, data)
        for path, leaf in model.leaves():
            if path != "density":
                leaf.prepare(data)
    else:
        model = build(name, data, conditional)
        model.prepare(data)
    return model.eval()


def doors(model, data, n=6):
    """Every public method that takes points and labels."""
    names = ["log_prob"] if model.likelihood is not None else []
    if isinstance(model, Codec):
        names += ["encode", "reconstruct"]
    if isinstance(model, Disconnected):
        names += ["reconstruct"]
    if isinstance(model, EBM):
        names += ["unnormalised_log_prob"]
    return [getattr(model, name) for name in names]


ALL = [*MODELS, "two_step", "disconnected"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("data", [IMAGES, VECTORS], ids=["images", "vectors"])
def test_points_that_are_not_of_the_data_are_refused(name, data):
    model = prepared(name, data)
    x, y = data.test.x, data.test.y
    floats = x.float()
    wrong = [
        (torch.cat([floats, floats[:, :1]], 1), "shape"),
        (torch.cat([floats, floats[..., :1]], -1), "shape"),
        (floats[0], "shape"),
        (floats.flatten(), "shape"),
        (torch.tensor(1.0), "shape"),
        (floats.long(), "int64"),
        (floats > 0, "bool"),
        (floats.to(torch.complex64), "complex"),
        (floats.numpy(), "tensor"),
        (floats.index_fill(0, torch.tensor([2]), math.nan), "1 of 6 points are not finite.*row 2"),
        (floats.index_fill(0, torch.tensor([0]), math.inf), "not finite"),
        (floats.to("meta"), "meta"),
        (floats.flatten(1).to_sparse(), "to_dense"),
    ]
    if data.levels is None:
        wrong.append((x.byte(), "uint8"))
    for door in doors(model, data):
        for points, message in wrong:
            with pytest.raises(UomhError, match=message):
                door(points, y)


def test_grey_levels_that_the_data_do_not_have_are_refused():
    model = Flow(Flow.Config(), DataSpec((1, 2, 2), 16, 0))
    with pytest.raises(UomhError, match="grey levels 0 to 15; these images have 200"):
        model.log_prob(torch.full((2, 1, 2, 2), 200, dtype=torch.uint8))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "plain"])
def test_labels_that_are_not_of_the_data_are_refused(name, conditional):
    model = prepared(name, VECTORS, conditional)
    x = VECTORS.test.x
    wrong = [
        (torch.zeros(5, dtype=torch.long), "shape"),
        (torch.zeros(6, 1, dtype=torch.long), "shape"),
        (torch.tensor(1), "shape"),
        (1, "torch.full"),
        ([0, 1, 2, 0, 1, 2], "torch.full"),
        (np.zeros(6, dtype=int), "torch.full"),
        (torch.zeros(6), "whole numbers"),
        (torch.zeros(6, dtype=torch.bool), "whole numbers"),
    ]
    if model.num_classes:
        wrong += [
            (torch.tensor([0, 1, 2, 3, 0, 0]), "0 to 2; there is 3"),
            (torch.tensor([0, 1, 2, -1, 0, 0]), "0 to 2; there is -1"),
        ]
    for labels, message in wrong:
        for door in doors(model, VECTORS):
            with pytest.raises(UomhError, match=message):
                door(x, labels)
        if model.can_sample:
            with pytest.raises(UomhError, match=message):
                model.sample(6, labels)
        if isinstance(model, Codec):
            with pytest.raises(UomhError, match=message):
                model.decode(torch.zeros(6, model.latent_dim), labels)
    if model.can_sample:  # of any whole type
        assert model.sample(3, torch.tensor([0, 1, 2], dtype=torch.uint8)).shape == (3, 3)


@pytest.mark.parametrize("name", [*SAMPLED, "two_step", "disconnected"])
def test_the_number_of_samples_is_a_whole_number(name):
    model = prepared(name, VECTORS)
    for n in (-1, 2.5, "3", None, True, torch.tensor([1, 2])):
        with pytest.raises(UomhError, match="number of samples"):
            model.sample(n)
    assert model.sample(0).shape == (0, 3)
    assert model.sample(np.int64(2)).shape == (2, 3)


@pytest.mark.parametrize("name", [*SCORED, "two_step", "disconnected"])
def test_no_points_have_no_densities(name):
    model = prepared(name, VECTORS)
    assert model.log_prob(VECTORS.test.x[:0]).shape == (0,)
    assert model.log_prob(VECTORS.test.x[:0], VECTORS.test.y[:0]).shape == (0,)


def test_points_of_float64_are_those_of_the_models_type():
    model = prepared("flow", VECTORS, conditional=False)
    x = VECTORS.train.x[:6].double()
    assert torch.equal(model.log_prob(x), model.log_prob(x.float()))


def test_codes_that_are_not_of_the_model_are_refused():
    for name in MODELS:
        model = prepared(name, VECTORS, conditional=False)
        if isinstance(model, Codec):
            for codes in (
                torch.zeros(2, model.latent_dim + 1),
                torch.zeros(model.latent_dim),
                torch.zeros(2, model.latent_dim, dtype=torch.long),
                [[0.0]],
            ):
                with pytest.raises(UomhError, match="codes"):
                    model.decode(codes)


def moved(model, seed=0):
    """The model with weights that are not those of its beginning."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.mark.parametrize("name", [*SCORED, "two_step", "disconnected"])
@pytest.mark.parametrize("data", [IMAGES, VECTORS], ids=["images", "vectors"])
def test_far_points_have_little_density_at_once_and_leave_others_alone(name, data):
    model = moved(prepared(name, data, conditional=False))
    near = data.test.x[:1].float()
    start = time.monotonic()
    for far in (1e3, -1e30, 3e38):
        torch.manual_seed(0)
        with torch.no_grad():
            both = model.log_prob(torch.cat([near, torch.full_like(near, far)]))
        assert not both.isnan().any()
        assert both[0].isfinite()
        assert both[1] < math.inf
        assert abs(far) < 1e30 or both[1] == -math.inf
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("name", [*SCORED, "ae", "wae"])
def test_grey_levels_that_a_logit_cannot_take_have_no_density(name):
    data = IMAGES
    cls = registry.load("models", name)
    model = cls(cls.Config(logit_transform=True), data.spec)
    model.prepare(data)
    x = data.test.x.float() + 0.5
    x[1, 0, 0, 0], x[3, 0, 2, 2] = 300.0, -7.0
    if isinstance(model, Codec):
        with pytest.raises(UomhError, match="2 of 6 points, the first in row 1"):
            model.encode(x)
    if model.likelihood is not None:
        with torch.no_grad():
            found = model.eval().log_prob(x)
        assert found.isfinite().tolist() == [True, False, True, False, True, True]
        assert (found[[1, 3]] == -math.inf).all()


def test_probability_flow_says_where_its_field_is_not_finite_at_once():
    model = FlowMatching(FlowMatching.Config(), DataSpec((2,), None, 0)).eval()
    model.velocity = lambda t, x, y: x * math.nan
    start = time.monotonic()
    with pytest.raises(UomhError, match="0% of its way"):
        model.sample(3)
    assert time.monotonic() - start < 1
    outside = torch.tensor([[0.0, 0.0], [1e30, 0.0]])
    model.velocity = lambda t, x, y: 0 * x
    found = model.estimated_log_prob(outside)
    assert found.value[0].item() == pytest.approx(-math.log(2 * math.pi))
    assert found.value[1] == -math.inf
    assert (found.standard_error == 0).all()
