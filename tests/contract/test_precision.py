"""Every model takes vectors of float64, and says where float32 would not hold them."""

import numpy as np
import pytest
import torch

from tests.contract.test_models import MODELS, build
from uomh.data import Data, Split
from uomh.errors import UomhError
from uomh.models.codec import codes_of
from uomh.models.core import Codec
from uomh.training import TrainConfig, Trainer
from uomh.training.resolve import resolve


def vectors(change=lambda x: x):
    generator = torch.Generator().manual_seed(0)

    def split(n):
        x = torch.randn(n, 5, generator=generator, dtype=torch.float64)
        return Split(change(x), torch.arange(n) % 3)

    return Data("precise", split(24), split(6), split(6), ("a", "b", "c"), None, "precise")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_on_float64_as_on_float32(name):
    found = []
    for change in (lambda x: x.float().double(), torch.Tensor.float):
        data = vectors(change)
        model = build(name, data, conditional=True)
        Trainer(TrainConfig(max_epochs=1, batch_size=8)).fit(model, data)
        with torch.no_grad():
            loss = model.objective(data.test.x, data.test.y) if model.likelihood else torch.zeros(1)
            if isinstance(model, Codec):
                assert codes_of(model, data).train.x.dtype == torch.float32
        found.append((loss, list(model.parameters())))
    # Whitening takes its sums in float64 either way; what follows is the same arithmetic.
    for one, two in zip(found[0][1], found[1][1], strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: x + 1e8, "5 of 5 coordinates would be rounded by more than a hundredth"),
        (lambda x: x * 1e39, "values as large as .* overflow; centre or rescale"),
        (lambda x: x * 1e-50, "would be rounded"),
        (lambda x: torch.cat([x[:12], x[:12] + 1e-12]), "12 points would become equal to others"),
    ],
)
def test_points_that_float32_would_change_are_refused(change, says):
    data = vectors(change)
    model = build("vae", data, conditional=False)
    with pytest.raises(UomhError, match=says):
        model.prepare(data)


def test_a_constant_coordinate_and_copies_are_no_reason_to_refuse():
    def change(x):
        x[:, 0] = 0.1
        x[1] = x[0]
        return x

    data = vectors(change)
    build("vae", data, conditional=False).prepare(data)


def test_settings_of_a_run_take_a_table(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(50, 3)))
    config, data = resolve(values={"data": {"dataset": str(tmp_path / "a.npy")}})
    assert data.train.x.dtype == torch.float64
    assert config.data.dataset == str(tmp_path / "a.npy")
