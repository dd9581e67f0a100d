"""Codes of the Wasserstein autoencoder against its prior."""

import math

import pytest
import torch

import uomh
from tests.contract.test_models import data_of
from tests.fitted import fitted
from uomh.data import Data, DataSpec, Split
from uomh.models.wae import WAE
from uomh.nn.mmd import mmd
from uomh.nn.priors import PriorSettings


def p_value(a, b, permutations=400):
    """Of the kernel two-sample test (Gretton et al. 2012), with its null by permutation."""
    joined, n = torch.cat([a, b]), len(a)
    squares = torch.cdist(joined, joined).square()
    width = squares.median()
    kernel = sum(s * width / (s * width + squares) for s in (0.1, 1.0, 10.0)).fill_diagonal_(0)
    signs = torch.cat([torch.ones(n), -torch.ones(len(b))])
    shuffled = torch.stack([signs[torch.randperm(len(signs))] for _ in range(permutations)])
    null = torch.einsum("pi,ij,pj->p", shuffled, kernel, shuffled)
    return (1 + int((null >= signs @ kernel @ signs).sum())) / (1 + permutations)


def test_mmd_is_unbiased_and_tells_distributions_apart():
    torch.manual_seed(0)
    same = torch.stack([mmd(torch.randn(60, 3), torch.randn(60, 3)).mean() for _ in range(300)])
    # Four standard errors of the mean of 300 estimates.
    assert same.mean().abs() < 4 * same.std() / math.sqrt(300)
    moved = torch.stack([mmd(torch.randn(60, 3) + 1, torch.randn(60, 3)).mean() for _ in range(20)])
    assert moved.min() > same.max()


def test_mmd_with_labels_compares_each_label():
    torch.manual_seed(0)
    y = torch.arange(200) % 2
    z, w = torch.randn(200, 1), torch.randn(200, 1)
    sorted_by_label = torch.where(y == 0, z[:, 0].abs(), -z[:, 0].abs())[:, None]
    assert mmd(sorted_by_label, w).mean() < 0.1  # as a whole a standard normal
    assert mmd(sorted_by_label, w, y).mean() > 0.3  # half of it under each label


def sheet(n, seed):
    """Points near a curved sheet in R^5, of unequal extent, so that codes must be stretched."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.randn(n, 2, generator=generator) * torch.tensor([2.0, 0.5])
    return torch.cat([t, t.tanh(), 0.02 * torch.randn(n, 1, generator=generator)], 1)


@pytest.mark.parametrize("penalty", ["adversarial", "mmd"])
def test_codes_are_like_the_prior(penalty):
    data = Data("sheet", Split(sheet(2000, 0)), Split(sheet(0, 1)), Split(sheet(300, 2)))
    model = fitted(
        "wae",
        data,
        [
            "model.latent_dim=2",
            f"model.penalty={penalty}",
            "model.lambda_=10",
            "train.max_epochs=20",
        ],
    )
    with torch.no_grad():
        codes = model.encode(data.test.x)
        # A right model fails at this level once in a hundred seeds; an untrained one always.
        assert p_value(codes, torch.randn(300, 2)) > 0.01
        assert p_value(codes * 1.5, torch.randn(300, 2)) < 0.01
        error = (model.decode(codes) - data.test.x).square().sum(1).mean()
    assert error < 0.1 * data.test.x.var(0).sum()


@pytest.mark.slow
@pytest.mark.parametrize("penalty", ["adversarial", "mmd"])
def test_codes_of_digits_are_like_the_prior(penalty):
    data = uomh.load_data("digits")
    # The discrepancy is a smaller number than the discriminator's loss, and needs more weight.
    weight = {"adversarial": 1, "mmd": 10}[penalty]
    model = fitted("wae", data, [f"model.penalty={penalty}", f"model.lambda_={weight}"])
    with torch.no_grad():
        for split, n in ((data.test, 179), (data.train, 300)):
            torch.manual_seed(1)
            codes = model.encode(split.x)[torch.randperm(len(split))[:n]]
            assert p_value(codes, torch.randn(n, model.latent_dim)) > 0.01


@pytest.mark.parametrize("penalty", ["adversarial", "mmd"])
def test_a_learned_prior_moves_towards_the_codes(penalty):
    prior = PriorSettings(kind="completely_learned_mixture_of_gaussians", components=3, spacing=4)
    torch.manual_seed(0)
    model = WAE(WAE.Config(latent_dim=2, penalty=penalty, prior=prior), DataSpec((5,), None, 0))
    data = data_of((5,), 64)
    groups = model.groups()
    for group, loss in model.losses(data.train.x, None, 0):
        if group == "autoencoder":
            gradients = torch.autograd.grad(loss, list(model.prior.parameters()))
            assert all(gradient.abs().sum() > 0 for gradient in gradients)
    assert set(map(id, model.prior.parameters())) <= set(map(id, groups["autoencoder"]))
    assert bool(groups["discriminator"]) == (penalty == "adversarial")
