"""Likelihoods against closed forms."""

import math

import pytest
import torch

import uomh
from tests.gaussian import Gaussian
from uomh.data import Data, DataSpec, Split
from uomh.metrics import Evaluation, evaluate, weights_of
from uomh.metrics.likelihood import ImportanceWeightedLogLikelihood
from uomh.models.ebm import EBM
from uomh.models.leaf import Model
from uomh.models.vae import VAE
from uomh.nn.layers import NetSettings


class UniformLevels(Model):
    """The uniform density on [0, levels)^D."""

    likelihood = "exact"

    def losses(self, x, y, step):
        yield from ()

    def log_density(self, x, y):
        inside = ((x >= 0) & (x < self.spec.levels)).flatten(1).all(1)
        return torch.where(inside, -self.spec.dim * math.log(self.spec.levels), -math.inf)


def images(n, levels):
    x = torch.randint(0, levels, (n, 1, 4, 4), dtype=torch.uint8)
    return Data("noise", Split(x), Split(x[:0]), Split(x), (), levels, "noise")


@pytest.mark.parametrize(("levels", "bits"), [(256, 8.0), (17, math.log2(17))])
def test_bits_per_dim_of_the_uniform_model(levels, bits):
    data = images(20, levels)
    model = UniformLevels(Model.Config(), data.spec)
    values = evaluate(["bits_per_dim", "log_likelihood"], Evaluation(model, data, data.test))
    assert values["bits_per_dim"].value == pytest.approx(bits, rel=1e-6)  # float32 logarithm
    assert values["log_likelihood"].value == pytest.approx(-16 * math.log(levels), rel=1e-6)
    assert values["bits_per_dim"].kind == "exact"


NAME = "importance_weighted_log_likelihood"


def linear_vae(samples):
    """x = W z + b + noise, with an encoder that is off the true posterior."""
    torch.manual_seed(3)
    config = VAE.Config(
        latent_dim=2,
        encoder=NetSettings(net="mlp", hidden_dims=()),
        decoder=NetSettings(net="mlp", hidden_dims=()),
        decoder_sigma="unit",
        importance_samples=samples,
        scale_data=False,
        whitening_transform=False,
    )
    model = VAE(config, DataSpec((3,), None, 0)).double().eval()
    weight, bias = model.decoder.body[0].weight.data, model.decoder.body[0].bias.data
    weight.mul_(2)
    covariance = weight @ weight.T + torch.eye(3, dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(bias, covariance)
    # The exact posterior's mean, and a deviation twice too small for one of two codes.
    precision = weight.T @ weight + torch.eye(2, dtype=torch.float64)
    gain = torch.linalg.solve(precision, weight.T)
    linear = model.encoder.body[0]
    linear.weight.data = torch.cat([gain, torch.zeros(2, 3, dtype=torch.float64)])
    spread = 0.5 * torch.linalg.inv(precision).diagonal().log()
    linear.bias.data = torch.cat([-gain @ bias, spread + torch.tensor([0.2, 0.4])])
    return model, exact


def test_importance_weighted_bound_converges_to_the_likelihood():
    gaps = {}
    for samples in (1, 30, 3000):
        model, exact = linear_vae(samples)
        torch.manual_seed(0)
        x = exact.sample((200,))
        with torch.no_grad():
            gaps[samples] = (exact.log_prob(x) - model.log_prob(x)).mean().item()
    assert gaps[1] > gaps[30] > gaps[3000] - 1e-3
    # The bound's bias falls like variance / (2k): below 1e-3 nats at 3,000 draws here; the noise
    # of the mean over 200 points is of the same size.
    assert gaps[3000] == pytest.approx(0, abs=4e-3)


def test_evidence_lower_bound_is_below_the_likelihood():
    model, exact = linear_vae(1)
    torch.manual_seed(0)
    x = exact.sample((2000,))
    with torch.no_grad():
        elbo = -model.objective(x, None).mean().item()
    assert elbo < exact.log_prob(x).mean().item()


def test_vae_likelihood_is_in_data_space():
    """The same VAE, told to scale its data by hand or by its transform."""
    spec = DataSpec((1, 2, 2), 256, 0)
    scaled = VAE(VAE.Config(latent_dim=2, decoder_sigma="unit"), spec).eval()
    plain = VAE(VAE.Config(latent_dim=2, decoder_sigma="unit", scale_data=False), spec).eval()
    weights = {k: v for k, v in scaled.state_dict().items() if not k.startswith("transform")}
    plain.load_state_dict(weights, strict=False)
    x = 255 * torch.rand(6, 1, 2, 2)
    with torch.no_grad():
        torch.manual_seed(0)
        in_data_space = scaled.log_prob(x)
        torch.manual_seed(0)
        in_unit_space = plain.log_prob(x / 255)
    torch.testing.assert_close(in_data_space, in_unit_space - 4 * math.log(255))


def test_learned_deviations_stay_above_half_a_grey_level(digits):
    for how in ("single", "per_pixel"):
        config = VAE.Config(decoder_sigma=how, latent_dim=2)
        model = VAE(config, digits.spec)
        model.prepare(digits)
        floor = model.floored(torch.tensor(-50.0)).exp() * 16  # in grey levels
        torch.testing.assert_close(floor, torch.full_like(floor, 0.5))


def test_exact_density_integrates_to_one_on_a_grid():
    model = Gaussian(Gaussian.Config(whitening_transform=True), DataSpec((2,), None, 0)).double()
    model.transform.fit(Split(torch.randn(500, 2, dtype=torch.float64) * 0.5 + 1))
    model.mean.data += 0.3
    axis = torch.linspace(-6, 8, 701, dtype=torch.float64)
    with torch.no_grad():
        density = model.log_prob(torch.cartesian_prod(axis, axis)).exp()
    # The trapezoid rule is exact to rounding for a Gaussian well inside the grid.
    assert density.sum().item() * (axis[1] - axis[0]).item() ** 2 == pytest.approx(1, abs=1e-6)


def test_gaussian_reaches_the_closed_form(vectors):
    config, _ = uomh.resolve(overrides=["train.max_epochs=60", "train.lr=0.02"])
    values = config.model_dump(mode="json") | {"model": {"name": "gaussian"}}
    config = type(config).of(values)
    model = uomh.fit(uomh.build(config, vectors), vectors, config)
    x = vectors.train.x
    fitted = torch.distributions.Normal(x.mean(0), x.std(0, correction=0))
    expected = fitted.log_prob(vectors.test.x).sum(1).mean().item()
    got = uomh.measure(model, vectors, config, ("log_likelihood",))["log_likelihood"]
    # Weights end within an Adam step (0.02) of the optimum, which costs its square.
    assert got.value == pytest.approx(expected, abs=0.02)
    assert got.low < got.value < got.high


@pytest.mark.parametrize("conditional", [False, True])
def test_an_exact_model_is_scored_once(digits, conditional):
    """Its loss is its likelihood; conditional on labels it is another number, of its own pass."""
    model = Gaussian(Gaussian.Config(conditional=conditional, scale_data=True), digits.spec)
    model.prepare(digits)
    model.mean.data += torch.rand_like(model.mean)
    passes = []
    model.preprocess = lambda x, own=model.preprocess: passes.append(len(x)) or own(x)
    evaluation = Evaluation(model, digits, digits.test, batch_size=len(digits.test.x))
    values = evaluate(["log_likelihood", "loss", "bits_per_dim"], evaluation)
    same = values["loss"].value == -values["log_likelihood"].value
    assert same is not conditional
    assert len(passes) == (11 if conditional else 1)  # a pass for each class, and the loss


def test_conditional_gaussian_is_the_mixture(vectors):
    config, _ = uomh.resolve(overrides=["train.max_epochs=200", "train.lr=0.02"])
    chosen = {"name": "gaussian", "conditional": True}
    config = type(config).of(config.model_dump(mode="json") | {"model": chosen})
    model = uomh.fit(uomh.build(config, vectors), vectors, config)
    x, y = vectors.test.x, vectors.test.y
    with torch.no_grad():
        given = torch.stack([model.log_prob(x, torch.full((len(x),), k)) for k in range(3)])
        mixture = torch.logsumexp(given + vectors.weights.float().log()[:, None], 0)
        torch.testing.assert_close(model.log_prob(x), mixture)
        # Groups eight deviations apart: the mixture is the label's own term.
        alone = given[y, torch.arange(len(x))] + math.log(1 / 3)
    torch.testing.assert_close(mixture, alone, atol=1e-3, rtol=0)


def test_more_draws_bring_the_bound_to_the_likelihood():
    """Of a linear VAE, whose likelihood is known; the model's own number is left alone."""
    model, exact = linear_vae(4)
    torch.manual_seed(0)
    x = exact.sample((200,))
    data = Data("linear", Split(x), Split(x[:0]), Split(x))
    settings = ImportanceWeightedLogLikelihood.Config
    found = [
        evaluate([settings(name=NAME, draws=draws)], Evaluation(model, data, data.test))[NAME]
        for draws in (1, 3000)
    ]
    assert found[0].value < found[1].value
    assert found[1].value == pytest.approx(exact.log_prob(x).mean().item(), abs=4e-3)
    assert (found[1].kind, found[1].settings) == ("bound", {"draws": 3000})
    assert model.importance_samples == 4
    noise = images(3, 4)
    uniform = UniformLevels(Model.Config(), noise.spec)
    refused = evaluate([NAME], Evaluation(uniform, noise, noise.test))[NAME]
    assert refused.reason == "UniformLevels has no importance-weighted bound"


def test_annealing_brings_the_bound_to_the_likelihood():
    """Of the linear VAE, point by point, closer than as many draws without annealing."""
    model, exact = linear_vae(16)
    torch.manual_seed(0)
    x = exact.sample((300,))
    with torch.no_grad():
        expected, plain = exact.log_prob(x), model.log_prob(x)
        bound = model.annealed_bound(x, None, 16, 60)
    error = bound - expected
    assert error.mean().abs() < 3 * error.std() / math.sqrt(300)
    assert error.std() < 0.5 * (plain - expected).std()
    data = Data("linear", Split(x), Split(x[:0]), Split(x))
    value = evaluate(["ais_log_likelihood"], Evaluation(model, data, data.test))
    found = value["ais_log_likelihood"]
    assert (found.kind, found.n) == ("bound", 100)  # of every third point
    assert found.value == pytest.approx(expected[::3].mean().item(), abs=0.02)


def test_an_energy_is_measured_with_the_uncertainty_of_its_constant(digits):
    model = EBM(EBM.Config(buffer_size=64, ais_temperatures=20), digits.spec).eval()
    model.prepare(digits)
    before, few = weights_of(model), digits.test[:20]
    value = evaluate(["ais_log_likelihood"], Evaluation(model, digits, few))["ais_log_likelihood"]
    points = [model.unnormalised_log_prob(few.x.float() + 0.5).std().item() / math.sqrt(20)]
    assert value.kind == "estimate"
    assert value.high - value.low > 2 * points[0]
    assert "effective chains" in value.about
    assert weights_of(model) == before
    assert model.likelihood is None
