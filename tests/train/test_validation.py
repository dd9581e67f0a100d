"""Any metric validates, every few epochs, on few samples; training and resuming stay the same."""

import json

import pytest
import torch

import uomh
from tests.tree import tree
from uomh.errors import UomhError
from uomh.training.checkpoints import Checkpoints

BASE = ["data.limit=200", "data.test_limit=20", "threads=1", "train.max_epochs=5"]
BASE += ["model.encoder_hidden_dims=[16]", "model.decoder_hidden_dims=[16]", "model.latent_dim=3"]
EVERY = ["train.valid_every=2", "train.valid_samples=40"]
PIXELS = 'train.valid_metrics=[loss,{"name":"fid","features":"pixels"}]'
BY_FID = [PIXELS, "train.early_stopping_metric=fid", *EVERY]


def rows(run, split="valid", name="fid"):
    """Values by leaf and epoch."""
    found = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        if (row["split"], row["name"]) == (split, name):
            found.setdefault(row["path"], {})[row["epoch"]] = row["value"]
    return found


def state(run, path="model", name="last"):
    return torch.load(run / "checkpoints" / path / f"{name}.pt", weights_only=True)


def train(run, *overrides, **how):
    config, data = uomh.resolve(overrides=tree([*BASE, *overrides]), **how)
    return uomh.train(config, data, run)


KINDS = {
    "vanilla": ([], {"model"}),
    "conditional": (["model.conditional=true"], {"model"}),
    "disconnected": (
        ["clusters.name=kmeans", "clusters.num_clusters=2", "parts"],
        {"model/part0", "model/part1"},
    ),
    "two-step": (
        ["density.name=flow", "density.num_layers=1", "step.importance_samples=2"],
        {"model/autoencoder", "model/density"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_fid_chooses_the_weights_of_every_leaf(kind, tmp_path):
    overrides, leaves = KINDS[kind]
    more = []
    if kind == "two-step":
        more = [line.replace("train.", "density.train.") for line in (*BY_FID, BASE[3])]
    train(tmp_path, *overrides, *BY_FID, *more)
    found = rows(tmp_path)
    assert set(found) == leaves
    for path, values in found.items():
        assert list(values) == [2, 4, 5]  # the last epoch is validated, too
        best = state(tmp_path, path, "best")
        assert best["epoch"] == min(values, key=values.get)
        assert list(rows(tmp_path, "train", "loss")[path]) == [1, 2, 3, 4, 5]


def test_validation_leaves_the_random_stream_of_training_alone(tmp_path):
    train(tmp_path / "with", *BY_FID)
    train(tmp_path / "without", "train.valid_metrics=[]")
    one, other = (state(tmp_path / name)["model"] for name in ("with", "without"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("died", [("best", 2), ("last", 3)])
def test_a_run_that_was_stopped_goes_on_exactly(tmp_path, monkeypatch, died):
    train(tmp_path / "whole", *BY_FID)
    save, count = Checkpoints.save, {"left": died[1]}

    def stop(self, name, values):
        count["left"] -= name == died[0]
        if not count["left"]:
            raise KeyboardInterrupt
        save(self, name, values)

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", *BY_FID)
    train(tmp_path / "stopped", *BY_FID)
    one, other = (tmp_path / name / "metrics.jsonl" for name in ("whole", "stopped"))
    assert one.read_text() == other.read_text()
    for name in ("best", "last"):
        a, b = (state(tmp_path / run, name=name) for run in ("whole", "stopped"))
        assert a["epoch"] == b["epoch"]
        assert all(torch.equal(a["model"][key], b["model"][key]) for key in a["model"])


def test_patience_ends_a_run_where_it_is_validated(tmp_path):
    worse = ["train.max_epochs=30", "train.lr=0.3", "train.optimizer=rmsprop", "train.patience=3"]
    train(tmp_path, "train.valid_every=4", *worse)
    last = state(tmp_path)
    assert last["epoch"] < 30
    assert last["epoch"] % 4 == 0
    best = state(tmp_path, name="best")["epoch"]
    assert last["epoch"] - best == 4  # the first validation without a better value


def test_without_validation_points_metrics_of_samples_choose(tmp_path):
    train(tmp_path, *BY_FID, "data.valid_fraction=0")
    assert list(rows(tmp_path)["model"]) == [2, 4, 5]
    assert rows(tmp_path, name="loss") == {}


@pytest.mark.parametrize("setting", ["valid_every", "valid_samples"])
def test_numbers_of_validation_are_positive(setting):
    with pytest.raises(UomhError, match=f"setting train.{setting}=0: .*greater than or equal to 1"):
        uomh.resolve(overrides=[f"train.{setting}=0"])
