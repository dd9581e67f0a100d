"""Every model with its defaults on images of any shape: it builds, trains, and is sampled."""

import pytest
import torch

from tests.contract.test_models import MODELS, QUICK, data_of
from uomh import registry
from uomh.nn.layers import NetSettings
from uomh.training import TrainConfig, Trainer

SHAPES = [(3, 8, 8), (1, 5, 7), (3, 16, 16), (1, 28, 28), (3, 12, 20), (3, 5, 5), (1, 9, 40)]
SMALL = {"arm": {"hidden_size": 8, "num_layers": 1}, "flow": {"num_layers": 1, "hidden_units": 8}}
"""sizes of what is slow by the number of coordinates"""


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_defaults_fit_images_of_any_shape(name, shape):
    data = data_of(shape, 4)
    cls = registry.load("models", name)
    defaults = cls.Config.defaults(data.spec)
    quick = QUICK.get(name, {}) | SMALL.get(name, {})
    torch.manual_seed(0)
    model = cls(cls.Config.of(defaults.get("model", {}) | quick), data.spec)
    Trainer(TrainConfig(max_epochs=1, batch_size=4, valid_metrics=())).fit(model, data)
    if model.can_sample:
        with torch.no_grad():
            assert model.sample(2).isfinite().all()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_networks_at_the_papers_shapes_stay_the_papers(name, shape):
    cls = registry.load("models", name)
    defaults = cls.Config.of(cls.Config.defaults(data_of(shape, 1).spec).get("model", {}))
    expected = None
    if name in ("gan", "wae"):
        expected = "cnn"
    for field, net in defaults:
        if isinstance(net, NetSettings):
            plain = getattr(cls.Config(), field).net
            assert net.net in {plain, expected}
