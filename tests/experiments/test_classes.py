"""An experiment of classifiers tells of every class: its dimension, and how well each arm does."""

import json
from statistics import fmean

import pytest
from scipy.stats import norm, pearsonr, spearmanr

from tests.experiments.grids import grid_file, run
from uomh.experiments import ExperimentResult

BASE = [
    "model.name=classifier",
    "data.limit=400",
    "data.test_limit=100",
    "train.max_epochs=2",
    "evaluate.metrics=[accuracy,dimension_correlation]",
]
PLAIN, WEIGHTED = (f"model.weight_by_dimension={on}" for on in ("false", "true"))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The folder of the experiment, and by arm what its runs measured."""
    folder = tmp_path_factory.mktemp("classes")
    file = grid_file(folder, BASE, [PLAIN, WEIGHTED], metrics=["accuracy", "dimension_correlation"])
    run(file, folder / "out", seeds=2)
    place = folder / "out" / "small"
    result = ExperimentResult.read(place)
    values = {}
    for made in result.runs:
        text = (place / made.folder / "metrics.json").read_text()
        values.setdefault(made.arm, []).append(json.loads(text))
    return place, result, values


def test_classes_have_their_dimension_and_the_mean_accuracy_of_each_arm(found):
    _, result, values = found
    assert [of.arm for of in result.classes] == [PLAIN] * 10 + [WEIGHTED] * 10
    for of in result.classes:
        runs = values[of.arm]
        accuracy = [measured[f"accuracy[{of.group}]"] for measured in runs]
        assert of.accuracy == pytest.approx(fmean(one["value"] for one in accuracy))
        assert of.dimension == runs[0][f"class_dimension[{of.group}]"]["value"]
        assert of.dimension == runs[1][f"class_dimension[{of.group}]"]["value"]
        n = accuracy[0]["n"]
        assert (of.points, of.seeds) == (n, 2)
        assert of.low < of.high
        for end in (of.low, of.high):  # Wilson's: where the score test of that share just rejects
            z = abs(of.accuracy - end) / (max(end * (1 - end), 1e-12) / n) ** 0.5
            assert z == pytest.approx(norm.ppf(0.975), abs=1e-3) or end in (0.0, 1.0)


def test_correlations_over_classes_are_said(found):
    _, result, _ = found
    rows = {arm: [of for of in result.classes if of.arm == arm] for arm in (PLAIN, WEIGHTED)}
    dimensions = [of.dimension for of in rows[PLAIN]]
    accuracy = {arm: [of.accuracy for of in of_arm] for arm, of_arm in rows.items()}
    gains = [b - a for a, b in zip(accuracy[PLAIN], accuracy[WEIGHTED], strict=True)]
    said = [note for note in result.notes if "Spearman" in note]
    starts = [
        (f"digits: {PLAIN}: accuracy by dimension, over 10 classes", accuracy[PLAIN]),
        (f"digits: {WEIGHTED}: accuracy by dimension, over 10 classes", accuracy[WEIGHTED]),
        (f"digits: {WEIGHTED}: gain in accuracy over {PLAIN!r} by dimension, over 10", gains),
    ]
    assert len(said) == len(starts)
    for note, (start, numbers) in zip(said, starts, strict=True):
        assert note.startswith(start)
        assert f": Spearman {spearmanr(dimensions, numbers).statistic:.2f} [" in note
        assert f"; Pearson {pearsonr(dimensions, numbers).statistic:.2f} [" in note


def test_the_table_and_the_figure_are_written(found):
    place, result, _ = found
    _, table = (place / "experiment.md").read_text().split("### By class")
    head, _, *rows = table.strip().splitlines()[:12]
    assert head == f"| class | dimension | accuracy, {PLAIN} | accuracy, {WEIGHTED} | points |"
    first = result.classes[0]
    assert rows[0].startswith(f"| {first.group} | {first.dimension:.4g} (")
    assert rows[0].endswith(f" | {first.points} |")
    assert len(rows) == 10
    (figure,) = place.glob("accuracy_by_dimension*.png")
    assert "digits" in figure.name
    assert figure.stat().st_size > 1000
