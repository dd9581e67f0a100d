import json
import math

import pytest
import torch
from torch import nn

import uomh
from uomh.config import OptimizerConfig
from uomh.data import Data, Split
from uomh.errors import UomhError
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.parallel import Progress
from uomh.training import TrainConfig, Trainer
from uomh.training.fit import batch_rows
from uomh.training.optim import learning_rate

SMALL = ["model.encoder_hidden_dims=[16]", "model.decoder_hidden_dims=[16]", "threads=1"]


def small(data, *overrides):
    config, _ = uomh.resolve(overrides=[*SMALL, *overrides])
    return uomh.build(config, data), config


class Players(Model):
    """Two parameters that are trained against each other, and a count of what happened."""

    def __init__(self, spec):
        super().__init__(ModelConfig(), spec)
        self.critic = nn.Parameter(torch.ones(()))
        self.generator = nn.Parameter(torch.ones(()))
        self.events = []

    def groups(self):
        return {"critic": [self.critic], "generator": [self.generator]}

    def losses(self, x, y, step):
        before = self.critic.item()
        yield "critic", (self.critic * self.generator).square()
        self.events.append(("critic", before != self.critic.item(), self.generator.grad is None))
        critic = self.critic.item()
        yield "generator", (self.critic * self.generator).square()
        self.events.append(("generator", critic == self.critic.item(), True))


@pytest.fixture
def points():
    return Data(
        "points", Split(torch.randn(64, 2)), Split(torch.randn(0, 2)), Split(torch.randn(8, 2))
    )


def test_each_group_is_stepped_on_its_own_gradients(points):
    model = Players(points.spec)
    Trainer(TrainConfig(max_epochs=1, batch_size=64)).fit(model, points)
    # After its yield the critic has moved, and the generator has never had a gradient by then; the
    # generator's step leaves the critic where it was.
    assert model.events == [("critic", True, True), ("generator", True, True)]


def test_group_settings_reach_their_optimiser(points):
    config = TrainConfig(
        max_epochs=1, batch_size=64, groups={"critic": {"optimizer": "sgd", "lr": 1e-9}}
    )
    model = Players(points.spec)
    Trainer(config).fit(model, points)
    assert abs(model.critic.item() - 1) < 1e-6 < abs(model.generator.item() - 1)
    with pytest.raises(UomhError, match=r"train.groups.judge.*critic, generator"):
        Trainer(TrainConfig(groups={"judge": {}})).fit(model, points)


class Explodes(Players):
    def losses(self, x, y, step):
        yield "critic", self.critic * (math.nan if step == 5 else 1.0)


def test_a_loss_that_is_not_a_number_is_named_and_the_checkpoint_kept(points, tmp_path):
    trainer = Trainer(TrainConfig(max_epochs=9, batch_size=32), folder=tmp_path)
    with pytest.raises(
        UomhError, match=r"'critic' became nan at epoch 3, step 5 .* of epoch 2 is kept"
    ):
        trainer.fit(Explodes(points.spec), points)
    last = torch.load(tmp_path / "checkpoints" / "model" / "last.pt", weights_only=True)
    assert last["epoch"] == 2
    assert all(value.isfinite().all() for value in last["model"].values())


def test_loss_falls_and_the_same_seed_gives_the_same_weights(digits):
    runs = []
    for _ in range(2):
        model, config = small(digits, "train.max_epochs=4", "train.lr=0.005")
        before = uomh.measure(model, digits, config, ("loss",))["loss"].value
        uomh.fit(model, digits, config)
        assert uomh.measure(model, digits, config, ("loss",))["loss"].value < before - 1
        runs.append(model.state_dict())
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    other, config = small(digits, "train.max_epochs=1", "seed=1")
    assert not torch.equal(
        other.state_dict()["encoder.body.0.weight"], runs[0]["encoder.body.0.weight"]
    )


def test_the_best_weights_are_those_of_the_best_epoch(digits, tmp_path):
    model, config = small(digits, "train.max_epochs=6", "train.lr=0.3", "train.optimizer=rmsprop")
    uomh.fit(model, digits, config, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    valid = {row["epoch"]: row["value"] for row in rows if row["split"] == "valid"}
    best = torch.load(tmp_path / "run/checkpoints/model/best.pt", weights_only=True)
    assert best["epoch"] == min(valid, key=valid.get)
    assert all(torch.equal(model.state_dict()[name], best["model"][name]) for name in best["model"])


def test_patience_counts_epochs_without_improvement(digits, tmp_path):
    model, config = small(
        digits, "train.max_epochs=50", "train.lr=0.3", "train.optimizer=rmsprop", "train.patience=2"
    )
    uomh.fit(model, digits, config, tmp_path / "run")
    last = torch.load(tmp_path / "run/checkpoints/model/last.pt", weights_only=True)
    best = torch.load(tmp_path / "run/checkpoints/model/best.pt", weights_only=True)
    assert last["epoch"] - best["epoch"] == 2
    assert last["epoch"] < 50


def test_early_stopping_on_any_metric_in_its_direction(digits, tmp_path):
    model, config = small(
        digits,
        "train.max_epochs=3",
        "train.early_stopping_metric=log_likelihood",
        "model.importance_samples=2",
        "train.valid_metrics=[]",
    )
    uomh.fit(model, digits, config, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    valid = {row["epoch"]: row["value"] for row in rows if row["split"] == "valid"}
    best = torch.load(tmp_path / "run/checkpoints/model/best.pt", weights_only=True)
    assert best["epoch"] == max(valid, key=valid.get)


def test_flips_touch_training_batches_alone(digits):
    seen = []

    class Watches(Players):
        def losses(self, x, y, step):
            seen.append(x)
            yield "critic", self.critic.square()

    order = torch.arange(64, dtype=torch.uint8).repeat(64, 1, 1, 1)[:, :, :, :8]
    data = Data("order", Split(order), Split(order[:0]), Split(order), (), 256)
    Trainer(TrainConfig(max_epochs=1, horizontal_flip=True)).fit(Watches(data.spec), data)
    x = torch.cat(seen)[:, 0, 0]
    flipped = (x == torch.arange(7, -1, -1)).all(1)
    plain = (x == torch.arange(8)).all(1)
    assert (flipped | plain).all()
    # 64 fair coins: fewer than 12 or more than 52 of a kind has probability below 1e-6.
    assert 12 <= flipped.sum() <= 52


@pytest.mark.parametrize(("n", "size"), [(10, 3), (9, 3), (2, 5), (1, 5), (129, 128)])
def test_batches_hold_every_row_once_and_never_a_single_one(n, size):
    batches = batch_rows(n, size)
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    assert n == 1 or min(map(len, batches)) > 1


def test_training_writes_the_stable_files(digits, tmp_path):
    model, config = small(digits, "train.max_epochs=2", "train.sample_every=1")
    run = tmp_path / "run"
    uomh.fit(model, digits, config, run)
    uomh.measure(model, digits, config, run_dir=run)
    names = {path.name for path in run.iterdir()}
    assert {"config.json", "metrics.json", "metrics.jsonl", "checkpoints", "samples.png"} <= names
    assert any(name.startswith("events") for name in names)
    row = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert set(row) == {"path", "epoch", "step", "split", "name", "value"}
    values = json.loads((run / "metrics.json").read_text())
    expected = {"value", "low", "high", "n", "kind", "weights", "setup"}
    assert set(values["loss"]) == expected | {"name", "metric", "by", "basis", "higher_is_better"}
    assert values["bits_per_dim"]["kind"] == "bound"


def test_a_run_is_loaded_from_its_folder(digits, tmp_path):
    model, config = small(digits, "train.max_epochs=2")
    uomh.fit(model, digits, config, tmp_path / "run")
    loaded = uomh.load_run(tmp_path / "run")
    assert loaded.config == config
    assert loaded.classes == digits.classes
    ours, theirs = (uomh.measure(fitted, digits, config) for fitted in (model, loaded.model))
    assert ours == theirs


def test_tensorboard_shows_each_step_once_after_resuming(digits, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    model, config = small(digits, "train.max_epochs=4")
    run.mkdir()

    class StopError(Exception):
        pass

    class StopsAfterTwo(Progress):
        def epoch(self, path, epoch, values, seconds):
            if epoch == 2:
                raise StopError

    stopped = Trainer(config.train, folder=run, progress=StopsAfterTwo())
    with pytest.raises(StopError):
        stopped.fit(model, digits)
    again, _ = small(digits, "train.max_epochs=4")
    Trainer(config.train, folder=run).fit(again, digits)
    events = EventAccumulator(str(run)).Reload()
    # Files of one second are read in the order of the counter in their names, as text.
    steps = sorted(event.step for event in events.Scalars("model/valid/loss"))
    assert steps == [3, 6, 9, 12]


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 0.5), (59.99, 0.5), (60, 0.1), (119.99, 0.1), (120, 0.02), (180, 0.004)],
)
def test_a_step_schedule_multiplies_the_rate_every_so_many_epochs(epoch, rate):
    config = OptimizerConfig(lr=0.5, schedule="step", lr_step=60, gamma=0.2)
    assert learning_rate(config, epoch, 200) == pytest.approx(rate)
