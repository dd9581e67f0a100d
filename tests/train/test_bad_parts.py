"""Parts that are tiny, empty or failing: nothing is lost, and one sentence names them."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import uomh
from tests.train.test_disconnected import FLOW, GROUPS, SMALL, assert_equal, run, weights
from tests.tree import tree
from uomh.cli import app
from uomh.errors import UomhError
from uomh.models.vae import VAE


def train_by_command(folder, *arguments):
    given = [
        "train",
        "--dataset",
        "digits",
        "--run-dir",
        folder,
        "--quiet",
        *tree([*SMALL, *map(str, arguments)]),
    ]
    return CliRunner().invoke(app, [str(each) for each in given])


@pytest.fixture
def labels(tmp_path):
    """Write labels of the training pool of which so many last ones, all for training, are 1."""

    def write(few):
        path = tmp_path / "labels.npy"
        np.save(path, (np.arange(300) >= 300 - few).astype(int))
        return path

    return write


@pytest.mark.parametrize("few", [1, 5])
@pytest.mark.parametrize("second", [[], FLOW], ids=["vae", "vae+flow"])
def test_a_part_of_few_points_and_none_for_validation_trains(labels, second, few):
    saved = ["clusters.name=saved", f"clusters.file={labels(few)}", "parts"]
    model, data, config = run(None, [*saved, *second])
    assert data.weights.tolist() == pytest.approx([1 - few / 270, few / 270])
    assert torch.allclose(model.label_weights.double(), data.weights.double())
    assert model.log_prob(data.test.x).isfinite().all()
    values = uomh.measure(model, data, config)
    assert np.isfinite(values["bits_per_dim"].value)


def test_a_part_too_small_for_its_dimension_is_named(labels, tmp_path):
    result = train_by_command(
        tmp_path / "run", "--disconnected", labels(5), "parts", "model.latent_dim=dimension"
    )
    assert result.exit_code == 2
    assert "digits/1 has 5 points, too few for a dimension" in " ".join(result.output.split())


def test_an_empty_cluster_is_named(vectors):
    empty = dataclasses.replace(vectors, classes=("a", "b", "c", "nobody"))
    config, _ = uomh.resolve(overrides=tree([*SMALL, "parts"]))
    with pytest.raises(UomhError, match="class 'nobody' has no training point"):
        uomh.train(config, empty)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--disconnected", "kmeans", "parts", "clusters.num_clusters=999"], "lower num_clusters"),
        (["--disconnected", "nobody.npz", "parts"], "no file of labels 'nobody.npz'"),
        (["--disconnected", "classs", "parts"], "did you mean 'class'"),
        (["--disconnected", "class", "parts", "--backend", "threads"], "backend"),
        (["--backend", "processes"], "add --disconnected"),
    ],
)
def test_the_command_ends_in_a_sentence(tmp_path, arguments, sentence):
    result = train_by_command(tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_labels_of_another_data_set_end_the_command(tmp_path):
    first = train_by_command(
        tmp_path / "a", "--disconnected", "kmeans", "parts", "clusters.num_clusters=2"
    )
    assert first.exit_code == 0, first.output
    partition = tmp_path / "a" / "partition.npz"
    result = train_by_command(
        tmp_path / "b", "--disconnected", partition, "parts", "data.limit=200"
    )
    assert result.exit_code == 2
    assert "holds labels of" in " ".join(result.output.split())


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), UomhError("odd")], ids=repr)
def test_a_part_that_raises_leaves_the_others(tmp_path, monkeypatch, error):
    """Whatever it raises, as in another process."""
    fit = VAE.fit

    def failing(self, data, trainer):
        if trainer.path == "model/part1":
            raise error
        fit(self, data, trainer)

    monkeypatch.setattr(VAE, "fit", failing)
    with pytest.raises(UomhError, match=r"1 of 3 failed: digits/1: .*the others finished"):
        run(tmp_path / "a", GROUPS)
    result = train_by_command(tmp_path / "b", *GROUPS)
    assert result.exit_code == 2
    assert str(error) in result.output
    assert "Traceback" not in result.output
    monkeypatch.undo()
    kept = weights(tmp_path / "a")
    assert set(kept) == {f"checkpoints/model/part{k}/best.pt" for k in (0, 2)}
    run(tmp_path / "a", GROUPS)
    run(tmp_path / "whole", GROUPS)
    assert_equal(weights(tmp_path / "a"), weights(tmp_path / "whole"))


@pytest.mark.parametrize("alternate", ["step", "epoch"])
def test_turns_step_their_own_parameters(alternate, monkeypatch):
    """Of the weights at each epoch's end, those differ from the last ones whose turn it was."""
    from uomh.models.joint import Joint

    states = []
    before_epoch = Joint.before_epoch

    def recording(self, data, epoch):
        states.append(snapshot(self))
        before_epoch(self, data, epoch)

    def snapshot(joint):
        return [
            torch.cat([each.detach().flatten().clone() for each in model.parameters()])
            for model in (joint.autoencoder, joint.density)
        ]

    monkeypatch.setattr(Joint, "before_epoch", recording)
    run(None, [*FLOW, f"step.alternate={alternate}", "train.weight_decay=0.1"])
    assert len(states) == (4 if alternate == "epoch" else 2)
    for i, (old, new) in enumerate(pairwise(states)):
        moved = [not torch.equal(*pair) for pair in zip(old, new, strict=True)]
        first = i % 2 == 0
        assert moved == ([True, True] if alternate == "step" else [first, not first])
