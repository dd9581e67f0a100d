"""`uomh classify`: one command from data to accuracy against dimension, by either loss."""

import json

import pytest
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.cli.classify import from_published
from uomh.errors import UomhError

SMALL = ["data.limit=300", "data.test_limit=60", "train.max_epochs=2", "threads=1"]


def command(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "digits"
    arguments = ["classify", "--dataset", "digits", "--seeds", 2, "--run-dir", run, *SMALL]
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    return arguments, run, result.output


def test_it_shows_accuracy_dimension_correlation_and_weighted_against_plain(compared):
    _, run, output = compared
    for text in ("accuracy", "calibration_error", "dimension_correlation", "dimension_pearson_p"):
        assert text in output
    for text in ("plain x2", "weighted x2", "difference", "lowest class accuracy"):
        assert text in output
    for name in ("png", "pdf", "svg"):
        assert (run / f"accuracy_by_dimension.{name}").stat().st_size > 1000
    values = json.loads((run / "metrics.json").read_text())
    assert {"accuracy", "accuracy[7]", "class_dimension[7]", "right_probability[7]"} <= set(values)
    assert values["accuracy"]["weights"] == values["class_dimension[7]"]["weights"]


@pytest.mark.parametrize(("asked", "threads"), [((), 1), (("--threads", 2), 2)])
def test_the_small_network_trains_with_one_thread_where_no_number_is_given(
    asked, threads, tmp_path
):
    run = tmp_path / "run"
    few = ["data.limit=100", "data.test_limit=20", "train.max_epochs=1", "evaluate.metrics=[loss]"]
    arguments = ["classify", "--dataset", "digits", "--seeds", 0, "--run-dir", run, *few, *asked]
    for _ in range(2):  # a second call goes on with it
        result = command(*arguments)
        assert result.exit_code == 0, result.output
        assert json.loads((run / "config.json").read_text())["asked"]["threads"] == threads


def test_the_comparison_is_paired_by_seed(compared):
    _, run, _ = compared
    found = json.loads((run / "compared/comparison.json").read_text())
    places = {
        ("plain", 0): run,
        ("weighted", 0): run / "compared/weighted-0",
        ("plain", 1): run / "compared/plain-1",
        ("weighted", 1): run / "compared/weighted-1",
    }
    losses = {
        key: json.loads((place / "metrics.json").read_text())["loss"]["value"]
        for key, place in places.items()
    }
    differences = [losses["weighted", seed] - losses["plain", seed] for seed in (0, 1)]
    given = found["weighted_less_plain"]["loss"]
    assert found["seeds"] == [0, 1]
    assert given["value"] == pytest.approx(sum(differences) / 2)
    # Student's t with one degree of freedom: 12.7 times half the difference of the two.
    half = 12.7062 * abs(differences[0] - differences[1]) / 2
    assert given["high"] - given["value"] == pytest.approx(half, rel=1e-4)


def test_the_same_command_again_trains_nothing_and_says_the_same(compared):
    arguments, run, output = compared
    files = {path: path.stat().st_mtime_ns for path in run.rglob("*.pt")}
    assert len(files) == 8
    again = command(*arguments)
    assert again.exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.pt")} == files
    assert again.output[again.output.index("small, plain") :] == output[
        output.index("small, plain") :
    ]  # fmt: skip


def test_the_run_is_one_like_any_other(compared, tmp_path):
    _, run, _ = compared
    loaded = uomh.load_run(run)
    assert loaded.config.model.network == "small"
    assert command("evaluate", run, "--metrics", "accuracy,fid", "--quiet").exit_code == 0
    refused = command("sample", run, "--out", tmp_path / "samples.png")
    assert refused.exit_code == 2
    assert "holds a classifier, which draws nothing" in refused.output.replace("\n", " ")
    trained = tmp_path / "trained"
    result = command("train", "--model", "classifier", "--run-dir", trained, "--quiet", *SMALL)
    assert result.exit_code == 0, result.output
    first, second = (
        json.loads((place / "metrics.json").read_text())["loss"]["weights"]
        for place in (run, trained)
    )
    assert first == second


def test_one_arm_alone(tmp_path):
    arguments = ["--weight-by-dimension", "--seeds", 0, "--run-dir", tmp_path / "run", "--quiet"]
    result = command("classify", *arguments, *SMALL)
    assert (result.exit_code, result.output) == (0, "")
    assert not (tmp_path / "run/compared").exists()
    config = json.loads((tmp_path / "run/config.json").read_text())["config"]
    assert config["model"]["weight_by_dimension"]


def test_options_of_the_paper_have_their_meaning():
    options = ["model=res34", "lr=0.1", "do_weight=1", "run_name=first", "resume=0"]
    values, folder = from_published(options)
    assert values == {
        "train": {"lr": 0.1},
        "model": {"network": "resnet34", "weight_by_dimension": True},
    }
    assert folder.parts == ("runs", "first")
    config, _ = uomh.resolve(values={"model": {"name": "classifier"} | values["model"]})
    assert config.model.train.batch_size == 128  # the schedule of the paper's network


def test_a_run_is_resumed_where_there_is_one(compared):
    _, run, _ = compared
    assert from_published([f"run_name={run}", "resume=1"])[1] == run


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "resnet50"], "unknown network 'resnet50'; did you mean 'resnet"),
        (["--config", "wieght=1"], "unknown option 'wieght'; did you mean 'do_weight'"),
        (["--config", "model=res50"], "unknown network 'res50'"),
        (["--config", "do_weight=2"], "do_weight is 0 or 1"),
        (["--config", "lr"], "--config lr needs a value, as lr=VALUE"),
        (["--config", "resume=1"], "there is no run to go on with (run_name=NAME names none)"),
        (["--model", "small", "--config", "model=vgg"], "--config model says again what an option"),
        (["--config", "lr=fast"], "train.lr"),
        (["model.name=vae"], "uomh classify trains the classifier"),
        (["--model", "vgg19"], "vgg19 halves images 5 times, and these are 8x8"),
        (["model.precision=int8"], "model.precision"),
        (["train.epochs=3"], "unknown setting 'train.epochs'"),
        (["--dataset", "manifold:torus"], "a classifier needs two classes"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(arguments, sentence, tmp_path):
    run = tmp_path / "run"
    result = command("classify", *arguments, "--run-dir", run, "data.limit=300")
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (run / "checkpoints").exists()


def test_an_option_of_the_paper_that_is_none_is_an_error_of_ours():
    with pytest.raises(UomhError, match="unknown option"):
        from_published(["wd=1"])
