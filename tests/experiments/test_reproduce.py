"""A grid is run, resumed, shared and compared; its mistakes are said before the first run."""

import errno
import json
import shlex
import shutil

import pytest
from filelock import FileLock

import uomh
from tests.experiments import grids
from tests.experiments.grids import ARMS, BASE, grid_file, run
from tests.train.test_resume import SERVER
from uomh.cli import app
from uomh.cli.reproduce import reproduce
from uomh.errors import UomhError
from uomh.experiments import ExperimentResult, running, training
from uomh.experiments.grid import experiment_of
from uomh.experiments.plan import grid, plan
from uomh.experiments.status import status
from uomh.parallel.progress import Progress


def numbers(result):
    """Everything measured but what it cost in seconds."""
    return {
        (cell.dataset, cell.arm, cell.metric): (cell.value, cell.low, cell.difference, cell.p_holm)
        for cell in result.cells
        if cell.metric != "training_seconds"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A grid of two arms and two seeds that nothing happened to: its file, folder and result."""
    folder = tmp_path_factory.mktemp("grid")
    file = grid_file(folder)
    run(file, folder / "out", seeds=2)
    return file, folder / "out", ExperimentResult.read(folder / "out" / "small")


def test_every_arm_is_measured_and_compared_with_the_first(whole):
    _, out, result = whole
    assert [run.state for run in result.runs] == ["done"] * 4
    assert [arm.against for arm in result.arms] == ["", ARMS[0]]
    cells = {(cell.arm, cell.metric): cell for cell in result.cells}
    bits = [
        [run.values["bits_per_dim"]["value"] for run in result.runs if run.arm == arm]
        for arm in ARMS
    ]
    cell = cells[ARMS[1], "bits_per_dim"]
    assert cell.value == pytest.approx(sum(bits[1]) / 2)
    assert cell.difference == pytest.approx(sum(bits[1]) / 2 - sum(bits[0]) / 2)
    assert cell.p_value is not None
    assert cell.p_holm == cell.p_value  # one comparison
    assert (out / "small" / "experiment.csv").read_text().count("\n") == len(result.cells) + 1
    assert "bits per dim" in (out / "small" / "experiment.md").read_text()


def test_one_seed_is_compared_on_the_points_that_both_arms_were_measured_on(whole, tmp_path):
    file, out, _ = whole
    shutil.copytree(
        out / "runs", tmp_path / "out" / "runs"
    )  # the folder of results is still to come
    run(file, tmp_path / "out", seeds=1)
    result = ExperimentResult.read(tmp_path / "out" / "small")
    first, second = (tmp_path / "out" / "small" / found.folder for found in result.runs)
    paired = uomh.compare([second, first], to=first).difference(str(second), "bits_per_dim")
    (cell,) = (
        cell for cell in result.cells if (cell.arm, cell.metric) == (ARMS[1], "bits_per_dim")
    )
    assert paired.paired
    assert (cell.difference_low, cell.difference_high) == (paired.low, paired.high)
    assert cell.p_value is None


def test_the_command_of_a_run_makes_that_run(whole, tmp_path):
    _, out, result = whole
    words = shlex.split(result.runs[0].command)
    assert words[:2] == ["uomh", "train"]
    app([*words[1:], "--run-dir", str(tmp_path / "run"), "--quiet"], standalone_mode=False)
    kept = out / "small" / result.runs[0].folder / "command.txt"
    assert kept.read_text() == result.runs[0].command + "\n"
    values = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert values["bits_per_dim"]["value"] == result.runs[0].values["bits_per_dim"]["value"]


def test_a_second_call_makes_only_what_is_missing(whole, tmp_path, monkeypatch):
    file, out, result = whole
    out = shutil.copytree(out, tmp_path / "out")
    made = []
    complete = training.complete

    def counted(config, *more):
        made.append(config.seed)
        return complete(config, *more)

    monkeypatch.setattr(training, "complete", counted)
    run(file, out, seeds=2)
    assert made == []
    run(file, out, seeds=3)
    assert made == [2, 2]
    run(file, out, seeds=2)
    assert numbers(ExperimentResult.read(out / "small")) == numbers(result)


def test_killed_on_the_way_it_finishes_with_the_same_numbers(whole, tmp_path):
    file, _, result = whole
    process = SERVER.Process(target=grids.run_and_die, args=(file, tmp_path / "out", 2, 2))
    process.start()
    process.join(120)
    assert process.exitcode == -9
    states = sorted((tmp_path / "out" / "runs").glob("*.json"))
    before = {path: path.stat().st_mtime_ns for path in states}
    found = {path: json.loads(path.read_text())["state"] for path in states}
    assert sorted(found.values()) == ["done", "done", "running"]
    asked = plan(grid(experiment_of(str(file)), seeds=2))
    told = sorted(running.state_of(tmp_path / "out", run).state for run in asked)
    assert told == ["done", "done", "interrupted", "missing"]
    run(file, tmp_path / "out", seeds=2)
    after = {path: path.stat().st_mtime_ns for path in states}
    assert [path for path in states if after[path] == before[path]] == [
        path for path in states if found[path] == "done"
    ]
    assert numbers(ExperimentResult.read(tmp_path / "out" / "small")) == numbers(result)


def test_what_another_process_is_doing_is_left_to_it(whole, tmp_path, monkeypatch, capsys):
    file, out, _ = whole
    monkeypatch.setattr(running, "LOOKED_AT", 0.0)
    out = shutil.copytree(out, tmp_path / "out")
    runs = plan(grid(experiment_of(str(file)), seeds=2))
    state = out / "runs" / f"{runs[0].key}.json"
    done = json.loads(state.read_text())
    state.write_text(json.dumps({**done, "state": "running", "values": {}}))
    before = state.read_bytes()
    with FileLock(state.with_suffix(".lock")):
        reproduce(str(file), folder=out, seeds=2)
        assert state.read_bytes() == before
        found = [run.state for run in ExperimentResult.read(out / "small").runs]
    assert found == ["running", "done", "done", "done"]
    text = " ".join(capsys.readouterr().out.split())
    assert f"another process is doing digits: {ARMS[0]}, seed 0; repeat the command" in text


def test_what_another_process_has_done_meanwhile_stays_done(whole, tmp_path, monkeypatch):
    file, out, result = whole
    done = {path.name: path.read_bytes() for path in (out / "runs").glob("*.json")}

    def overtaken(config, folder, *more):
        path = folder.with_suffix(".json")
        path.write_bytes(done[path.name])
        raise UomhError("another process is doing it")

    monkeypatch.setattr(training, "complete", overtaken)
    run(file, tmp_path / "out", seeds=2)
    again = ExperimentResult.read(tmp_path / "out" / "small")
    assert [run.state for run in again.runs] == ["done"] * 4
    assert numbers(again) == numbers(result)


def test_scaled_runs_see_fewer_images_and_epochs_and_say_so(whole, tmp_path):
    file, _, _ = whole
    run(file, tmp_path / "out", scale=0.5)
    result = ExperimentResult.read(tmp_path / "out" / "small")
    assert result.is_scaled
    folder = tmp_path / "out" / "small" / result.runs[0].folder
    config = json.loads((folder / "config.json").read_text())["config"]
    assert config["data"]["limit"] == 100
    assert config["data"]["test_limit"] == 20
    assert config["model"]["train"]["max_epochs"] == 1
    assert "SCALED to 0.5" in (tmp_path / "out" / "small" / "experiment.md").read_text()


@pytest.mark.parametrize(
    ("arm", "sentence"),
    [
        ("model.latent_dmi=3", r"arm 'model.latent_dmi=3' on digits: unknown setting .*latent_dim"),
        ("model.latent_dim=many", r"model\.latent_dim=\"many\""),
        ("latent_dim", r"'latent_dim' is not of the form key=value"),
    ],
)
def test_what_is_wrong_with_an_arm_is_said_before_the_first_run(arm, sentence, tmp_path):
    file = grid_file(tmp_path, arms=[ARMS[0], arm])
    with pytest.raises(UomhError, match=sentence):
        plan(grid(experiment_of(str(file))))
    with pytest.raises(SystemExit):
        run(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_absent_data_set_fails_its_runs_and_no_others(tmp_path):
    file = grid_file(tmp_path, arms=[ARMS[0], [ARMS[1], "data.dataset=./nowhere.npz"]])
    run(file, tmp_path / "out")
    result = ExperimentResult.read(tmp_path / "out" / "small")
    assert [run.state for run in result.runs] == ["done", "failed"]
    assert "there is no data at './nowhere.npz'" in result.runs[1].error
    assert "nowhere" in (tmp_path / "out" / "small" / "experiment.md").read_text()


def test_two_arms_that_are_one_run_share_it(tmp_path):
    file = grid_file(tmp_path, arms=[ARMS[0], [ARMS[0], "train.lr=1e-3"]])
    run(file, tmp_path / "out")
    result = ExperimentResult.read(tmp_path / "out" / "small")
    assert len({run.folder for run in result.runs}) == 1
    assert "are the same run, which is made once" in result.notes[0]


def test_two_experiments_share_their_runs(whole, tmp_path):
    file, out, result = whole
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text() + "\nmetrics: [loss]")
    run(other, out, seeds=2)
    again = ExperimentResult.read(out / "other")
    assert [run.folder for run in again.runs] == [run.folder for run in result.runs]


def test_a_disk_that_fills_midway_is_recorded_and_the_rest_goes_on(tmp_path, monkeypatch):
    complete = training.complete
    full = [True]

    def failing(config, *more):
        if full and config.model.latent_dim == 2:
            raise OSError(errno.ENOSPC, "No space left on device", "last.pt")
        return complete(config, *more)

    monkeypatch.setattr(training, "complete", failing)
    file = grid_file(tmp_path)
    run(file, tmp_path / "out")
    result = ExperimentResult.read(tmp_path / "out" / "small")
    assert [run.state for run in result.runs] == ["failed", "done"]
    assert "No space left on device" in result.runs[0].error
    full.clear()
    run(file, tmp_path / "out")
    result = ExperimentResult.read(tmp_path / "out" / "small")
    assert [run.state for run in result.runs] == ["done", "done"]


def test_a_dry_run_tells_what_runs_would_be_and_writes_nothing(tmp_path, capsys):
    file = grid_file(tmp_path)
    reproduce(str(file), folder=tmp_path / "out", dry_run=True)
    lines = capsys.readouterr().out.splitlines()
    assert not (tmp_path / "out").exists()
    commands = [line for line in lines if line.startswith("  uomh train --dataset digits --seed 0")]
    assert [all(shlex.quote(text) in line for text in BASE) for line in commands] == [True, True]
    # 180 of 200 points train, in two passes
    assert sum("360 images in all passes, training" in line for line in lines) == 2
    assert lines[-2].startswith("2 runs to make: about ")


def test_its_numbers_are_those_of_the_run(whole, tmp_path):
    file, _, result = whole
    (run, *_) = plan(grid(experiment_of(str(file))))
    found = training.Training.estimate(run.prepared.settings, {})
    assert found.parameters == result.runs[0].values["parameters"]["value"]
    seen = []
    progress = Progress()
    progress.advance = lambda path, points: seen.append(points)
    training.Training.perform(run.prepared.settings, tmp_path / "run", progress)
    assert sum(seen) == run.prepared.passes


def test_status_tells_what_is_done_and_how_long_the_rest_takes(whole, capsys):
    file, out, result = whole
    reproduce(str(file), folder=out, seeds=3, status=True)
    text = capsys.readouterr().out
    assert "4 done, 2 missing; time left: " in text
    asked = plan(grid(experiment_of(str(file)), seeds=3))
    by_arm = {arm: [run.seconds for run in result.runs if run.arm == arm] for arm in ARMS}
    mean_of_both = sum(sum(seconds) / 2 for seconds in by_arm.values())
    assert status(out, asked).seconds_left == pytest.approx(mean_of_both)
    assert status(out, asked, jobs=2).seconds_left == pytest.approx(mean_of_both / 2)


def test_an_interrupted_experiment_leaves_the_table_of_what_is_done(whole, tmp_path, monkeypatch):
    file, _, result = whole
    complete = training.complete

    def interrupted(config, *more):
        if config.model.latent_dim == 3:
            raise KeyboardInterrupt
        return complete(config, *more)

    monkeypatch.setattr(training, "complete", interrupted)
    with pytest.raises(SystemExit) as caught:
        run(file, tmp_path / "out")
    assert caught.value.code == 130
    found = ExperimentResult.read(tmp_path / "out" / "small")
    assert [run.state for run in found.runs] == ["done", "interrupted"]
    first = result.runs[0].values["bits_per_dim"]["value"]
    assert found.runs[0].values["bits_per_dim"]["value"] == first
