"""Optimisers are torch's, to the bit, and training does not wait for torch's compiler."""

import subprocess
import sys

import pytest
import torch

from uomh.config import OptimizerConfig
from uomh.training.optim import build_optimizer

SETTINGS = {
    "adam": {"lr": 0.1, "weight_decay": 0.01, "betas": (0.8, 0.95)},
    "sgd": {"lr": 0.1, "weight_decay": 0.01, "momentum": 0.9},
    "rmsprop": {"lr": 0.1, "weight_decay": 0.01, "momentum": 0.9},
}
THEIRS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}


def descend(build, steps, state=None):
    """Weights and state after so many steps of an optimiser on a quadratic."""
    weights = torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4))
    optimizer = build([weights])
    if state is not None:
        weights.data, held = state[0].clone(), state[1]
        optimizer.load_state_dict(held)
    for _ in range(steps):
        optimizer.zero_grad()
        assert weights.grad is None
        (weights - torch.arange(4.0)).square().sum().backward()
        optimizer.step()
    return weights.detach(), optimizer.state_dict()


@pytest.mark.parametrize("name", SETTINGS)
def test_optimisers_are_those_of_torch(name):
    settings = SETTINGS[name]
    config = OptimizerConfig(optimizer=name, **settings)
    fused = {} if name == "rmsprop" else {"fused": True}

    def ours(weights):
        return build_optimizer(config, weights)

    weights, state = descend(ours, 5)
    expected, theirs = descend(lambda w: THEIRS[name](w, **settings, **fused), 5)
    assert torch.equal(weights, expected)
    assert state.keys() == theirs.keys()
    assert state["param_groups"] == theirs["param_groups"]
    resumed, _ = descend(ours, 2, descend(ours, 3))
    assert torch.equal(resumed, expected)


def test_training_does_not_import_the_compiler(tmp_path):
    code = (
        "import sys; from pathlib import Path; import uomh;"
        "from uomh.training.run import train;"
        "config, data = uomh.resolve(overrides=['data.dataset=digits', 'train.max_epochs=1']);"
        "train(config, data, Path(sys.argv[1]));"
        "assert 'torch._dynamo' not in sys.modules"
    )
    run = tmp_path / "run"
    subprocess.run([sys.executable, "-c", code, str(run)], check=True, timeout=120)
    assert (run / "metrics.jsonl").is_file()
