"""Pictures of what was measured: the closest pairs, and separations of other data."""

import os

import matplotlib
import numpy as np
import pytest
from matplotlib import rcParams
from PIL import Image
from typer.testing import CliRunner

from uomh.cli import app
from uomh.report.evaluated import draw_measured, pairs_figure, separation_figure
from uomh.training.shown import file_name, keep_shown

FEW = ["--dataset", "digits", "--threads", "1", "data.limit=300", "data.test_limit=60"]
FEW += ["--model", "vae", "model.encoder_hidden_dims=[16]", "model.decoder_hidden_dims=[16]"]
FEW += ["model.latent_dim=2", "model.importance_samples=2"]


def command(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_evaluate_leaves_pictures_and_arrays_and_retraining_removes_them(tmp_path):
    run = tmp_path / "run"
    command("train", *FEW, "train.max_epochs=1", "--run-dir", run)
    how = ["--samples", "250", "--features", "pixels"]
    output = command("evaluate", run, "--metrics", "memorisation,pointwise_id", *how)
    assert "closest_pairs.png" in output
    pairs = {path.stem: np.load(path) for path in (run / "arrays/closest_pairs").iterdir()}
    assert len(pairs["samples"]) == len(pairs["training"]) == 16
    assert (np.diff(pairs["distances"]) >= 0).all()
    apart = pairs["sample_points"].astype(float) - pairs["training_points"]
    distances = np.linalg.norm(apart.reshape(16, -1), axis=1) / (pairs["levels"] - 1)
    np.testing.assert_allclose(pairs["distances"], distances, rtol=1e-5)
    pointwise = {path.stem: np.load(path) for path in (run / "arrays/pointwise_id").iterdir()}
    assert len(pointwise["samples"]) == len(pointwise["sample_rows"]) > 230  # of distinct ones

    output = command("evaluate", run, "--ood", "digits", *how)
    for score in ("likelihood", "reconstruction", "neighbour", "likelihood_id"):
        picture = run / f"ood_digits_{score}.png"
        assert picture.name in output
        with Image.open(picture) as image:
            assert image.size[0] > 600
    assert not (run / "ood_digits_likelihood_low_dim.png").exists()  # a model of one step
    for side in ("is", "oos"):
        for split, n in (("train", 270), ("test", 60)):
            path = run / f"arrays/ood_digits/{side}_{split}_lowdim_False.npy"
            assert len(np.load(path)) == n
    assert (run / "closest_pairs.png").exists()
    assert not draw_measured(run)  # nothing is newer

    command("train", *FEW, "train.max_epochs=2", "--run-dir", run)
    assert not (run / "closest_pairs.png").exists()
    assert not list(run.glob("ood_*.png"))
    assert not (run / "arrays").exists()


def test_a_damaged_array_costs_its_picture_alone(tmp_path):
    rng = np.random.default_rng(0)
    scores = {
        f"{name}_{of}": rng.normal(size=30)
        for name in ("is_test", "oos_test")
        for of in ("lowdim_False", "lowdim_True")
    }
    scores |= {f"threshold_{of}": np.array(0.0) for of in ("lowdim_False", "lowdim_True")}
    keep_shown(tmp_path, {"ood_hub:org/set": scores}, "w", "s")
    (tmp_path / "arrays/ood_hub-org-set/is_test_lowdim_True.npy").write_bytes(b"\x93NUMPY")
    assert [path.name for path in draw_measured(tmp_path)] == ["ood_hub-org-set_likelihood.png"]
    os.utime(tmp_path / "ood_hub-org-set_likelihood.png", (0, 0))
    assert len(draw_measured(tmp_path)) == 1
    keep_shown(tmp_path, {}, "w", "s")
    assert (tmp_path / "arrays").exists()
    keep_shown(tmp_path, {}, "other", "s")
    assert os.listdir(tmp_path) == []


def test_a_histogram_has_a_hundred_bins_the_boundary_and_every_point():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(size=500) + 3, rng.normal(size=400)
    outside[:40] = -np.inf
    outside[40] = -1e9
    before = dict(rcParams), matplotlib.get_backend()
    figure = separation_figure(inside, outside, 1.5, "log-likelihood", "a $set")
    assert (dict(rcParams), matplotlib.get_backend()) == before
    (ax,) = figure.axes
    bars = [patch.get_data().values for patch in ax.patches]
    assert [len(values) for values in bars] == [100, 100]
    assert [values.sum() for values in bars] == pytest.approx([1, 1])
    assert ax.get_xlim()[0] > -100
    assert ax.lines[0].get_xdata() == [1.5, 1.5]
    assert "a $set, test points" in [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("value", [2.0, -np.inf])
def test_scores_that_are_all_one_are_drawn(value):
    separation_figure(np.full(9, value), np.full(7, value), value, "score", "set")


@pytest.mark.parametrize("channels", [1, 3])
def test_pairs_of_images_are_drawn_and_vectors_have_no_picture(channels):
    points = np.random.default_rng(0).integers(0, 17, (11, channels, 5, 4)).astype(np.uint8)
    arrays = {"sample_points": points, "training_points": points, "distances": np.arange(11.0)}
    figure = pairs_figure({**arrays, "levels": np.array(17)})
    assert sum(len(ax.images) for ax in figure.axes) == 22
    vectors = {**arrays, "sample_points": points.reshape(11, -1)}
    assert pairs_figure({**vectors, "levels": np.array(0)}) is None


def test_a_name_is_that_of_a_file():
    assert file_name("ood_../x y") == "ood_..-x-y"
    assert file_name("...") == "-"
