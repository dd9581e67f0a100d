"""The dimension command of the acknowledged code, by its published options."""

import json

import numpy as np
import pytest

from uomh import load_data, nearest_neighbours
from uomh.cli.paper.dimension import main, parser, without_effect
from uomh.dimension.mle import MLE

OPTIONS = (
    *("estimator", "k1", "k2", "nb-iter", "average-inverse", "single-k", "inv-mle", "cosine-dist"),
    *("anchor-samples", "anchor-ratio", "max_num_samples", "separate-classes", "n_cls"),
    "save-path",
)
"""those of paper.md, section 6"""

VALUES = {
    "estimator": "geomle --k1 8 --k2 20",
    "k1": 8,
    "k2": 12,
    "nb-iter": 3,
    "anchor-samples": 200,
    "anchor-ratio": 0.2,
    "max_num_samples": 400,
    "n_cls": 3,
    "save-path": "other.json",
}
"""values that differ from the base's; the other options are flags"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def start(line, file="results.json"):
        main(["--dset", "digits", *line.split()])
        said = capsys.readouterr().out
        return json.loads((tmp_path / file).read_text(encoding="utf-8")), said

    return start


def results(found):
    return {key: value for key, value in found.items() if key.endswith("dim") or key == "classes"}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_published_option_changes_the_result_or_says_why_not(run, option):
    base = "--estimator mle --k1 6 --k2 10"
    before, _ = run(base)
    value = VALUES.get(option, "")
    file = "other.json" if option == "save-path" else "results.json"
    after, said = run(f"{base} --{option} {value}", file)
    changed = results(before) != results(after)
    if option == "single-k":
        assert set(results(after)) == {"dim", "inv_mle_dim"}
    elif option == "nb-iter":
        assert not changed
        assert "--nb-iter: the mean over bootstrap rounds is the mean over points" in said
        geomle = "--estimator geomle --k1 6 --k2 20 --max_num_samples 300"
        assert results(run(geomle)[0]) != results(run(f"{geomle} --nb-iter 3")[0])
    elif option == "save-path":
        assert not changed
    else:
        assert changed
    assert after[option.replace("-", "_")] != before[option.replace("-", "_")]


def test_mle_at_one_k_is_the_plain_and_the_harmonic_mean(run):
    x = load_data("digits", valid_fraction=0.0, test_fraction=0.0).train.x.flatten(1)
    found = nearest_neighbours(x, 25)
    one, _ = run("--k1 25 --single-k --average-inverse")
    plain = MLE(25, aggregate="mean", normaliser="k-2", splits=0).fit(None, neighbours=found)
    harmonic = MLE(25, normaliser="k-2", splits=0).fit(None, neighbours=found)
    assert one["dim"] == pytest.approx(plain.dimension_, rel=1e-12)
    assert one["inv_mle_dim"] == pytest.approx(harmonic.dimension_, rel=1e-12)
    every, said = run("--k1 25 --single-k --eval-every-k --average-inverse")
    assert every["k25_dim"] == one["dim"]
    assert {f"k{k}_inv_mle_dim" for k in range(3, 26)} < set(every)
    assert "--average-inverse: --single-k leaves one k" in said


def test_mle_over_many_k(run):
    at = [run(f"--k1 {k} --single-k")[0]["dim"] for k in (8, 9, 10)]
    assert run("--k1 8 --k2 10")[0]["dim"] == pytest.approx(np.mean(at), rel=1e-12)
    harmonic = run("--k1 8 --k2 10 --average-inverse")[0]["dim"]
    assert harmonic == pytest.approx(1 / np.mean(1 / np.array(at)), rel=1e-12)


@pytest.mark.parametrize("estimator", ["mle --single-k", "geomle", "twonn", "shortest-path -k 8"])
def test_every_estimator_at_anchors_and_class_by_class(run, estimator):
    line = f"--estimator {estimator} --k1 8 --k2 20"
    whole = run(line)[0]["dim"]
    assert run(f"{line} --anchor-samples 400")[0]["dim"] == pytest.approx(whole, rel=0.25)
    found = run(f"{line} --separate-classes --n_cls 2")[0]["classes"]
    assert list(found) == ["0", "1"]
    assert all(0 < part["dim"] < 30 for part in found.values())


@pytest.mark.parametrize(
    ("line", "idle"),
    [
        ("--estimator twonn --k1 5 --inv-mle", {"--k1", "--inv-mle"}),
        ("--estimator shortest-path --k2 5 --nb-iter 3", {"--k2", "--nb-iter"}),
        ("--estimator geomle --single-k --nb-iter 3", {"--single-k"}),
        ("--estimator mle --single-k --k2 9 -k 4", {"--k2", "--n-neighbors"}),
        ("--estimator mle --eval-every-k", {"--eval-every-k"}),
        ("--gpu 0 --bsize 10 --n-workers 2 --nb-iter1 2", {"--gpu", "--bsize", "--n-workers",
                                                          "--nb-iter1"}),
    ],
)  # fmt: skip
def test_options_without_effect_are_said(line, idle):
    assert {
        said.split(":")[0] for said in without_effect(parser().parse_args(line.split()))
    } == idle


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--k1 2 --single-k", "k1 is at least 3"),
        ("--k1 20 --k2 10", "k2 at least k1"),
        ("--n_cls 11", "has 10 classes"),
        ("--max_num_samples 0", "-1 for all"),
        ("--anchor-ratio 2", "from 0 to 1"),
        ("--save-path nowhere/x.json", "in a folder that exists"),
        ("--k1 8 --k2 2000", "k is 2000"),
    ],
)
def test_bad_input_is_one_sentence(run, capsys, line, sentence):
    with pytest.raises(SystemExit) as ended:
        run(line)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_directions_do_not_know_lengths(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 4))
    np.savez(tmp_path / "cone.npz", x=x * rng.uniform(1, 50, size=(600, 1)))
    found, _ = run(f"--dset {tmp_path}/cone.npz --estimator twonn --cosine-dist")
    assert found["dim"] == pytest.approx(3, rel=0.2)
