import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from uomh import resolve
from uomh.cli import app
from uomh.cli.paper import single_main
from uomh.cli.paper.options import BY_MODEL, NOT_NEEDED, meanings, paper_values
from uomh.config import RunConfig
from uomh.data.names import summaries
from uomh.errors import UomhError
from uomh.settings import resolve_key

ROOT = Path(__file__).parents[2]
UOMH = Path(sys.executable).with_name("uomh")
SMALL = ["data.limit=200", "data.test_limit=40", "train.max_epochs=2", "threads=1"]
SMALL += ["model.encoder_hidden_dims=[16]", "model.decoder_hidden_dims=[16]"]


def uomh(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "vae"
    result = uomh("train", "--model", "vae", "--run-dir", run, *SMALL)
    assert result.exit_code == 0, result.output
    return run, result.output


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "conditional"
    result = uomh("train", "--conditional", "class", "--run-dir", run, "--quiet", *SMALL)
    assert (result.exit_code, result.output) == (0, "")
    return run


def test_train_leaves_everything_and_says_where(trained):
    run, output = trained
    for name in ("config.json", "metrics.json", "metrics.jsonl", "samples.png"):
        assert (run / name).is_file()
    flat = output.replace("\n", "")
    for text in ("samples.png", "metrics.json", "tensorboard --logdir", "bits_per_dim", "bound"):
        assert text in flat
    config = json.loads((run / "config.json").read_text())
    assert config["config"]["model"]["encoder"]["hidden_dims"] == [16]
    assert config["data"]["fingerprint"]
    assert config["versions"]["torch"]


def test_the_same_command_again_changes_nothing(trained):
    run, _ = trained
    before = {path: path.read_bytes() for path in run.rglob("*.pt")}
    result = uomh("train", "--model", "vae", "--run-dir", run, *SMALL)
    assert result.exit_code == 0
    assert "was finished before" in result.output
    assert {path: path.read_bytes() for path in run.rglob("*.pt")} == before


def test_another_configuration_is_refused_and_nothing_overwritten(trained):
    run, _ = trained
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    result = uomh("train", "--model", "vae", "--run-dir", run, *SMALL, "train.lr=0.5")
    assert result.exit_code == 2
    assert "train.lr is 0.001 there and 0.5 here" in result.stderr
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_evaluate_adds_to_the_metrics(trained):
    run, _ = trained
    result = uomh("evaluate", run, "--metrics", "loss,l2_reconstruction_error")
    assert result.exit_code == 0, result.output
    assert "95% interval" in result.output
    assert set(json.loads((run / "metrics.json").read_text())) >= {"loss", "bits_per_dim"}


def test_evaluate_leaves_no_number_of_other_settings_beside_the_new_ones(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)

    def found(samples):
        metrics = "id,precision_recall_density_coverage"
        more = ["--samples", samples, "--features", "pixels", "--quiet"]
        result = uomh("evaluate", run, "--metrics", metrics, *more)
        assert (result.exit_code, result.output) == (0, "")
        return json.loads((run / "metrics.json").read_text())

    assert {"id_difference", "id_k3", "precision"} <= found(100).keys()
    few = found(1)
    assert not {"id_difference", "id_k3", "precision"} & few.keys()
    assert few["id"]["value"] is few["precision_recall_density_coverage"]["value"] is None
    assert "bits_per_dim" in few
    assert "precision_recall_density_coverage" not in found(100)


def test_evaluating_twice_gives_the_same_numbers(trained):
    run, _ = trained
    before = (run / "metrics.json").read_text()
    assert uomh("evaluate", run).exit_code == 0
    assert (run / "metrics.json").read_text() == before


def test_sample_png_and_npz(trained, conditional, tmp_path):
    run, _ = trained
    assert uomh("sample", run, "-n", 9, "--out", tmp_path / "grid.png").exit_code == 0
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (494, 494)  # three images of 9 less a line, 19 times enlarged
    arguments = ("sample", conditional, "-n", 5, "--out", tmp_path / "x.npz", "--label", "3")
    assert uomh(*arguments).exit_code == 0
    with np.load(tmp_path / "x.npz") as file:
        first, y = file["x"], file["y"]
    assert (first.dtype, first.shape, set(y.tolist())) == (np.uint8, (5, 1, 8, 8), {3})
    assert uomh(*arguments).exit_code == 0
    with np.load(tmp_path / "x.npz") as file:
        assert np.array_equal(file["x"], first)


def test_more_samples_than_memory_holds_are_refused_with_the_number_that_fits(trained, tmp_path):
    run, _ = trained
    result = uomh("sample", run, "-n", 10**13, "--out", tmp_path / "x.npz")
    assert result.exit_code == 2
    assert "lower -n (now 10000000000000) to " in result.stderr.replace("\n", " ")
    assert not list(tmp_path.iterdir())


def test_an_autoencoder_has_no_samples_and_no_likelihood(tmp_path):
    run = tmp_path / "ae"
    assert uomh("train", "--model", "ae", "--run-dir", run, *SMALL).exit_code == 0
    assert (run / "reconstructions.png").is_file()
    values = json.loads((run / "metrics.json").read_text())
    assert values["bits_per_dim"]["value"] is None
    assert values["bits_per_dim"]["reason"] == "AE has no likelihood"
    assert values["l2_reconstruction_error"]["value"] > 0
    result = uomh("sample", run, "--out", tmp_path / "x.png")
    assert result.exit_code == 2
    assert "cannot be sampled" in result.stderr


BAD = {
    "unknown data set 'mnits'; did you mean 'mnist'": ["train", "--dataset", "mnits"],
    "there is no data at": ["train", "--dataset", "./nowhere"],
    "unknown model 'vea'; did you mean 'vae'": ["train", "--model", "vea"],
    "unknown setting 'model.latent_dims'; did you mean 'model.latent_dim'": [
        "train",
        "model.latent_dims=3",
    ],
    "unknown setting 'trian.lr'; did you mean 'train.lr'": ["train", "trian.lr=3"],
    'setting train.max_epochs="many": input should be a valid integer (expected int)': [
        "train",
        "train.max_epochs=many",
    ],
    "setting train.max_epochs=true": ["train", "train.max_epochs=true"],
    "setting model.latent_dim=0": ["train", "model.latent_dim=0"],
    'setting clusters.num_clusters="outo": does not fit (expected int or auto or null)': [
        *("train", "--disconnected", "kmeans", "clusters.num_clusters=outo"),
    ],
    "setting model.decoder_sigma": ["train", "model.decoder_sigma=big"],
    "setting train.groups.model.lr": ["train", "train.groups.model.lr=-1"],
    "is not of the form key=value": ["train", "oops"],
    "cannot read settings from": ["train", "--config", "missing.yaml"],
    "unknown clusterer 'colour'": ["train", "--conditional", "colour"],
    "unknown metric 'lost'; did you mean 'loss'": ["train", "train.valid_metrics=[lost]"],
    "there is no run in": ["evaluate", "nothing"],
    "should end in .png or .npz": ["sample", "nothing", "--out", "x.jpg"],
    "unknown kind 'modles'; did you mean 'models'": ["list", "modles"],
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_one_sentence(message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = uomh(*BAD[message])
    assert result.exit_code == 2, result.output
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_bad_metric_of_evaluate_and_damaged_files(trained, tmp_path):
    run, _ = trained
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    result = uomh("evaluate", copy, "--metrics", "bits")
    assert result.exit_code == 2
    last = copy / "checkpoints" / "model" / "last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    best = (copy / "checkpoints" / "model" / "best.pt").read_bytes()
    result = uomh("train", "--model", "vae", "--run-dir", copy, *SMALL)
    assert result.exit_code == 2
    assert "last.pt' is damaged" in result.stderr
    assert len(last.read_bytes()) == 1000
    assert (copy / "checkpoints" / "model" / "best.pt").read_bytes() == best
    (copy / "config.json").write_text("{")
    assert uomh("evaluate", copy).exit_code == 2


def test_folders_that_cannot_be_a_run(tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = uomh("train", "--run-dir", tmp_path / "file" / "run", *SMALL)
    assert result.exit_code == 2
    assert "cannot write the run to" in result.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("irreplaceable")
    result = uomh("train", "--run-dir", tmp_path / "full", *SMALL)
    assert result.exit_code == 2
    assert "is not empty and holds no run" in result.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_to_write(tmp_path):
    tmp_path.chmod(0o500)
    result = uomh("train", "--run-dir", tmp_path / "run", *SMALL)
    tmp_path.chmod(0o700)
    assert result.exit_code == 2
    assert "cannot write the run to" in result.stderr


def test_conditional_needs_labels(tmp_path):
    np.savez(tmp_path / "plain.npz", x=np.zeros((50, 3)) + np.arange(50)[:, None])
    run = ["train", "--dataset", tmp_path / "plain.npz", "--run-dir", tmp_path / "run"]
    result = uomh(*run, "--conditional", "class", *SMALL)
    assert result.exit_code == 2
    assert "has no labels" in result.stderr


def test_settings_from_a_file_stand_below_options_and_overrides(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("train: {lr: 0.5, batch_size: 64, max_epochs: 9}\nseed: 3\n")
    run = tmp_path / "run"
    result = uomh("train", "--config", file, "--seed", 4, "--run-dir", run, *SMALL, "train.lr=1e-3")
    assert result.exit_code == 0, result.output
    config = json.loads((run / "config.json").read_text())["config"]
    train = config["train"]
    assert (train["lr"], train["batch_size"], train["max_epochs"]) == (1e-3, 64, 2)
    assert config["seed"] == 4


def test_a_group_set_in_part_keeps_the_rest_of_its_defaults():
    config, _ = resolve(overrides=["model.name=ae", "model.decoder.activation=elu"])
    assert config.model.decoder.activation == "elu"
    assert config.model.decoder.hidden_dims == (200, 200)
    assert config.model.decoder.hidden_channels == (16, 16, 32, 32)


def test_help_shows_every_setting_with_its_meaning():
    text = " ".join(uomh("train", "--help").output.split())
    for key in (
        "train.max_epochs",
        "data.limit",
        "evaluate.metrics",
        "uomh list models --settings",
    ):
        assert key in text
    assert "passes over the training split (int)" in text
    listed = " ".join(uomh("list", "models", "--settings").output.split())
    assert "model.decoder_sigma" in listed
    assert "dimension of the codes (int)" in listed


def test_lists():
    assert "vae" in uomh("list", "models").output
    assert "bits_per_dim" in uomh("list", "metrics").output
    assert all(name in uomh("list", "datasets").output for name in summaries())


@pytest.mark.parametrize("model", ["ae", "vae", *BY_MODEL])
def test_every_option_of_the_paper_leads_to_a_setting(model):
    for name, meaning in BY_MODEL.get(model, {}).items():
        if isinstance(meaning, str):
            assert resolve_key(RunConfig, meaning, {"model": model}), name
    assert not set(meanings(model)) & set(NOT_NEEDED)


def test_options_of_the_paper_by_value():
    values = paper_values(["class_ind=3", "use_lr_scheduler=True", "conditioning=class"], "vae")
    assert values == {
        "data": {"class_ind": [3]},
        "train": {"schedule": "cosine"},
        "model": {"conditional": True},
    }
    values = paper_values(["wasserstein=False", "disc_lr=1e-4", "num_discriminator_steps=3"], "gan")
    assert values == {
        "model": {"critic": {"objective": "logistic", "steps": 3}},
        "train": {"groups": {"critic": {"lr": 1e-4}}},
    }
    with pytest.raises(UomhError, match="option k_mixture is not one of vae's, but of arm's"):
        paper_values(["k_mixture=3"], "vae")
    with pytest.raises(UomhError, match="prior_sigma=2 is not offered"):
        paper_values(["prior_sigma=2"], "avb")


def test_single_main_trains_by_the_options_of_the_paper(tmp_path):
    arguments = ["--dataset", "digits", "--model", "vae", "--run-name", str(tmp_path / "run")]
    options = ["max_epochs=1", "latent_dim=4", "limit=100", "use_lr_scheduler=True", "flatten=True"]
    options += ["encoder_hidden_dims=[16]", "base_distribution=mixture_of_gaussians"]
    for option in options:
        arguments += ["--config", option]
    single_main([*arguments, "--is-gae"])
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert config["model"]["latent_dim"] == 4
    assert config["model"]["encoder"]["hidden_dims"] == [16]
    assert config["model"]["prior"]["kind"] == "mixture_of_gaussians"
    assert config["model"]["train"]["schedule"] == "cosine"
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_metrics_that_a_model_does_not_have_are_not_available(tmp_path):
    run = tmp_path / "run"
    options = ["max_epochs=1", "limit=100", "encoder_hidden_dims=[16]"]
    options += ["valid_metrics=[loss,disc_loss]", "test_metrics=[loss,disc_loss]"]
    arguments = [text for option in options for text in ("--config", option)]
    single_main(["--dataset", "digits", "--run-name", str(run), *arguments])
    values = json.loads((run / "metrics.json").read_text())
    assert values["loss"]["value"] is not None
    assert values["disc_loss"]["value"] is None
    assert "VAE has no critic of points" in values["disc_loss"]["reason"]


def test_single_main_finds_its_environment(tmp_path):
    """Started by a Python that lacks the package, the script starts again in .venv."""
    shutil.copy(ROOT / "single_main.py", tmp_path)
    bare = [getattr(sys, "_base_executable", sys.executable), "-S", "-I"]
    result = subprocess.run(
        [*bare, tmp_path / "single_main.py"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "type `make .venv`" in result.stderr
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    result = subprocess.run(
        [*bare, tmp_path / "single_main.py", "--config", "epochs=3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "unknown option 'epochs'; did you mean 'max_epochs'" in result.stderr


def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path):
    run = tmp_path / "run"
    command = [UOMH, "train", "--run-dir", run, *SMALL, "train.max_epochs=100000"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    last = run / "checkpoints" / "model" / "last.pt"
    deadline = time.monotonic() + 120
    while not last.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert torch.load(last, weights_only=True)["epoch"] >= 1


def test_vectors_train_and_are_scored_in_bits(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "v.npz", x=rng.normal(size=(200, 6)), y=np.arange(200) % 2)
    run = tmp_path / "run"
    result = uomh("train", "--dataset", tmp_path / "v.npz", "--run-dir", run, *SMALL[2:])
    assert result.exit_code == 0, result.output
    assert json.loads((run / "metrics.json").read_text())["bits_per_dim"]["kind"] == "bound"
    assert not (run / "samples.png").exists()
    assert uomh("sample", run, "--out", tmp_path / "x.png").exit_code == 2
    assert uomh("sample", run, "-n", 8, "--out", tmp_path / "x.npz").exit_code == 0
    with np.load(tmp_path / "x.npz") as file:
        assert file["x"].shape == (8, 6)
