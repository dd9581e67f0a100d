"""Which weights are the best, where a validation value is missing or not finite."""

import math

import pytest
import torch
from torch import nn

import uomh
from uomh.data import Data, Split
from uomh.errors import UomhError
from uomh.metrics import Value
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.training import TrainConfig, Trainer
from uomh.training.fit import Leaf


class Counts(Model):
    """Its weight is the number of epochs that it was trained for, its score what it is told."""

    def __init__(self, spec, scores):
        super().__init__(ModelConfig(), spec)
        self.weight = nn.Parameter(torch.zeros(()))
        self.scores = scores

    def before_epoch(self, data, epoch):
        self.epoch = epoch
        with torch.no_grad():
            self.weight.fill_(epoch)

    def losses(self, x, y, step):
        yield "model", self.weight * 0

    def objective(self, x, y):
        score = self.scores[self.epoch - 1]
        if score is None:
            raise UomhError("no value this epoch")
        return torch.full((len(x),), score)


@pytest.fixture
def points():
    return Data("points", Split(torch.randn(8, 2)), Split(torch.randn(4, 2)), Split(torch.zeros(0)))


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([3.0, 2.0, 1.0, math.inf], 3),
        ([3.0, 2.0, 1.0, math.nan], 3),
        ([3.0, 2.0, 1.0, -math.inf], 3),
        ([3.0, 1.0, None, 2.0], 2),
        ([math.inf, math.nan, 5.0, 6.0], 3),
        ([None, None, None], 3),
        ([math.nan, math.inf], 2),
    ],
    ids=str,
)
def test_no_value_never_beats_a_value_and_without_any_the_last_is_best(scores, best, points):
    model = Counts(points.spec, scores)
    Trainer(TrainConfig(max_epochs=len(scores))).fit(model, points)
    assert model.weight.item() == best


def test_an_epoch_without_a_value_is_a_bad_epoch(points):
    model = Counts(points.spec, [3.0, 2.0, math.inf, None, 1.0])
    leaf = Leaf(Trainer(TrainConfig(max_epochs=5, patience=2)), model, points)
    leaf.run()
    assert (leaf.epoch, model.weight.item()) == (4, 2)


def test_a_chosen_metric_that_is_infinite_once_does_not_end_the_run(points):
    config = TrainConfig(max_epochs=3, early_stopping_metric="loss")
    model = Counts(points.spec, [math.inf, 2.0, math.nan])
    Trainer(config).fit(model, points)
    assert model.weight.item() == 2
    with pytest.raises(UomhError, match="early_stopping_metric=loss has no value at epoch 1"):
        Trainer(config).fit(Counts(points.spec, [None, 1.0, 1.0]), points)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_none_with_a_reason(number):
    value = Value(number, 0.0, number, n=5)
    assert value.to_dict() == {"value": None, "reason": f"it is {number}"}
    assert Value(1.0, 0.5, number, n=5).to_dict()["high"] is None


def test_a_wae_with_513_points_of_validation_stops_early(tmp_path):
    x = torch.randn(513 + 64, 2, generator=torch.Generator().manual_seed(0))
    data = Data("points", Split(x[:64]), Split(x[64:]), Split(x[:0]))
    small = ["model.encoder.hidden_dims=[4]", "model.decoder.hidden_dims=[4]"]
    small += ["model.name=wae", "model.penalty=mmd", "model.latent_dim=2", "threads=1"]
    small += ["train.patience=1", "train.groups.autoencoder.lr=1.0", "train.max_epochs=30"]
    config, _ = uomh.resolve(overrides=small)
    model = uomh.fit(uomh.build(config, data), data, config, tmp_path / "run")
    last = torch.load(tmp_path / "run/checkpoints/model/last.pt", weights_only=True)
    assert last["epoch"] < 30
    assert math.isfinite(last["best"])
    assert model.sample(2).isfinite().all()


def test_validation_takes_the_batch_size_of_measuring(points, monkeypatch):
    seen = []
    config, _ = uomh.resolve(
        overrides=["evaluate.batch_size=3", "train.max_epochs=1", "model.latent_dim=2", "threads=1"]
    )
    model = uomh.build(config, points)
    score = model.objective
    model.objective = lambda x, y: (seen.append(len(x)), score(x, y))[1]
    uomh.fit(model, points, config)
    assert seen == [8, 3, 1]


def test_training_by_a_discrepancy_in_batches_of_one_point_is_refused(points):
    config, _ = uomh.resolve(
        overrides=["model.name=wae", "model.penalty=mmd", "train.batch_size=1", "threads=1"]
    )
    with pytest.raises(UomhError, match=r"needs pairs of points.*train\.batch_size"):
        uomh.fit(uomh.build(config, points), points, config)
