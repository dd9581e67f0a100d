"""What every registered model keeps while it is trained: precision, and exact resumption."""

import pytest
import torch

from tests.contract.test_models import MODELS, SHAPES, build, data_of
from uomh.training import TrainConfig, Trainer
from uomh.training.checkpoints import Checkpoints


@pytest.fixture(params=SHAPES, scope="module")
def data(request):
    return data_of(SHAPES[request.param])


@pytest.mark.parametrize("name", MODELS)
def test_steps_run_under_autocast(name, data):
    model = build(name, data, conditional=True)
    model.prepare(data)
    groups = model.groups()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for group, loss in model.losses(data.train.x, data.train.y, 0):
            assert loss.isfinite()
            loss.backward(inputs=groups[group])
    for parameters in groups.values():
        assert all(weight.grad is None or weight.grad.isfinite().all() for weight in parameters)


@pytest.mark.parametrize("name", MODELS)
def test_a_step_of_one_group_leaves_the_others_alone(name, data):
    model = build(name, data, conditional=False)
    model.prepare(data)
    groups = model.groups()
    for group, loss in model.losses(data.train.x, data.train.y, 0):
        loss.backward(inputs=groups[group])
        others = [weights for name, weights in groups.items() if name != group]
        assert all(weight.grad is None for weights in others for weight in weights)
        model.zero_grad()


class DeathError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("name", MODELS)
def test_a_run_that_died_ends_in_the_same_state(name, data, tmp_path, monkeypatch):
    config = TrainConfig(max_epochs=3, batch_size=8, schedule="cosine", ema=0.9)
    Trainer(config, folder=tmp_path / "a").fit(build(name, data, conditional=True), data)
    save, count = Checkpoints.save, 0

    def dies_in_the_second_epoch(self, saved, state):
        nonlocal count
        count += saved == "last"
        if count == 2:
            raise DeathError
        save(self, saved, state)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", dies_in_the_second_epoch)
        with pytest.raises(DeathError):
            Trainer(config, folder=tmp_path / "b").fit(build(name, data, conditional=True), data)
    Trainer(config, folder=tmp_path / "b").fit(build(name, data, conditional=True), data)
    last = [
        torch.load(tmp_path / run / "checkpoints/model/last.pt", weights_only=True) for run in "ab"
    ]
    assert last[0]["step"] == last[1]["step"]
    assert all(map(torch.equal, last[0]["average"], last[1]["average"]))
    for key, value in last[0]["model"].items():
        assert torch.equal(value, last[1]["model"][key]), key
    for group, state in last[0]["optimizers"].items():
        for i, moments in state["state"].items():
            for key, value in moments.items():
                assert torch.equal(value, last[1]["optimizers"][group]["state"][i][key])
