"""`uomh train --dry-run` tells what a run would be and cost, and where each setting came from."""

import json
import re

import pytest
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.cost import Costs, flops_in_words
from uomh.errors import UomhError

DATA = ["data.limit=120", "data.test_limit=20", "data.class_ind=[0,1,2]", "threads=1"]
SMALL = [*DATA, "train.max_epochs=2", "evaluate.metrics=[]"]
PART = "model.part.autoencoder"


def train(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def dry(*arguments):
    result = train(*arguments, "--dry-run")
    assert result.exit_code == 0, result.output
    return result.output


def tree(output):
    """Key -> (value, origin) of the printed tree."""
    found, above = {}, []
    lines = output.split("setting ", 1)[1].split("\n\n")[0].splitlines()[1:]
    for line in lines:
        if not (match := re.match(r"( *)(\S+)(?: +(\S.*?))?(?:  +(\S.*?))? *$", line)):
            continue
        indent, field, value, origin = match.groups()
        depth = len(indent) // 2
        if depth <= len(above):
            above[depth:] = [field]
            found[".".join(above)] = (value, origin)
    return found


def leaves(output):
    rows = re.findall(r"^(model\S*) +([\d,]+) +(\d+) +([\d,]+) +(\S+ \S*FLOP)", output, re.M)
    return {path: (int(n.replace(",", "")), int(e), p, flops) for path, n, e, p, flops in rows}


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert not list(folder.iterdir()), "a dry run writes nothing"


def test_each_setting_says_where_it_came_from(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"seed": 4, "model": {"latent_dim": 5}, "train": {"ema": 0.5}}))
    output = dry(
        *("--model", "vae", "--density", "flow", "--disconnected", "class"),
        *("--config", file, "--device", "cpu", *DATA, "train_lr=0.1"),
        "model.part.density.train.lr=0.2",
    )
    found = tree(output)
    assert found["seed"] == ("4", "file")
    assert found["device"] == ("cpu", "option")
    assert found["data.limit"] == ("120", "override")
    assert found["data.resize"] == ("null", "default")
    assert found["model"] == ("disconnected", "option")
    assert found["model.part"] == ("two_step", "option")
    assert found[PART] == ("vae", "option")
    assert found[f"{PART}.latent_dim"] == ("5", "file")
    assert found[f"{PART}.train.lr"] == ("0.1", "run")
    assert found[f"{PART}.train.ema"] == ("0.5", "run")
    assert found[f"{PART}.train.momentum"] == ("0.0", "default")
    assert found["train.lr"] == ("0.1", "override")
    assert found["train.ema"] == ("0.5", "file")
    assert found["model.part.density"] == ("flow", "option")
    assert found["model.part.density.train.lr"] == ("0.2", "override")
    assert found["model.part.density.tail_bound"] == ("5.0", "by shape")
    assert found["model.part.density.train.schedule"] == ("cosine", "by shape")


@pytest.mark.parametrize("how", ["file", "override"])
def test_a_model_is_named_where_it_was_named(how, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("model: {name: gan}\n")
    found = tree(dry(*DATA, *(["--config", file] if how == "file" else ["model.name=gan"])))
    assert found["model"] == ("gan", how)
    assert tree(dry(*DATA))["model"] == ("vae", "default")


def test_what_follows_from_a_flag_says_whence(tmp_path):
    given = ("--model", "vae", "--density", "flow", "--conditional", "kmeans", *DATA)
    found = tree(dry(*given, "clusters.num_clusters=2"))
    for step in ("autoencoder", "density"):
        assert found[f"model.{step}.conditional"] == ("true", "option")
    assert found["model.conditional"] == ("false", "default")
    assert found["clusters"] == ("kmeans", "option")
    assert found["clusters.num_clusters"] == ("2", "override")


def test_what_the_data_decide_stands_in_the_table_of_the_parts():
    more = [*DATA, "data.limit=600"]
    given = ("--model", "ae", "--disconnected", "class", *more)
    output = dry(*given, "model.part.latent_dim=dimension", "model.match=parameters")
    found = tree(output)
    assert found["model.part.latent_dim"] == ("dimension", "data")
    assert found["model.part.fit_latent_dim"] == ("true", "override")
    table = output.split("what differs")[1]
    config, data = uomh.resolve(
        overrides=[
            *("model.name=disconnected", "model.part.name=ae", "model.match=parameters"),
            *("model.part.latent_dim=dimension", *more),
        ]
    )
    for part in uomh.training.resolve.decided(config, data).model.parts:
        flat = table.replace("\n", "").replace(" ", "")
        assert f"latent_dim={part.model.latent_dim}" in flat
        assert (
            f"encoder.hidden_dims={list(part.model.encoder.hidden_dims)}".replace(" ", "") in flat
        )
        assert re.search(rf"^{part.name} +{part.n} ", table, re.M)


def test_alone_what_the_data_decide_is_shown():
    found = tree(dry("--model", "ae", *DATA, "model.latent_dim=dimension"))
    value, origin = found["model.latent_dim"]
    assert (value.isdigit(), origin) == (True, "data")


RUNS = {
    "vae": ["--model", "vae"],
    "gan": ["--model", "gan"],
    "two steps": ["--model", "ae", "--density", "flow"],
    "in turns": ["--model", "ae", "--density", "flow", "model.alternate=epoch"],
    "parts": ["--model", "ae", "--density", "flow", "--disconnected", "class"],
    "density in parts": [
        *("model.name=two_step", "model.autoencoder.name=ae"),
        *("model.density.name=disconnected", "model.density.part.name=vae"),
    ],
}


@pytest.mark.parametrize("run", RUNS)
def test_what_is_foretold_is_what_training_costs(run, tmp_path):
    foretold = leaves(dry(*RUNS[run], *SMALL))
    folder = tmp_path / "run"
    result = train(*RUNS[run], *SMALL, "--run-dir", folder)
    assert result.exit_code == 0, result.output
    cost = Costs.read(folder)
    assert cost.by_path.keys() == foretold.keys()
    for path, (_, epochs, _, flops) in foretold.items():
        assert cost.by_path[path].epochs == epochs
        assert flops_in_words(cost.by_path[path].flops // epochs) == flops
    assert cost.total.sentence() in result.output
    (model := uomh.load_run(folder).model)
    numbers = {f"model/{name}".rstrip("/"): leaf for name, leaf in model.leaves()}
    for path, (_, _, parameters, _) in foretold.items():
        size = sum(p.numel() for group in numbers[path].groups().values() for p in group)
        assert parameters == f"{size:,}"


BAD = {
    "unknown key": ["trian.lr=3"],
    "wrong type": ["train.lr=[3]"],
    "unknown model": ["--model", "vea"],
    "unknown data": ["--dataset", "./nowhere.npz"],
    "no codes": ["--model", "flow", "--density", "flow"],
    "no such group": ["train.groups.critic.lr=0.1"],
    "one model to share out": ["--backend", "processes"],
    "conditional parts": ["--disconnected", "class", "model.part.conditional=true"],
    "unknown metric": ["evaluate.metrics=[los]"],
    "frozen nothing": ["--model", "ae", "--density", "flow", "model.freeze=true"],
    "too few points": [*DATA, "--disconnected", "class", f"{PART}.latent_dim=3"],
    "old": ["two_step.freeze=true"],
    "no such run": ["--density", "flow", "model.autoencoder_run=/nowhere"],
    "null over a model": ["--model", "vae", "model=null"],
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_settings_are_the_same_sentence_with_and_without(bad, tmp_path):
    run = train(*BAD[bad], "--run-dir", tmp_path / "run")
    dry_run = train(*BAD[bad], "--dry-run")
    assert (run.exit_code, dry_run.exit_code) == (2, 2)
    assert dry_run.stderr == run.stderr != ""


def test_a_folder_of_other_settings_is_refused_and_left_as_it_is(tmp_path):
    given = ("--model", "ae", *SMALL, "--run-dir", tmp_path / "run", "--quiet")
    assert train(*given).exit_code == 0
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    refused = train(*given, "model.latent_dim=3", "--dry-run")
    assert refused.exit_code == 2
    assert refused.stderr == train(*given, "model.latent_dim=3").stderr
    assert leaves(dry(*given, "train.max_epochs=5"))["model"][1] == 5
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_groups_that_are_made_for_a_dry_run_are_said_to_be_made_again(tmp_path, monkeypatch):
    given = ("--model", "ae", "--disconnected", "kmeans", "clusters.num_clusters=2", *SMALL)
    again = "kmeans: the run makes these groups again"
    assert again in dry(*given)
    assert "again" not in dry("--model", "ae", "--disconnected", "class", *SMALL)
    folder = tmp_path / "run"
    assert train(*given, "--run-dir", folder).exit_code == 0
    monkeypatch.setattr("uomh.clusters.kmeans.KMeans.__call__", None)
    output = dry(*given, "--run-dir", folder)  # by those that are there
    assert "again" not in output
    assert "model/part1" in output


def test_lines_fit_a_narrow_terminal():
    given = ("--model", "ae", "--density", "flow", "--disconnected", "class", *DATA)
    output = dry(*given, f"{PART}.encoder.hidden_dims={[16] * 30}", "model.match=parameters")
    assert max(len(line.rstrip()) for line in output.splitlines()) <= 80


OLD = {
    "density.name=flow": "model.density.name (model.part.density.name in a disconnected model)",
    "density_train.lr=0.1": "model.density.train.lr (model.part.density.train.lr in a",
    "density_train_lr=0.1": "model.density.train.lr (model.part.density.train.lr in a",
    "two_step.freeze=true": "two-step models are trees now: model.freeze, or model.part.freeze in",
    "disconnected=true": "model.name=disconnected and model.part.name, or --disconnected HOW",
    "match=parameters": "model.match=parameters",
    "latent_dim=dimension": "model.latent_dim=dimension, in a tree such as",
    "latent_k=5": "model.latent_k, in a tree such as model.part.autoencoder.latent_k",
}


@pytest.mark.parametrize("text", OLD)
def test_a_setting_of_older_versions_names_its_new_place(text, tmp_path):
    with pytest.raises(UomhError) as error:
        uomh.resolve(overrides=[text])
    assert str(error.value).startswith(f"unknown setting '{text.partition('=')[0]}'; ")
    assert OLD[text] in str(error.value)
    key = text.partition("=")[0].partition(".")[0]
    file = tmp_path / "old.json"
    file.write_text(json.dumps({key: {"lr": 1.0}}))
    if key == "density_train_lr":
        return
    with pytest.raises(UomhError, match=f"unknown setting '{key}'; .* model") as error:
        uomh.resolve(file=file)


def test_a_key_that_only_looks_like_an_old_one_is_told_the_nearest():
    with pytest.raises(UomhError, match="known: cluster_codes"):
        uomh.resolve(overrides=["densities=3"])
