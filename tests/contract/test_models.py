"""What every registered model keeps, on images and vectors, with and without labels."""

import pytest
import torch

import tests.gaussian  # noqa: F401  (registers the closed-form model)
from uomh import registry
from uomh.data import Data, Split
from uomh.errors import UomhError
from uomh.models.codec import CodecModel
from uomh.models.core import Codec
from uomh.models.leaf import Model
from uomh.training import TrainConfig, Trainer

MODELS = [
    name for name in registry.entries("models") if issubclass(registry.load("models", name), Model)
]
"""the leaves"""
QUICK = {"ebm": {"ld_steps": 5, "buffer_size": 64, "sample_steps": 5}}
"""what a model does less of here than by default, for speed alone"""
SHAPES = {"images": (1, 8, 8), "colour": (3, 16, 16), "vectors": (5,)}


def data_of(shape, n=24):
    generator = torch.Generator().manual_seed(0)

    def split(n):
        if len(shape) == 3:
            x = torch.randint(0, 256, (n, *shape), generator=generator).to(torch.uint8)
        else:
            x = torch.randn(n, *shape, generator=generator)
        return Split(x, torch.arange(n) % 3)

    levels = 256 if len(shape) == 3 else None
    return Data("contract", split(n), split(6), split(6), ("a", "b", "c"), levels, "contract")


@pytest.fixture(params=SHAPES, scope="module")
def data(request):
    return data_of(SHAPES[request.param])


@pytest.fixture(params=[False, True], ids=["plain", "conditional"])
def conditional(request):
    return request.param


def build(name, data, conditional):
    cls = registry.load("models", name)
    defaults = cls.Config.defaults(data.spec).get("model", {})
    config = cls.Config.of(defaults | QUICK.get(name, {}))
    torch.manual_seed(0)
    return cls(config.model_copy(update={"conditional": conditional}), data.spec)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_learns_through_its_own_group_alone(name, data, conditional):
    model = build(name, data, conditional)
    model.prepare(data)
    groups = model.groups()
    listed = [id(parameter) for parameters in groups.values() for parameter in parameters]
    assert sorted(listed) == sorted(map(id, model.parameters()))
    moved = set()
    for step in range(2):
        for group, loss in model.losses(data.train.x, data.train.y, step):
            assert loss.shape == ()
            assert loss.isfinite()
            gradients = torch.autograd.grad(loss, groups[group], allow_unused=True)
            for parameter, gradient in zip(groups[group], gradients, strict=True):
                if gradient is not None and gradient.abs().sum() > 0:
                    moved.add(id(parameter))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert not [names[address] for address in set(listed) - moved]


@pytest.mark.parametrize("name", MODELS)
def test_shapes_of_scores_densities_codes_and_samples(name, data, conditional):
    model = build(name, data, conditional).eval()
    model.prepare(data)
    x, y = data.test.x, data.test.y
    with torch.no_grad():
        if model.likelihood is None:
            with pytest.raises(UomhError, match="no likelihood"):
                model.log_prob(x, y)
        else:
            for labels in (y, None):
                density = model.log_prob(x, labels)
                assert density.shape == (6,)
                assert density.isfinite().all()
        if model.can_sample:
            samples = model.sample(7)
            assert samples.shape == (7, *data.spec.shape)
            assert samples.isfinite().all()
        else:
            with pytest.raises(UomhError, match="cannot be sampled"):
                model.sample(7)
        if isinstance(model, Codec):
            # The checks of points and codes have one home.
            assert type(model).encode is CodecModel.encode
            assert type(model).decode is CodecModel.decode
            codes = model.encode(x, y)
            assert codes.shape == (6, model.latent_dim)
            assert model.decode(codes, y).shape == x.shape
            assert torch.equal(codes, model.encode(x, y))


@pytest.mark.parametrize("name", MODELS)
def test_training_is_determined_by_the_seed_and_survives_saving(name, data, tmp_path):
    config = TrainConfig(max_epochs=2, batch_size=8)
    states = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        model = build(name, data, conditional=True)
        Trainer(config, folder=folder).fit(model, data)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    loaded = build(name, data, conditional=True)
    best = torch.load(tmp_path / "a/checkpoints/model/best.pt", weights_only=True)
    loaded.load_state_dict(best["model"])
    assert all(torch.equal(states[0][key], loaded.state_dict()[key]) for key in states[0])
