"""The moving average of weights: its value, and who sees it."""

import json

import pytest
import torch
from torch import nn

import uomh
from uomh.data import Data, Split
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.training import TrainConfig, Trainer
from uomh.training.average import Average


def test_average_of_weights_by_hand():
    weights = [2.0, 4.0, 8.0, 16.0]
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
        average = Average(model, decay=0.2)
        for step, weight in enumerate(weights):
            model.weight.fill_(weight)
            average.update(step)
    # Decays of the first steps are (1 + n) / (10 + n) until that passes 0.2.
    expected = 1.0
    for decay, weight in zip((1 / 10, 2 / 11, 0.2, 0.2), weights, strict=True):
        expected = decay * expected + (1 - decay) * weight
    assert average.values[0].item() == pytest.approx(expected, rel=1e-6)
    with average.applied():
        assert model.weight.item() == pytest.approx(expected, rel=1e-6)
    assert model.weight.item() == 16.0


class Counts(Model):
    """A weight that gains one at each step, a buffer that does, and what others see of them."""

    can_sample = True

    def __init__(self, spec):
        super().__init__(ModelConfig(), spec)
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("steps", torch.zeros(()))
        self.scored, self.drawn = [], []

    def losses(self, x, y, step):
        yield "model", -self.weight
        self.steps += 1

    def objective(self, x, y):
        self.scored.append(self.weight.item())
        return torch.zeros(len(x))

    def draw(self, n, y):
        self.drawn.append(self.weight.item())
        return torch.zeros(n, *self.spec.shape)


def test_validation_samples_and_best_weights_take_the_average_and_live_buffers(tmp_path):
    x = torch.zeros(8, 1, 8, 8, dtype=torch.uint8)
    data = Data("zeros", Split(x), Split(x[:2]), Split(x[:2]), (), 256)
    model = Counts(data.spec)
    config = TrainConfig(
        max_epochs=1, batch_size=2, ema=0.2, optimizer="sgd", lr=1.0, sample_every=1
    )
    Trainer(config, folder=tmp_path).fit(model, data)
    expected = 0.0
    for decay, weight in zip((1 / 10, 2 / 11, 0.2, 0.2), range(1, 5), strict=True):
        expected = decay * expected + (1 - decay) * weight
    for seen in (*model.scored, *model.drawn, model.weight.item()):
        assert seen == pytest.approx(expected, rel=1e-6)
    assert (len(model.scored), len(model.drawn)) == (1, 1)
    best, last = (
        torch.load(tmp_path / f"checkpoints/model/{name}.pt", weights_only=True)
        for name in ("best", "last")
    )
    assert best["model"]["weight"].item() == pytest.approx(expected, rel=1e-6)
    assert last["model"]["weight"].item() == 4.0
    assert best["model"]["steps"].item() == last["model"]["steps"].item() == 4.0


def test_an_average_does_not_touch_training(digits, tmp_path):
    """The same weights with and without it; its validation loss is the one that is logged."""
    lasts = []
    for name, extra in (("plain", []), ("averaged", ["train.ema=0.9"])):
        overrides = ["model.encoder_hidden_dims=[16]", "model.decoder_hidden_dims=[16]"]
        overrides += ["train.max_epochs=2", "threads=1", *extra]
        config, data = uomh.resolve(overrides=[*overrides, "data.limit=300"])
        model = uomh.fit(uomh.build(config, data), data, config, tmp_path / name)
        path = tmp_path / name / "checkpoints/model/last.pt"
        lasts.append(torch.load(path, weights_only=True)["model"])
    assert all(torch.equal(lasts[0][key], lasts[1][key]) for key in lasts[0])
    lines = (tmp_path / "averaged/metrics.jsonl").read_text().splitlines()
    logged = [row["value"] for row in map(json.loads, lines) if row["split"] == "valid"]
    evaluation = uomh.metrics.Evaluation(model, data, data.valid, config.seed)
    found = uomh.metrics.evaluate(("loss",), evaluation)
    assert found["loss"].value == pytest.approx(min(logged), rel=1e-9)
