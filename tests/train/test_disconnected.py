"""Compositions as runs: parts anywhere end alike, turns are taken, plans are kept."""

import shutil
from pathlib import Path

import pytest
import torch

import uomh
from tests.train.test_resume import finish
from tests.tree import tree
from uomh.errors import UomhError
from uomh.parallel.core import Parallel
from uomh.training.need import POINTS

SMALL = ["data.limit=300", "data.test_limit=40", "model.encoder_hidden_dims=[24]", "threads=1"]
SMALL += ["model.decoder_hidden_dims=[24]", "model.latent_dim=3", "train.max_epochs=2"]
FLOW = ["density.name=flow", "density.train.max_epochs=2", "density.num_layers=1"]
GROUPS = ["clusters.name=kmeans", "clusters.num_clusters=3", "parts"]


def run(folder, overrides, parallel=None):
    config, data = uomh.resolve(overrides=tree([*SMALL, *overrides]))
    model, data = uomh.train(config, data, folder, parallel=parallel)
    return model, data, config


def weights(folder):
    paths = sorted(Path(folder).glob("checkpoints/**/best.pt"))
    return {
        str(path.relative_to(folder)): torch.load(path, weights_only=True)["model"]
        for path in paths
    }


def assert_equal(left, right):
    assert left.keys() == right.keys()
    for path, state in left.items():
        for key, value in state.items():
            assert torch.equal(value, right[path][key]), (path, key)


def test_serial_and_processes_end_in_the_same_weights(tmp_path):
    run(tmp_path / "serial", [*GROUPS, *FLOW])
    run(tmp_path / "processes", [*GROUPS, *FLOW], Parallel("processes", 2))
    assert_equal(weights(tmp_path / "serial"), weights(tmp_path / "processes"))


def test_a_run_is_what_its_folder_says(tmp_path):
    model, data, config = run(tmp_path / "a", [*GROUPS, *FLOW, "model.latent_dim=dimension"])
    values = uomh.measure(model, data, config, run_dir=tmp_path / "a")
    assert {"bits_per_dim", "bits_per_dim[0]", "manifold_distance[2]"} <= set(values)
    assert values["low_dim_log_likelihood"].value is None
    found = uomh.load_run(tmp_path / "a")
    from uomh.dimension.mle import MLE

    for part, piece in zip(found.config.model.parts, data.parts(), strict=True):
        dimension = MLE(10, splits=0).fit(piece.train.x.flatten(1).numpy()).dimension_
        assert part.model.autoencoder.latent_dim == -int(-dimension // 1)
    torch.manual_seed(0)
    ours = model.log_prob(data.test.x)
    torch.manual_seed(0)
    assert torch.equal(found.model.log_prob(data.test.x), ours)
    before = (tmp_path / "a" / "partition.npz").stat().st_mtime_ns
    run(tmp_path / "a", [*GROUPS, *FLOW, "model.latent_dim=dimension"])
    assert (tmp_path / "a" / "partition.npz").stat().st_mtime_ns == before


def test_matched_parts_cost_what_one_model_does():
    count = {}
    for match in ("none", "parameters"):
        config, data = uomh.resolve(overrides=tree([*SMALL[:2], f"parts.match={match}"]))
        model = uomh.build(config, data)
        count[match] = sum(each.numel() for each in model.parameters())
    config, data = uomh.resolve(overrides=SMALL[:2])
    one = sum(each.numel() for each in uomh.build(config, data).parameters())
    assert count["none"] > 9 * one
    assert 0.85 * one < count["parameters"] <= one


@pytest.mark.parametrize("alternate", ["step", "epoch"])
def test_two_steps_take_turns(alternate):
    config, data = uomh.resolve(overrides=tree([*SMALL, *FLOW, f"step.alternate={alternate}"]))
    joint = uomh.build(config, data).joint
    training = joint.config.train
    assert training.max_epochs == (4 if alternate == "epoch" else 2)
    assert set(training.groups) == set(joint.groups()) == {"autoencoder.model", "density.model"}
    joint.prepare(data)
    for epoch in (1, 2):
        joint.before_epoch(data, epoch)
        stepped = [group for group, _ in joint.losses(data.train.x[:16], None, 0)]
        both = ["autoencoder.model", "density.model"]
        assert stepped == (both if alternate == "step" else [both[epoch - 1]])
    trained, data, config = run(None, [*FLOW, f"step.alternate={alternate}"])
    assert trained.log_prob(data.test.x).isfinite().all()


@pytest.mark.parametrize("alternate", ["", "step.alternate=epoch"])
def test_a_disconnected_two_step_run_that_died_ends_the_same(tmp_path, alternate):
    # `child` trains through `uomh.train` as these do; it dies before a state is saved.
    over = [
        *GROUPS[:1],
        "clusters.num_clusters=2",
        *GROUPS[2:],
        *FLOW,
        *([alternate] if alternate else []),
    ]
    over.append("train.max_epochs=2")
    assert finish(tmp_path / "whole", over) == 0
    for moment in (("last", 1), ("last", 3), ("best", 4)):
        folder = tmp_path / f"died{moment[0]}{moment[1]}"
        assert finish(folder, over, moment) == -9
        assert finish(folder, over) == 0
        assert_equal(weights(tmp_path / "whole"), weights(folder))
        log = "metrics.jsonl"
        assert sorted((folder / log).read_text().splitlines()) == sorted(
            (tmp_path / "whole" / log).read_text().splitlines()
        )


def test_a_frozen_autoencoder_is_the_other_run_s(tmp_path):
    run(tmp_path / "first", [])
    over = [*FLOW, f"step.autoencoder_run={tmp_path / 'first'}", "step.freeze=true"]
    run(tmp_path / "second", over)
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    theirs = first["checkpoints/model/best.pt"]
    ours = second["checkpoints/model/autoencoder/best.pt"]
    assert_equal({"": theirs}, {"": ours})
    shutil.rmtree(tmp_path / "first")
    run(tmp_path / "second", over)  # goes on without its source


def test_a_part_that_fails_leaves_the_others(tmp_path, monkeypatch):
    from uomh.models.vae import VAE

    score, calls = VAE.objective, []

    def failing(self, x, y):
        loss = score(self, x, y)
        if len(x) <= max(POINTS):  # its cost is being counted
            return loss
        calls.append(len(x))
        return loss * float("nan") if self.training and len(calls) < 2 else loss

    monkeypatch.setattr(VAE, "objective", failing)
    with pytest.raises(UomhError, match=r"1 of 3 failed: digits/0: .*others finished"):
        run(tmp_path / "a", GROUPS)
    monkeypatch.setattr(VAE, "objective", score)
    done = weights(tmp_path / "a")
    assert set(done) == {f"checkpoints/model/part{k}/best.pt" for k in (1, 2)}
    run(tmp_path / "a", GROUPS)
    after = weights(tmp_path / "a")
    assert len(after) == 3
    assert_equal(done, {path: after[path] for path in done})


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["clusters.num_clusters=999"], "999 clusters are more than the 270 training points"),
        (["model.conditional=true"], "no labels left"),
        (["density.name=ae"], "ae is no density"),
        (["step.freeze=true"], "needs autoencoder_run"),
        (["step.autoencoder_run=nowhere", *FLOW], "no run in '.*nowhere'"),
    ],
)
def test_what_cannot_be_put_together_is_one_sentence(overrides, sentence):
    with pytest.raises(UomhError, match=sentence):
        run(None, [*GROUPS, *overrides])


def test_labels_of_other_data_are_refused(tmp_path):
    run(tmp_path / "a", GROUPS)
    partition = tmp_path / "a" / "partition.npz"
    saved = ["clusters.name=saved", f"clusters.file={partition}", "parts"]
    with pytest.raises(UomhError, match="holds labels of"):
        run(None, [*saved, "data.limit=200"])
    model, _, _ = run(None, saved)
    assert model.num_classes == 3


def test_a_cluster_smaller_than_a_batch_trains():
    model, data, _ = run(None, ["data.limit=60", "parts", "train.batch_size=128"])
    assert model.log_prob(data.test.x).isfinite().all()
