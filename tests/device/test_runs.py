"""Whole runs on a simulated device, and the mistakes that it is there to catch."""

from dataclasses import replace

import pytest
import torch

import uomh
from tests.contract.test_models import build, data_of
from tests.device.simulated import simulated
from uomh.errors import UomhError
from uomh.metrics import Evaluation
from uomh.models.vae import VAE
from uomh.training import TrainConfig, Trainer
from uomh.training.losses import EpochLosses

NETS = {"encoder": {"hidden_dims": [8]}, "decoder": {"hidden_dims": [8]}}
DATA = {"limit": 120, "test_limit": 30, "class_ind": [0, 1]}
LESS = {"threads": 1, "evaluate": {"metrics": ["loss", "l2_reconstruction_error"]}}
FLOW = {"name": "flow", "num_layers": 1, "train": {"max_epochs": 1}}
VAE_ALONE = {"name": "vae", **NETS}
TWO = {"name": "two_step", "autoencoder": VAE_ALONE, "density": FLOW}
RUNS = {
    "one": {},
    "two steps": {
        "model": TWO,
        "evaluate": {"metrics": ["bits_per_dim", "manifold_log_likelihood"]},
    },
    "in turns": {"model": {**TWO, "alternate": "epoch"}},
    "parts": {"model": {"name": "disconnected", "part": VAE_ALONE}},
}


def trained(folder, device, epochs=1, **more):
    values = {**LESS, "data": DATA, "model": VAE_ALONE, "device": device, **more}
    values["train"] = {"max_epochs": epochs, "batch_size": 50, "sample_every": 1}
    config, data = uomh.resolve(values=values)
    model, grouped = uomh.train(config, data, folder)
    return model, uomh.measure(model, grouped, config, run_dir=folder)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("run", RUNS)
def test_a_run_ends_as_on_the_processor(run, kind, tmp_path, monkeypatch):
    here, values = trained(tmp_path / "here", "cpu", **RUNS[run])
    with simulated(kind, monkeypatch):
        there, found = trained(tmp_path / "there", "auto", **RUNS[run])
        assert there.device.type == kind
        weights = {name: value.cpu() for name, value in there.state_dict().items()}
    assert all(torch.equal(weights[name], value) for name, value in here.state_dict().items())
    for name, value in values.items():
        assert (found[name].value, found[name].reason) == (value.value, value.reason)


@pytest.mark.parametrize("second", ["cuda", "cpu"])
def test_a_run_goes_on_on_this_device_or_another(second, tmp_path, monkeypatch):
    whole, _ = trained(tmp_path / "whole", "cpu", epochs=2)
    with simulated("cuda", monkeypatch):
        trained(tmp_path / "run", "cuda")
        model, _ = trained(tmp_path / "run", second, epochs=2)
        weights = {name: value.cpu() for name, value in model.state_dict().items()}
        record = uomh.training.folder.read_config_file(tmp_path / "run")
    assert all(torch.equal(weights[name], value) for name, value in whole.state_dict().items())
    first = "cuda (simulated)"
    assert record.content["devices"] == ([first] if second == "cuda" else [first, "cpu"])
    assert record.asked.device == "cuda"


@pytest.fixture
def data():
    return data_of((5,))


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_points_of_float64_are_trained_on(kind, data, monkeypatch):
    precise = replace(data, train=replace(data.train, x=data.train.x.double()))
    with simulated(kind, monkeypatch) as device:
        model = build("vae", precise, conditional=False)
        Trainer(TrainConfig(max_epochs=1, batch_size=8), device=kind).fit(model, precise)
        values = Evaluation(model, precise, precise.train).log_prob()
        assert model.device == device.device
        assert values.dtype == torch.float64


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_losses_gather_on_a_device_without_float64(kind, monkeypatch):
    with simulated(kind, monkeypatch) as device:
        losses = EpochLosses(kind)
        for step in range(300):
            losses.add(step, "model", torch.tensor(0.1 + step, device=kind))
        assert len(device.reads) == 1
        assert losses.means()["loss"] == pytest.approx(149.6, rel=1e-6)


def planted(data, device, **methods):
    """A vae with other methods, on the device."""
    model = build("vae", data, conditional=False)
    model.__class__ = type("Planted", (type(model),), methods)
    model.prepare(data)
    return model.to(device.device).eval()


def test_a_tensor_made_on_the_processor_is_caught(data, monkeypatch):
    def draw(self, n, y):
        return self.decode(torch.randn(n, self.latent_dim))

    def objective(self, x, y):
        return VAE.objective(self, x, y) * torch.ones(len(x))

    with simulated("cuda", monkeypatch) as device:
        model = planted(data, device, draw=draw, objective=objective)
        with pytest.raises(UomhError, match="codes are on cpu, the model on cuda:0"):
            model.sample(3)
        with pytest.raises(RuntimeError, match="at least two devices, cuda:0 and cpu"):
            next(model.losses(data.train.x.to(device.device), None, 0))


@pytest.mark.parametrize(
    "read",
    [
        torch.Tensor.item,
        torch.Tensor.cpu,
        torch.Tensor.tolist,
        bool,
        float,
        lambda loss: loss.to("cpu"),
        lambda loss: torch.zeros(()).copy_(loss),
        lambda loss: loss[None][loss[None] > 0],
    ],
    ids=["item", "cpu", "tolist", "bool", "float", "to", "copy", "a mask"],
)
def test_a_read_within_a_step_is_counted(read, data, monkeypatch):
    def losses(self, x, y, step):
        for group, loss in VAE.losses(self, x, y, step):
            read(loss.detach())
            yield group, loss

    def reads(device, batch_size, **methods):
        model = planted(data, device, **methods).to("cpu")
        device.reads.clear()
        Trainer(TrainConfig(max_epochs=1, batch_size=batch_size), device="cuda").fit(model, data)
        return len(device.reads)

    with simulated("cuda", monkeypatch) as device:
        assert reads(device, 4, losses=losses) - reads(device, 8, losses=losses) == 3
        assert reads(device, 4) == reads(device, 8)


def test_a_tensor_of_float64_is_caught_on_mps_alone(data, monkeypatch):
    def log_density(self, x, y):
        return VAE.log_density(self, x, y).double()

    for kind in ("cuda", "mps"):
        with monkeypatch.context() as patch, simulated(kind, patch) as device:
            model = planted(data, device, log_density=log_density)
            x = data.test.x.to(device.device)
            if kind == "cuda":
                assert model.log_prob(x).dtype == torch.float64
                continue
            with pytest.raises(TypeError, match="float64"):
                model.log_prob(x)
            with pytest.raises(TypeError, match="float64"):
                torch.zeros(3, dtype=torch.float64, device=kind)
            with pytest.raises(TypeError, match="float64"):
                torch.zeros(3, dtype=torch.float64).to(kind)
