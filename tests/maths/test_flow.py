"""The invertible maps of flows against automatic differentiation."""

import pytest
import torch

from uomh.data import Data, DataSpec, Split
from uomh.errors import UomhError
from uomh.models.flow import Flow
from uomh.nn.priors import PriorSettings
from uomh.training import TrainConfig, Trainer

CASES = {
    "coupling": (DataSpec((6,), None, 3), "coupling"),
    "coupling of one": (DataSpec((1,), None, 3), "coupling"),
    "autoregressive": (DataSpec((5,), None, 3), "autoregressive"),
    "autoregressive of one": (DataSpec((1,), None, 3), "autoregressive"),
    "images": (DataSpec((1, 3, 3), 17, 3), "coupling"),
    "multiscale": (DataSpec((1, 4, 4), 17, 3), "multiscale"),
    "multiscale, colour": (DataSpec((3, 4, 6), 256, 3), "multiscale"),
}


@pytest.fixture(params=CASES)
def flow(request):
    """A conditional flow in float64, its weights far from where training begins."""
    spec, transform = CASES[request.param]
    torch.manual_seed(0)
    config = Flow.Config(
        transform=transform, conditional=True, num_layers=2, num_blocks_per_layer=2, hidden_units=8
    )
    model = Flow(config, spec).double().eval()
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def points(spec, n):
    span = spec.levels or 1
    return span * torch.rand(n, *spec.shape, dtype=torch.float64)


def test_inverse_restores_points(flow):
    x, y = points(flow.spec, 7), torch.arange(7) % 3
    with torch.no_grad():
        flat = flow.preprocess(x)[0]
        flat = flat.flatten(1) if flow.flat else flat
        z, _ = flow.flow(flat, flow.context(y, flat))
        back = flow.flow.inverse(z, flow.context(y, flat))
        torch.testing.assert_close(back, flat, atol=1e-8, rtol=1e-8)
        restored = flow.transform.inverse(back.reshape(x.shape))
        torch.testing.assert_close(restored, x, atol=1e-6, rtol=1e-6)


def test_log_density_is_that_of_the_change_of_variables(flow):
    y = torch.tensor([1])
    x = points(flow.spec, 1)

    def whole(flat):
        z, _ = flow.preprocess(flat.reshape(x.shape))
        return flow.flow(z.flatten(1) if flow.flat else z, flow.context(y, flat))[0][0]

    jacobian = torch.autograd.functional.jacobian(whole, x.flatten())
    base = flow.prior.log_prob(whole(x.flatten()))
    expected = base + torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(flow.log_prob(x, y)[0], expected, atol=1e-8, rtol=1e-8)


def test_samples_without_labels_have_the_shares_of_the_labels_in_the_data():
    """Three classes eight deviations apart, of 300, 200 and 100 points."""
    torch.manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    y = torch.tensor([0, 0, 0, 1, 1, 2]).repeat(100)
    split = Split(centres[y] + torch.randn(600, 2), y)
    data = Data("classes", split, Split(split.x[:0]), Split(split.x[:0]), ("a", "b", "c"), None)
    config = Flow.Config(
        conditional=True, num_layers=2, num_blocks_per_layer=1, hidden_units=32, tail_bound=5.0
    )
    model = Flow(config, data.spec)
    Trainer(TrainConfig(max_epochs=20, batch_size=100, lr=1e-2)).fit(model, data)
    model.eval()

    def nearest(samples):
        return torch.cdist(samples, centres).argmin(1)

    labels = torch.arange(300) % 3
    assert (nearest(model.sample(300, labels)) == labels).float().mean() > 0.95
    counts = torch.bincount(nearest(model.sample(300)), minlength=3)
    # The largest standard deviation is 8.7 of 300; five of it.
    assert (counts - torch.tensor([150, 100, 50])).abs().max() < 43


def test_mixture_bases_keep_the_label():
    prior = PriorSettings(kind="completely_learned_mixture_of_gaussians", components=4, spacing=2)
    model = Flow(Flow.Config(conditional=True, prior=prior), DataSpec((4,), None, 3)).eval()
    for parameter in model.flow.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    x = torch.randn(5, 4)
    by_label = [model.log_prob(x, torch.full((5,), k)) for k in range(3)]
    assert not torch.allclose(by_label[0], by_label[1])
    assert model.sample(9).shape == (9, 4)


def test_what_cannot_be_a_flow_is_refused():
    with pytest.raises(UomhError, match="even sizes"):
        Flow(Flow.Config(transform="multiscale"), DataSpec((5,), None, 0))
    with pytest.raises(UomhError, match="uniform"):
        Flow(Flow.Config(prior=PriorSettings(kind="uniform")), DataSpec((5,), None, 0))
