"""`uomh evaluate`: several runs in one table, files of numbers, what has no number."""

import csv
import io
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.cli.comparison import comparison_tables
from uomh.cli.console import PlainConsole, parts_table
from uomh.metrics import Comparison, Difference, Value
from uomh.metrics.comparison import Row

SMALL = ["data.limit=200", "data.test_limit=40", "threads=1", "train.max_epochs=2"]
SMALL += ["model.encoder_hidden_dims=[16]", "model.decoder_hidden_dims=[16]", "model.latent_dim=2"]
MEASURED = "log_likelihood,precision_recall_density_coverage,fid"


def command(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of the same data; the second is trained for longer."""
    folder = tmp_path_factory.mktemp("runs")
    found = [folder / "one", folder / "two"]
    for run, epochs in zip(found, (1, 20), strict=True):
        more = ["model.conditional=true", f"train.max_epochs={epochs}", "train.lr=0.01"]
        result = command("train", "--run-dir", run, "--quiet", *SMALL, *more)
        assert result.exit_code == 0, result.output
    return found


@pytest.fixture(scope="module")
def compared(runs, tmp_path_factory):
    file = tmp_path_factory.mktemp("files") / "numbers.csv"
    asked = ["--metrics", MEASURED, "--features", "pixels", "--csv", file, "--groups"]
    result = command("evaluate", *runs, *asked)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    return SimpleNamespace(output=result.output, rows=rows)


def test_runs_stand_in_one_table_of_80_columns(compared, runs):
    lines = [line.rstrip() for line in compared.output.splitlines()]
    assert max(map(len, compared.output.split("measuring")[-1].splitlines())) <= 80
    flat = " ".join(compared.output.split())
    assert f"2 runs in {runs[0].parent}" in flat
    assert f"2 runs in {runs[0].parent}, group 3" in flat
    assert [line.split()[0] for line in lines if line.startswith(("one", "two"))] != []
    assert compared.output.count("n = 180") == 2  # beside every fid
    assert "*: best; its differences to all others exclude zero" in lines
    assert "last lines: differences to the best run" in compared.output
    assert "precision, recall, density, coverage, fid: pixels features" in compared.output


def test_a_file_has_every_number_with_its_interval_run_group_and_metric(compared, runs):
    rows = {(row["run"], row["group"], row["metric"]): row for row in compared.rows}
    assert len(rows) == len(compared.rows)
    for run in runs:
        entries = json.loads((run / "metrics.json").read_text())
        for name in ("log_likelihood", "fid", "recall", "fid[3]"):
            row = rows[str(run), "3" * name.endswith("[3]"), name.removesuffix("[3]")]
            entry = entries[name]
            for key in ("value", "low", "high"):
                assert float(row[key]) == entry[key]
            assert (int(row["n"]), row["kind"]) == (entry["n"], entry["kind"])
    better = rows[str(runs[1]), "", "log_likelihood"]
    assert better["best"] == "True"
    worse = rows[str(runs[0]), "", "log_likelihood"]
    assert (worse["paired"], worse["to"]) == ("True", str(runs[1]))
    assert float(worse["difference_high"]) < 0
    assert not {row["metric"] for row in compared.rows} & {"loss", "bits_per_dim"}  # not asked for


def test_the_paired_difference_of_runs_is_that_of_their_points(compared, runs):
    _, data = uomh.resolve(overrides=SMALL)
    scores = []
    for path in runs:
        run = uomh.load_run(path)
        evaluation = uomh.metrics.Evaluation(run.model, data, data.test, run.config.seed)
        with torch.no_grad():
            scores.append(evaluation.log_prob())
    apart = Value.mean(scores[0] - scores[1])
    row = next(row for row in compared.rows if row["difference"] and not row["group"])
    assert row["metric"] == "log_likelihood"
    found = [float(row[f"difference{end}"]) for end in ("", "_low", "_high")]
    assert found == pytest.approx([apart.value, apart.low, apart.high], rel=1e-3)


def test_what_the_cache_has_lost_is_measured_again_for_a_comparison(runs, tmp_path, compared):
    copies = [tmp_path / run.name for run in runs]
    for run, copy in zip(runs, copies, strict=True):
        shutil.copytree(run, copy)
        shutil.rmtree(copy / "cache")
    asked = ["--metrics", "log_likelihood", "--quiet"]
    assert command("evaluate", copies[0], *asked).exit_code == 0
    assert not (copies[0] / "cache").exists()  # one alone has its numbers
    assert not uomh.compare(copies, ["log_likelihood"]).differences[0].paired
    assert command("evaluate", *copies, *asked).exit_code == 0
    assert uomh.compare(copies, ["log_likelihood"]).differences[0].paired


def test_one_run_has_a_file_too_and_no_comparison(runs, tmp_path):
    file = tmp_path / "one.csv"
    result = command("evaluate", runs[0], "--metrics", "log_likelihood", "--csv", file)
    assert result.exit_code == 0
    assert "95% interval" in result.output
    assert "best" not in result.output
    (row, *groups) = csv.DictReader(io.StringIO(file.read_text()))
    assert (row["metric"], row["difference"], row["best"]) == ("log_likelihood", "", "False")
    assert all(row["group"] for row in groups)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["RUN", "RUN"], "a run is named twice"),
        (["RUN", "nowhere"], "there is no run in 'nowhere'"),
        (["RUN", "--csv", "nowhere/numbers.csv"], "there is no folder 'nowhere'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(
    runs, arguments, sentence, monkeypatch
):
    again = "uomh.training.measure.complete_measures"
    monkeypatch.setattr(again, lambda *_, **__: pytest.fail("measured"))
    result = command("evaluate", *[runs[0] if text == "RUN" else text for text in arguments])
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())


def test_a_run_without_a_test_split_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("uomh.cli.runs.out", PlainConsole(width=80))
    from uomh.cli.runs import show_values

    values = [Value(None, reason="d has no test split", name=name) for name in ("loss", "fid")]
    out = io.StringIO()
    monkeypatch.setattr("uomh.cli.console.out", PlainConsole(file=out, width=80))
    show_values(values, "run: test split of d")
    assert out.getvalue() == "run: test split of d: nothing is measured, for d has no test split\n"


def test_groups_without_any_number_have_no_empty_table():
    def nothing(name, group, reason="no codes"):
        return Value(None, reason=reason, name=name, metric=name, group=group)

    assert parts_table([nothing("l2", None), nothing("l2", "a")]) is None
    screen = PlainConsole(file=io.StringIO(), width=80)
    screen.print(parts_table([nothing("id", "a", "4 points are too few")]))
    assert screen.file.getvalue() == "id of a: n/a, for 4 points are too few\n"


def table_of(metrics, runs, width=80):
    """The comparison of so many numbers of so many runs, as it is printed."""
    row = Row("", None, "", -12345.67, -12399.9, -12300.1, 1000, "exact", False, True, None, "")
    named = [f"runs/a_rather_long_name_of_run_{k}" for k in range(runs)]
    rows = [replace(row, run=run, metric=metric) for metric in metrics for run in named]
    differences = [
        Difference(run, named[0], None, metric, -1.5, -2.25, -0.75, True)
        for metric in metrics
        for run in named[1:]
    ]
    found = Comparison(tuple(named), tuple(rows), tuple(differences))
    screen = PlainConsole(file=io.StringIO(), width=width)
    for table in comparison_tables(found, screen):
        screen.print(table)
    return screen.file.getvalue()


@pytest.mark.parametrize(
    ("metrics", "runs", "corner"),
    [(1, 5, "run"), (2, 9, "run"), (9, 2, "metric"), (9, 5, "run")],
)
def test_wide_tables_are_turned_or_cut_and_lose_nothing(metrics, runs, corner):
    names = [f"metric{k}" for k in range(metrics)]
    text = table_of(names, runs)
    assert max(map(len, text.splitlines())) <= 80
    assert any(line.startswith(corner + " ") for line in text.splitlines()[1:3])
    assert text.count("-12346") == metrics * runs
    assert text.count("-2.25 to -0.75") == metrics * (runs - 1)
    for name in names:
        assert name in text
    assert "…" not in text


def test_a_wide_terminal_has_one_table_of_a_row_a_run():
    lines = table_of(["fid", "recall", "c_t"], 2, width=200).splitlines()
    assert lines[0].strip() == "2 runs in runs"
    assert lines[1].split() == ["run", "fid", "recall", "c", "t"]
