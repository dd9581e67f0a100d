"""The simulated device refuses what CUDA refuses, and allows what it allows."""

import pytest
import torch

from tests.device.simulated import simulated


@pytest.fixture
def device(monkeypatch):
    with simulated("cuda", monkeypatch) as device:
        yield device


@pytest.mark.parametrize(
    "mixed",
    [
        lambda here, there: here + there,
        lambda here, there: here * there.sum(),
        lambda here, there: torch.stack([here.sum(), there.sum()]),
        lambda here, there: here[there.long()],
        lambda here, there: there.add_(here),
        lambda here, there: here.sum().add_(there.sum()),
        lambda here, there: torch.mm(there[None], here[:, None]),
    ],
)
def test_what_is_refused(mixed, device):
    with pytest.raises(RuntimeError, match="same device"):
        mixed(torch.zeros(3), torch.zeros(3, device="cuda"))


def test_what_is_allowed(device):
    here, there = torch.zeros(3), torch.zeros(3, device="cuda")
    for value in (there + here.sum(), there[here.long()], there.clone().copy_(here), there.view(3)):
        assert value.device == device.device
    for value in (here.clone().copy_(there), there.cpu(), torch.zeros_like(there, device="cpu")):
        assert value.device.type == "cpu"
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()
