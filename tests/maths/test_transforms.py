import math

import pytest
import torch

from uomh.data import DataSpec, Split
from uomh.errors import UomhError
from uomh.nn.bijections import Chain
from uomh.nn.flows import Coupling, Mix, SplineSettings, Steps
from uomh.nn.transforms import (
    Cells,
    Logit,
    Scale,
    TransformSettings,
    Whiten,
    build_transform,
)

IMAGE = DataSpec((1, 3, 2), 256, 0)
VECTOR = DataSpec((6,), None, 0)


def fitted(transform, spec):
    generator = torch.Generator().manual_seed(1)
    if spec.levels is None:
        x = 3 * torch.randn(64, *spec.shape, generator=generator) + 5
    else:
        x = torch.randint(0, 256, (64, *spec.shape), generator=generator, dtype=torch.uint8)
    transform.double().fit(Split(x if spec.levels else x.double()))
    return transform


CASES = {
    "scale image": (Scale(IMAGE), IMAGE),
    "scale vector": (Scale(VECTOR), VECTOR),
    "whiten image": (Whiten(IMAGE.shape), IMAGE),
    "whiten vector": (Whiten(VECTOR.shape), VECTOR),
    "logit": (Chain(Scale(IMAGE), Logit(0.05, 256 / 255)), IMAGE),
    "identity": (Chain(), VECTOR),
}


@pytest.mark.parametrize("name", CASES)
def test_log_determinant_is_that_of_the_jacobian(name):
    transform, spec = CASES[name]
    transform = fitted(transform, spec)
    scale = 255.0 if spec.levels else 4.0
    x = scale * torch.rand(5, *spec.shape, dtype=torch.float64)
    _, log_det = transform(x)
    for point, value in zip(x, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda p: transform(p[None])[0].flatten(), point
        )
        expected = torch.linalg.slogdet(jacobian.reshape(spec.dim, spec.dim)).logabsdet
        # Both are sums of six float64 logarithms.
        assert value.item() == pytest.approx(expected.item(), abs=1e-9)


@pytest.mark.parametrize(("whiten", "spec"), [(True, IMAGE), (True, VECTOR), (False, VECTOR)])
def test_logits_of_values_without_a_range_are_refused(whiten, spec):
    with pytest.raises(UomhError, match="logit_transform takes grey levels"):
        build_transform(TransformSettings(logit_transform=True, whitening_transform=whiten), spec)


@pytest.mark.parametrize("name", CASES)
def test_inverse_undoes_forward(name):
    transform, spec = CASES[name]
    transform = fitted(transform, spec)
    x = 255 * torch.rand(5, *spec.shape, dtype=torch.float64)
    torch.testing.assert_close(transform.inverse(transform(x)[0]), x)


def test_whitening_standardises_and_floors_the_deviation():
    x = torch.cat([2 + 3 * torch.randn(5000, 2), torch.full((5000, 1), 7.0)], 1)
    whiten = Whiten((3,))
    whiten.fit(Split(x))
    z, _ = whiten(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.std(0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-4, rtol=0)
    assert whiten.scale[2].item() == pytest.approx(0.1)


def test_cells_dequantise_in_training_alone():
    levels = torch.randint(0, 17, (2000, 1, 2, 2), dtype=torch.uint8)
    cells = Cells(dequantize=True)
    u = cells.train()(levels) - levels
    assert 0 <= u.min() <= u.max() < 1
    # The mean of 8,000 uniform numbers deviates by 0.0032; five of that.
    assert u.mean().item() == pytest.approx(0.5, abs=0.016)
    assert torch.equal(cells.eval()(levels), levels + 0.5)
    points = torch.rand(3, 2)
    assert torch.equal(Cells(dequantize=True).train()(points), points)


def test_denoising_noise_has_its_deviation_and_leaves_evaluation_alone():
    cells = Cells(dequantize=False, denoising_sigma=2.0)
    x = torch.zeros(20000, 1)
    # The deviation of 20,000 draws is known to 0.5%; five of that.
    assert cells.train()(x).std().item() == pytest.approx(2, rel=0.025)
    assert torch.equal(cells.eval()(x), x)


def test_default_transforms_depend_on_shape():
    x = torch.full((1, 1, 3, 2), 128.0)
    z, log_det = build_transform(TransformSettings(), IMAGE)(x)
    assert torch.equal(z, x / 255)
    assert log_det.item() == pytest.approx(-6 * math.log(255), rel=1e-6)
    assert isinstance(next(iter(build_transform(TransformSettings(), VECTOR).parts)), Whiten)


def test_transforms_of_data_and_steps_of_flows_are_maps_of_one_chain():
    torch.manual_seed(0)
    settings = SplineSettings(num_blocks_per_layer=1, hidden_units=8)
    steps = Steps(Mix(6), Coupling(6, 2, settings, planes=False))
    for parameter in steps.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    chain = fitted(Chain(Whiten((6,)), steps), VECTOR)
    assert chain.maps[0].shift.abs().min() > 4  # fitted through the chain
    x = 5 + 3 * torch.randn(4, 6, dtype=torch.float64)
    context = torch.eye(2, dtype=torch.float64)[torch.tensor([0, 1, 0, 1])]
    z, log_det = chain(x, context)
    torch.testing.assert_close(chain.inverse(z, context), x)
    assert not torch.allclose(chain(x, context.flip(1))[0], z)
    whitened, first = chain.maps[0](x)
    torch.testing.assert_close(log_det, first + steps(whitened, context)[1])


def test_chains_keep_their_names_in_state_dicts():
    assert list(Chain(Scale(IMAGE)).state_dict()) == ["parts.0.shift", "parts.0.scale"]
    names = ["steps.0.triangles", "steps.0.log_diagonal", "steps.0.order"]
    assert list(Steps(Mix(3)).state_dict()) == names
