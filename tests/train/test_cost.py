"""What training costs: counted as torch counts, kept per leaf, added up over sittings."""

import json

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import uomh
from tests.train.test_resume import assert_same_run
from uomh.cost import Cost, Costs
from uomh.models.core import model_class
from uomh.models.trainable import Trainable
from uomh.report.records import RunRecord
from uomh.seeds import seeded
from uomh.training.meter import flops_of_round, pass_flops, round_of

D, H, N, BATCH = 5, 7, 103, 10
SMALL = {
    "threads": 1,
    "data": {"limit": 120, "test_limit": 20, "class_ind": [0, 1, 2]},
    "train": {"max_epochs": 2, "batch_size": 16},
    "evaluate": {"metrics": []},
}
AE = {"name": "ae", "latent_dim": 2, "encoder": {"hidden_dims": [4]}}
FLOW = {"name": "flow", "hidden_units": 4}


class Linear(Trainable):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(D, H), nn.Linear(H, 1))

    def objective(self, x, y):
        return self.layers(x).squeeze(1)


@pytest.mark.parametrize("n", [N, 100, 101, 3])
def test_counts_of_a_linear_model_are_the_closed_form(n):
    # Forward 2 B D H and 2 B H; backward both for the weights, and 2 B H for the hidden units.
    counted = pass_flops(Linear(), torch.randn(3, D), None)
    assert counted.of(n, BATCH) == n * (4 * D * H + 6 * H)


@pytest.mark.parametrize("points", [1, 2])
def test_fewer_points_than_are_tried_are_counted(points):
    counted = pass_flops(Linear(), torch.randn(points, D), None)
    assert counted.of(N, BATCH) == N * (4 * D * H + 6 * H)


@pytest.mark.parametrize("name", ["vae", "flow", "flow_matching", "arm", "wae"])
def test_torch_counts_the_same_and_nothing_is_touched(name, digits):
    settings = settings_of(name)
    with seeded(0, "test"):
        model = model_class(settings)(settings, digits.spec)
    model.prepare(digits)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random, mode = torch.get_rng_state(), model.training
    few = digits.train[:3]
    found, steps = flops_of_round(model, few.x, None)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training == mode
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    with FlopCounterMode(display=False) as counter, seeded(0, "operations"):
        for step in range(steps):
            for group, loss in model.train().losses(few.x, None, step):
                loss.backward(inputs=model.groups()[group])
    assert found == counter.get_total_flops() > 0


def settings_of(name):
    return uomh.registry.load("models", name).Config.of({"name": name})


class Game(Trainable):
    """A critic at every step and a generator at one in ``every``, first or last of them."""

    def __init__(self, every, turn):
        super().__init__()
        self.every, self.turn = every, turn
        self.critic, self.generator = nn.Linear(D, H), nn.Linear(D, 3 * H)

    def groups(self):
        return {name: list(getattr(self, name).parameters()) for name in ("critic", "generator")}

    def losses(self, x, y, step):
        yield "critic", self.critic(x).mean()
        if step % self.every == self.turn % self.every:
            yield "generator", self.generator(x).mean()


@pytest.mark.parametrize("turn", [0, -1])
@pytest.mark.parametrize("every", [1, 2, 5, 7, 20])
def test_a_group_is_counted_as_often_as_it_is_stepped(every, turn):
    # Forward 2 B D H, backward for the weights as much; the generator is three times as wide.
    counted = pass_flops(Game(every, turn), torch.randn(3, D), None)
    assert counted.of(N, BATCH) == round(N * 4 * D * H * (1 + 3 / every))


def test_a_round_is_the_fewest_steps_after_which_all_repeats():
    assert round_of([1, 2, 1, 2]) == 2
    assert round_of([1, 2, 2, 1, 2, 2, 1, 2]) == 3
    assert round_of([1, 2, 3]) is None


def test_a_game_is_counted_over_its_round(digits):
    # Torch's own mode hooks modules, which fails where a gradient is differentiated.
    cls = model_class(settings_of("gan"))
    settings = cls.Config.of({"name": "gan", "critic": {"steps": 4}})
    model = cls(settings, digits.spec)
    groups = model.groups()
    flops, steps = flops_of_round(model, digits.train[:3].x, None)
    assert flops > 0
    assert steps == 4
    assert all(parameter.grad is None for group in groups.values() for parameter in group)


class Refuses(Linear):
    def objective(self, x, y):
        if len(x) < BATCH:
            raise ValueError("too few")
        return super().objective(x, y)


def test_a_model_that_refuses_few_points_has_no_count():
    assert pass_flops(Refuses(), torch.randn(3, D), None) is None
    total = Cost(epochs=1, seconds=2.0, flops=3) + Cost(epochs=1, seconds=1.0, flops=None)
    assert total == Cost(epochs=2, seconds=3.0, flops=None)
    assert total.sentence() == "training took 3.0 s"


def trained(folder, model, **train):
    values = {**SMALL, "model": model, "train": {**SMALL["train"], **train}}
    config, data = uomh.resolve(values=values)
    uomh.train(config, data, folder)
    return RunRecord.read(folder)


def test_the_cost_of_a_run_is_the_sum_over_its_parts(tmp_path):
    two = {"name": "two_step", "autoencoder": AE, "density": FLOW}
    cost = trained(tmp_path / "run", {"name": "disconnected", "part": two}).cost
    steps = {f"model/part{k}/{step}" for k in range(3) for step in ("autoencoder", "density")}
    assert cost.by_path.keys() == steps
    for name in ("epochs", "seconds", "flops"):
        total = sum(getattr(each, name) for each in cost.by_path.values())
        assert getattr(cost.total, name) == total > 0
    assert cost == Costs.read(tmp_path / "run")


def test_in_turns_by_epoch_two_epochs_cost_one_of_both(tmp_path):
    two = {"name": "two_step", "autoencoder": AE, "density": FLOW}
    by_step = trained(tmp_path / "step", {**two, "alternate": "step"}).cost.total
    by_epoch = trained(tmp_path / "epoch", {**two, "alternate": "epoch"}).cost.total
    assert (by_step.epochs, by_epoch.epochs) == (2, 4)
    assert by_step.flops == by_epoch.flops


def test_a_resumed_run_adds_up_and_a_finished_one_stays(tmp_path):
    whole = trained(tmp_path / "whole", AE, max_epochs=3).cost.total
    first = trained(tmp_path / "run", AE, max_epochs=1).cost.total
    both = trained(tmp_path / "run", AE, max_epochs=3).cost.total
    assert (first.epochs, both.epochs) == (1, 3)
    assert both.flops == 3 * first.flops == whole.flops
    assert both.seconds > first.seconds
    assert trained(tmp_path / "run", AE, max_epochs=3).cost.total == both
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is not JSON"),
        ('{"epochs": 1', "it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ('{"epochs": "1"}', "epochs: Input should be a valid integer"),
        ('{"seconds": -1.0}', "seconds: Input should be greater than or equal to 0"),
        ('{"seconds": NaN}', "seconds: Input should be a finite number"),
    ],
)
def test_a_damaged_cost_is_said_and_keeps_nothing_from_going_on(content, reason, tmp_path):
    run = tmp_path / "run"
    trained(run, AE, max_epochs=1)
    file = run / "checkpoints" / "model" / "cost.json"
    file.write_text(content)
    record = RunRecord.read(run)
    (problem,) = (p for p in record.problems if p.kind == "damaged")
    assert (problem.piece, problem.reason) == ("checkpoints/model/cost.json", reason)
    assert record.cost == Costs.read(run) == Costs()
    assert trained(run, AE, max_epochs=2).cost.total.epochs == 1  # what is known to be counted
    assert json.loads(file.read_text())["epochs"] == 1
