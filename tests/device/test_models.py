"""Every model, metric and the loop on a device that is not the processor."""

import pytest
import torch

from tests.contract.test_models import MODELS, build, data_of
from tests.device.simulated import simulated
from uomh import registry
from uomh.metrics import Evaluation, evaluate
from uomh.models.codec import codes_of
from uomh.models.core import Codec
from uomh.training import TrainConfig, Trainer

# Images on a device without float64: test_settings.py.
PLACES = {"cuda": (1, 8, 8), "mps": (5,)}


@pytest.fixture(params=PLACES)
def device(request, monkeypatch):
    with simulated(request.param, monkeypatch) as device:
        yield device


@pytest.fixture
def data(device):
    return data_of(PLACES[device.device.type])


def on(device, name, data):
    model = build(name, data, conditional=True)
    model.prepare(data)
    return model.to(device.device)


@pytest.mark.parametrize("name", MODELS)
def test_every_public_method(name, data, device):
    model = on(device, name, data).eval()
    x, y = data.test.x.to(device.device), data.test.y.to(device.device)
    with torch.no_grad():
        made = [model.sample(4), model.sample(4, y[:4])] if model.can_sample else []
        if model.likelihood is not None:
            made += [model.log_prob(x, y), model.log_prob(x), model.objective(x, y)]
        if isinstance(model, Codec):
            codes = model.encode(x, y)
            made += [codes, model.decode(codes, y), model.reconstruct(x, y)]
            assert codes_of(model, data).train.x.device.type == "cpu"
    assert all(value.device == device.device for value in made)


@pytest.mark.parametrize("name", MODELS)
def test_every_metric(name, data, device):
    model = on(device, name, data)
    values = evaluate(registry.entries("metrics"), Evaluation(model, data, data.test))
    assert values


@pytest.mark.parametrize("name", MODELS)
def test_the_loop_reads_the_device_once_an_epoch(name, data, device, tmp_path):
    reads = []
    for batch_size in (8, 4):
        config = TrainConfig(max_epochs=1, batch_size=batch_size, ema=0.9, max_grad_norm=1.0)
        device.reads.clear()
        trainer = Trainer(config, folder=tmp_path / str(batch_size), device=str(device.device))
        model = build(name, data, conditional=True)
        trainer.fit(model, data)
        assert model.device == device.device
        reads.append(list(device.reads))
    assert reads[0] == reads[1]
