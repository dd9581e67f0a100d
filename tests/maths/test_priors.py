import pytest
import torch

from uomh.errors import UomhError
from uomh.nn.priors import GaussianMixture, PriorSettings, build_prior

KINDS = [
    "gaussian",
    "mixture_of_gaussians",
    "learned_mixture_of_gaussians",
    "completely_learned_mixture_of_gaussians",
    "uniform",
]


@pytest.mark.parametrize("kind", KINDS)
def test_density_integrates_to_one_in_two_dimensions(kind):
    prior = build_prior(PriorSettings(kind=kind, components=3, spacing=2.0), 2).double()
    if kind.startswith("completely"):
        with torch.no_grad():
            prior.logits += torch.tensor([0.0, 1.0, -1.0])
            prior.log_stds += 0.3
    axis = torch.linspace(-12, 12, 1201, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        total = prior.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    # Exact to rounding for smooth densities; the cube's edge costs half a cell on each side.
    assert total.item() == pytest.approx(1, abs=0.03 if kind == "uniform" else 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_moments_of_the_density(kind):
    torch.manual_seed(0)
    prior = build_prior(PriorSettings(kind=kind, components=3, spacing=2.0), 2)
    z = prior.sample(40000)
    variance = {"gaussian": 1.0, "uniform": 1 / 3}.get(kind, 1 + 4 * 2 / 3)
    # Deviations of a mean and a variance of 40,000 draws, below 0.01 and 0.03 here; four of that.
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.04, rtol=0)
    torch.testing.assert_close(z.var(0), torch.full((2,), variance), atol=0.12, rtol=0)


@pytest.mark.parametrize(
    ("learn", "names"),
    [("nothing", set()), ("weights", {"logits"}), ("all", {"logits", "means", "log_stds"})],
)
def test_what_is_learned(learn, names):
    prior = GaussianMixture(2, 4, 1.0, learn)
    assert {name for name, _ in prior.named_parameters()} == names
    assert prior.means[:, 0].tolist() == [-2, -1, 0, 1]


def test_a_mixture_of_nothing_is_refused():
    with pytest.raises(UomhError, match="at least one component"):
        GaussianMixture(2, 0, 1.0)
