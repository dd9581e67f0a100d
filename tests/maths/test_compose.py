"""Two-step and disconnected models against closed forms."""

import dataclasses
import math

import pytest
import torch
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from tests.gaussian import Gaussian
from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.disconnected import Disconnected
from uomh.models.two_step import TwoStep
from uomh.models.vae import VAE
from uomh.training import TrainConfig, Trainer

PLAIN = {"whitening_transform": False, "scale_data": False}
DIM, LATENT, SIGMA = 4, 2, 0.5


def gaussian(dim, mean=None, deviation=None):
    spec = DataSpec((dim,), None, 0)
    model = Gaussian(Gaussian.Config.of({"name": "gaussian", **PLAIN}), spec)
    with torch.no_grad():
        if mean is not None:
            model.mean.copy_(mean[None])
        if deviation is not None:
            model.log_std.copy_(deviation.log()[None])
    return model.eval()


@pytest.fixture
def linear():
    """A linear two-step model: x = W z + b + noise, z Gaussian, and an encoder that inverts W."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(DIM, LATENT, generator=generator)
    b = torch.randn(DIM, generator=generator)
    net = {"net": "mlp", "hidden_dims": []}
    config = VAE.Config.of(
        {"name": "vae", "latent_dim": LATENT, "encoder": net, "decoder": net}
        | {"decoder_sigma": "unit"}
        | PLAIN
    )
    vae = VAE(config, DataSpec((DIM,), None, 0)).eval()
    vae.likelihood_of = lambda z, y: (z @ w.T + b, z.new_tensor(math.log(SIGMA)))
    inverse = torch.linalg.pinv(w)
    # A proposal as wide as the posterior, but not equal to it.
    vae.posterior = lambda x, y: ((x - b) @ inverse.T, x.new_zeros(len(x), LATENT) - 0.5)
    mean, deviation = torch.tensor([0.5, -1.0]), torch.tensor([0.7, 1.3])
    model = TwoStep(vae, gaussian(LATENT, mean, deviation), importance_samples=4096)
    return model, w, b, mean, deviation


def test_the_bound_of_two_steps_converges_to_the_closed_form(linear):
    model, w, b, mean, deviation = linear
    torch.manual_seed(0)
    x = torch.randn(50, DIM)
    covariance = (w * deviation**2) @ w.T + SIGMA**2 * torch.eye(DIM)
    truth = MultivariateNormal(w @ mean + b, covariance).log_prob(x)
    gaps = []
    for draws in (1, 16, 4096):
        model.importance_samples = draws
        with torch.no_grad():
            gaps.append((truth - model.log_prob(x)).mean().item())
    assert gaps[0] > gaps[1] > abs(gaps[2])
    # Relative deviation of a weight is a few, so that of a mean of 4,096 is below one in twenty.
    assert abs(gaps[2]) < 0.05
    assert model.likelihood == "bound"


def test_the_density_on_the_manifold_is_the_gaussian_on_its_subspace(linear):
    model, w, b, mean, deviation = linear
    torch.manual_seed(0)
    z = torch.randn(20, LATENT)
    on, off = z @ w.T + b, torch.randn(20, DIM)
    off = off - off @ torch.linalg.pinv(w).T @ w.T  # orthogonal to the plane
    found = model.manifold_log_prob(on + off)
    basis, _ = torch.linalg.qr(w)
    inner = basis.T @ w
    plane = MultivariateNormal(inner @ mean, (inner * deviation**2) @ inner.T)
    # 1e-4: Jacobian and densities are float32 of order ten.
    assert torch.allclose(found.log_prob, plane.log_prob((on - b) @ basis), atol=1e-4)
    assert torch.allclose(found.distance, off.norm(dim=1), atol=1e-4)
    assert torch.allclose(model.low_dim_log_prob(on + off), model.density.log_prob(z), atol=1e-4)


def test_areas_are_those_of_each_point_alone():
    """Points are taken in pieces, here of two and one; labels go with them."""
    torch.manual_seed(0)
    config = VAE.Config.of({"name": "vae", "latent_dim": 2, "conditional": True, **PLAIN})
    model = TwoStep(VAE(config, DataSpec((DIM,), None, 3)).double().eval(), gaussian(2).double())
    x, y = torch.randn(5, DIM, dtype=torch.float64), torch.tensor([0, 2, 1, 1, 0])
    together = model.manifold_log_prob(x, y)
    for i, label in enumerate(y):
        z = model.encode(x[i : i + 1], label[None])
        decode = lambda code, own=label: model.decode(code[None], own[None])[0]  # noqa: E731
        jacobian = torch.autograd.functional.jacobian(decode, z[0])
        area = 0.5 * torch.logdet(jacobian.T @ jacobian)
        expected = model.density.log_prob(z)[0] - area
        torch.testing.assert_close(together.log_prob[i], expected)


def test_codes_without_a_gaussian_decoder_give_no_density(digits):
    from tests.fitted import fitted

    wae = fitted("wae", digits, ["train.max_epochs=1"])
    model = TwoStep(wae, gaussian(wae.latent_dim))
    assert model.likelihood is None
    with pytest.raises(UomhError, match="no Gaussian decoder"):
        model.log_prob(digits.test.x)
    assert model.sample(3).shape == (3, 1, 8, 8)


def test_a_disconnected_gaussian_is_the_mixture(vectors):
    plain = dataclasses.replace(vectors, classes=(), levels=None)
    parts = {name: gaussian(2) for name in vectors.classes}
    model = Disconnected(parts, vectors.weights, vectors.spec)
    config = TrainConfig(max_epochs=500, lr=0.1, valid_metrics=(), schedule="cosine")
    model.fit(vectors, Trainer(config, part_threads=1))
    x, y = vectors.train.x, vectors.train.y
    means = torch.stack([x[y == k].mean(0) for k in range(3)])
    deviations = torch.stack([x[y == k].std(0, unbiased=False) for k in range(3)])
    mixture = MixtureSameFamily(
        Categorical(vectors.weights.float()), Independent(Normal(means, deviations), 1)
    )
    with torch.no_grad():
        ours = model.log_prob(plain.test.x)
    # Adam at a falling rate ends within 1e-2 of the maximum of the likelihood.
    assert torch.allclose(ours, mixture.log_prob(plain.test.x), atol=0.05)
    torch.manual_seed(0)
    samples = model.sample(3000)
    nearest = torch.cdist(samples, means).argmin(1).bincount(minlength=3) / 3000
    assert torch.allclose(nearest, torch.full((3,), 1 / 3), atol=0.05)  # six deviations of a share
    only = model.sample(50, torch.full((50,), 1))
    assert (torch.cdist(only, means).argmin(1) == 1).all()


def test_one_part_alone_scores_and_samples_as_itself(digits):
    from tests.fitted import fitted

    part = fitted("vae", digits, ["train.max_epochs=1"])
    spec = dataclasses.replace(digits.spec, num_classes=1)
    model = Disconnected({"all": part}, torch.ones(1), spec)
    results = []
    for each in (part, model):
        torch.manual_seed(3)
        with torch.no_grad():
            results.append((each.log_prob(digits.test.x), each.sample(5)))
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)


def test_a_conditional_two_step_model_is_the_mixture_of_its_labels():
    import uomh

    names = ["model.conditional=true", "model.density.num_layers=1"]
    few = ["data.limit=200", "train.max_epochs=1", "threads=1"]
    config, data = uomh.resolve(density="flow", overrides=[*names, *few])
    model, data = uomh.train(config, data)
    x = data.test.x[:6]
    with torch.no_grad():
        torch.manual_seed(0)
        given = [model.log_prob(x, torch.full((6,), k)) for k in range(10)]
        torch.manual_seed(0)  # the draws of the bounds come in the order of the labels
        mixed = model.log_prob(x)
    weights = data.weights.log().float()
    expected = torch.logsumexp(torch.stack(given, 1) + weights, 1)
    assert torch.allclose(mixed, expected, rtol=1e-6)
    assert model.sample(4, torch.tensor([0, 1, 2, 3])).shape == (4, 1, 8, 8)


def test_densities_on_several_manifolds_are_not_mixed(linear):
    model = linear[0]
    spec = DataSpec((DIM,), None, 2)
    both = Disconnected({"a": model, "b": model}, torch.ones(2) / 2, spec)
    for density in (both.manifold_log_prob, both.low_dim_log_prob):
        with pytest.raises(UomhError, match="no common measure"):
            density(torch.zeros(1, DIM))
    assert both.likelihood == "bound"
