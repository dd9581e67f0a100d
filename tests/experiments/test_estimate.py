"""What a dry run expects is what calls usually take, whatever else the machine did meanwhile."""

import pytest

from tests.experiments.grids import BASE, grid_file
from uomh.experiments import estimate
from uomh.experiments.grid import experiment_of
from uomh.experiments.plan import grid, plan
from uomh.models.vae import VAE
from uomh.training.fit import Leaf
from uomh.training.validation import Validation

STEP, SAVING, VALIDATING = 0.01, 0.2, 0.05
FIXED, OF_A_SAMPLE, DRAWING = 0.4, 0.002, 0.003
"""seconds that calls take by the clock of these tests"""
SLOW = 1000.0
"""seconds more of a call that waits for other work"""


class Clock:
    """A clock that stands still but for what calls put on it, one call of each being slow."""

    def __init__(self, slow):
        self.slow, self.now, self.calls = slow, 0.0, {}

    def perf_counter(self):
        return self.now

    def put(self, name, seconds):
        """Such a call takes so long."""
        self.calls[name] = self.calls.get(name, 0) + 1
        self.now += seconds + SLOW * (self.calls[name] == self.slow)

    def makes(self, monkeypatch, owner, name, seconds):
        """Calls of a method take so long, by their arguments."""
        method = getattr(owner, name)

        def timed(this, *given, **more):
            self.put(name, seconds(*given))
            return method(this, *given, **more)

        monkeypatch.setattr(owner, name, timed)


@pytest.mark.parametrize("slow", [0, 1, 2, 3])
def test_one_slow_call_of_each_kind_changes_nothing(slow, tmp_path, monkeypatch):
    drawn = ["evaluate.metrics=[fid]", "evaluate.features=pixels", "evaluate.samples=5000"]
    file = grid_file(tmp_path, [*BASE, *drawn])
    (run, *_) = plan(grid(experiment_of(str(file))))
    settings = run.prepared.settings

    clock = Clock(slow)
    monkeypatch.setattr(estimate, "time", clock)
    clock.makes(monkeypatch, Leaf, "batch", lambda *_: STEP)
    clock.makes(monkeypatch, Leaf, "save", lambda *_: SAVING)
    clock.makes(monkeypatch, Validation, "values", lambda *_: VALIDATING)
    clock.makes(monkeypatch, VAE, "sample", lambda n, *_: DRAWING * n)
    monkeypatch.setattr(estimate, "SAMPLES", (40, 120))

    def evaluated(metrics, evaluation):
        clock.put("metrics", FIXED + OF_A_SAMPLE * evaluation.default_samples)

    monkeypatch.setattr(estimate, "evaluate_with_groups", evaluated)
    found = estimate.estimate(settings, {})
    # 180 points, the last batch of a pass being a short one; both files of every epoch are saved
    steps = 180 / settings["model"]["train"]["batch_size"]
    assert found.training == pytest.approx(2 * (steps * STEP + 2 * SAVING + VALIDATING))
    assert found.measuring == pytest.approx(FIXED + 5000 * (OF_A_SAMPLE + DRAWING))
    assert min(clock.calls.values()) >= slow  # each had its slow call


def test_steps_of_a_game_count_by_how_often_they_are_made(tmp_path, monkeypatch):
    clock = Clock(slow=0)
    monkeypatch.setattr(estimate, "time", clock)
    seconds = {"critic": 1.0, "generator": 4.0}

    class Game:
        """A critic's step each time, the generator's at every fourth."""

        data = type("Data", (), {"train": range(100)})
        config = type("Config", (), {"batch_size": 10})
        model = property(lambda self: self)
        epochs = 0

        def before_epoch(self, data, epoch):
            self.epochs += 1

        def train(self):
            pass

        def batch(self, split, rows):
            return None, None

        def losses(self, x, y, step):
            yield "critic", 0.0
            if step % 4 == 0:
                yield "generator", 0.0

        def update(self, group, loss, progress):
            clock.now += seconds[group] / 100

    # Steps 1 to 12, of which 3 step both.
    assert estimate._step(Game()) == pytest.approx((12 * 1 + 3 * 4) / 12 / 100)
