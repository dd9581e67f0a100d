"""Annealed importance sampling against known constants; the chains of the energy-based model."""

import math

import pytest
import torch

from tests.contract.test_models import data_of
from uomh.errors import UomhError
from uomh.models.ebm import EBM
from uomh.nn.ais import ais_log_partition


def gaussian_energies(stds):
    """E = |x - 1|^2 / (2 s^2) of groups with deviations s; its constants on a wide box."""

    def energy(x):
        s = stds.repeat_interleave(len(x) // len(stds))
        return 0.5 * (x - 1).square().sum(1) / s**2

    return energy


@pytest.mark.parametrize("dim", [2, 10])
def test_intervals_cover_the_constant_of_a_gaussian(dim):
    stds = torch.tensor([0.3, 0.5, 0.5, 0.8])
    low, high = torch.full((dim,), -5.0), torch.full((dim,), 6.0)
    torch.manual_seed(0)
    found = ais_log_partition(gaussian_energies(stds), low, high, 200, 4, temperatures=200)
    # The box holds all but 1e-8 of the mass of each.
    exact = dim * (stds.double().log() + 0.5 * math.log(2 * math.pi))
    # Each interval holds the truth 19 times in 20: a miss by half its width more is allowed for.
    slack = 0.5 * (found.high - found.low)
    assert ((found.low - slack < exact) & (exact < found.high + slack)).all()
    assert (found.high - found.low < 2).all()
    assert (found.effective > 5).all()


def test_constant_where_the_walls_matter():
    """E = c . x on a box: prod (exp(-c a) - exp(-c b)) / c, with half the mass at the walls."""
    c = torch.tensor([3.0, -0.5])
    low, high = torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 2.0])
    torch.manual_seed(0)
    found = ais_log_partition(lambda x: x @ c, low, high, 400, temperatures=100)
    exact = (((-c * low).exp() - (-c * high).exp()) / c).log().sum().item()
    assert found.low.item() - 0.02 < exact < found.high.item() + 0.02
    assert found.value.item() == pytest.approx(exact, abs=0.1)


def model_of(shape, **settings):
    data = data_of(shape)
    torch.manual_seed(0)
    model = EBM(EBM.Config(buffer_size=64, ld_steps=5, **settings), data.spec)
    model.prepare(data)
    return model, data


def test_estimated_density_integrates_to_one():
    model, _ = model_of((2,), ais_chains=300, ais_temperatures=100)
    for parameter in model.parameters():
        parameter.data *= 3
    axes = [torch.linspace(a, b, 200) for a, b in zip(model.low, model.high, strict=True)]
    cell = math.prod((axis[1] - axis[0]).item() for axis in axes)
    x = model.transform.inverse(torch.cartesian_prod(*axes))
    with torch.no_grad():
        density = model.eval().log_prob(x).exp().sum() * cell
        outside = model.log_prob(model.transform.inverse(model.high[None] + 0.1))
    # In the space of the transforms, so that the cell needs their log-determinant taken off.
    log_det = model.preprocess(x[:1])[1].item()
    # The estimate's standard error is some 0.02, the rule's at the walls 0.01.
    assert density.item() * math.exp(-log_det) == pytest.approx(1, abs=0.1)
    assert outside.item() == -math.inf


def test_likelihood_is_refused_until_it_is_estimated_and_after_training():
    model, data = model_of((5,), ais_temperatures=10)
    assert model.likelihood is None
    with pytest.raises(UomhError, match="ais_chains"):
        model.log_prob(data.test.x)
    assert model.unnormalised_log_prob(data.test.x).isfinite().all()
    model.estimate_log_partition(8)  # far too few to be of use: this is about the bookkeeping
    assert model.likelihood == "estimate"
    assert model.log_prob(data.test.x).isfinite().all()
    next(model.losses(data.train.x, None, 0))
    with pytest.raises(UomhError, match="ais_chains"):
        model.log_prob(data.test.x)


def test_chains_build_no_graph_and_stay_in_the_box():
    model, _ = model_of((1, 8, 8))
    parameters = list(model.parameters())
    x, _ = model.advanced(16)
    assert not x.requires_grad
    assert all(weight.grad is None and weight.requires_grad for weight in parameters)
    assert x.abs().max() <= 1


def test_buffer_keeps_the_newest_chains():
    model, _ = model_of((3,), ld_eps_new=0.0)
    for _ in range(5):
        x, _ = model.advanced(20)
    # 100 chains went into 64 places: the last 20 stand from place 80 - 64 on.
    assert int(model.replayed) == 100
    assert torch.equal(model.replay[16:36], x)


def test_langevin_steps_go_downhill():
    model, _ = model_of((3,), ld_sigma=0.0)
    x = model.noise(50)
    before = model.energy(x, None)
    after = model.energy(model.langevin(x, None, 20), None)
    assert after.mean() < before.mean()


def test_samples_of_a_label_begin_at_chains_of_that_label():
    model, data = model_of((3,), conditional=True)
    for _ in range(3):
        next(model.losses(data.train.x, data.train.y, 0))
    model.langevin = lambda x, y, steps: x
    y = torch.tensor([0, 1, 2, 2])
    z, _ = model.transform(model.draw(4, y))
    distance = (z[:, None] - model.replay[:64]).square().sum(2)
    assert torch.equal(model.replay_labels[distance.argmin(1)], y)


@pytest.mark.parametrize("chains", [0, -1, 2.5, True, "3", None])
def test_chains_that_are_no_number_of_chains_are_refused(chains):
    model, _ = model_of((3,))
    with pytest.raises(UomhError, match="chain"):
        model.estimate_log_partition(chains)


def test_unnormalised_densities_are_checked_like_densities():
    model, data = model_of((3,), conditional=True)
    x, y = data.test.x, data.test.y
    found = model.unnormalised_log_prob(x.double(), y)
    assert torch.equal(found, model.unnormalised_log_prob(x, y.to(torch.uint8)))
    assert model.unnormalised_log_prob(x[:0], y[:0]).shape == (0,)
    with pytest.raises(UomhError, match="give it labels"):
        model.unnormalised_log_prob(x)
    far = x.index_fill(0, torch.tensor([1]), 1e30)
    assert model.unnormalised_log_prob(far, y)[1] == -math.inf
    torch.testing.assert_close(model.unnormalised_log_prob(far, y)[2:], found[2:])
