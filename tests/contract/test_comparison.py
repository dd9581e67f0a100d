"""Runs against each other: what is compared, what is marked as best, what is only said."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

import uomh
from uomh.errors import UomhError
from uomh.metrics import Comparison, Value
from uomh.metrics.cache import Cache
from uomh.metrics.pairing import keep_influences
from uomh.text import shown

ABOUT = {"name": "dots", "fingerprint": "f", "shape": [2], "levels": None, "classes": ["a", "b"]}
ABOUT["sizes"] = {"train": 100, "valid": 10, "test": 50}
HARD = torch.linspace(-5, 5, 50, dtype=torch.float64)
"""how hard each point is, for every model"""


def score(better=0.0, name="log_likelihood", kind="exact", **more):
    """A number of points, of which all are as hard, and the model better by so much."""
    noise = 0.1 * torch.sin(torch.arange(50, dtype=torch.float64) * (3 + better))
    value = Value.mean(HARD + noise + better, kind)
    return replace(value, name=name, metric=name, higher_is_better=True, **more)


@pytest.fixture
def folder(tmp_path):
    """Write the folder of a run with these values."""

    def write(folder, *values, partition=None, keep=True, **about):
        run = tmp_path / folder
        run.mkdir()
        config = {"data": {**ABOUT, **about}, "groups": about.get("groups", ["a", "b"])}
        (run / "config.json").write_text(json.dumps(config))
        marked = [replace(value, weights=folder, setup="s") for value in values]
        entries = {value.key: value.to_dict() for value in marked}
        (run / "metrics.json").write_text(json.dumps(entries))
        if keep:
            keep_influences(Cache(run / "cache"), marked)
        if partition is not None:
            (run / "partition.npz").write_bytes(partition)
        return str(run)

    return write


def best(comparison, group=None):
    return [row.run for row in comparison.rows if row.best and row.group == group]


def test_the_best_is_marked_where_the_paired_difference_allows(folder):
    runs = [folder("one", score(0.5)), folder("two", score(0.4)), folder("three", score())]
    found = uomh.compare(runs)
    assert best(found) == [runs[0]]
    apart = found.difference(runs[1], "log_likelihood")
    assert (apart.to, apart.paired) == (runs[0], True)
    assert apart.value == pytest.approx(-0.1, abs=0.02)
    assert apart.low < apart.value < apart.high < 0
    row = found.rows[0]
    assert row.low < found.rows[1].value < row.high  # alone, the intervals say nothing
    assert found.notes == ()


def test_without_the_points_nothing_is_paired_and_no_best_is_marked(folder):
    runs = [folder("one", score(0.5), keep=False), folder("two", score(0.4), keep=False)]
    found = uomh.compare(runs)
    assert best(found) == []
    assert not found.difference(runs[1], "log_likelihood").paired


def test_the_lower_number_is_the_best_where_lower_is_better(folder):
    def lower(by):
        return replace(score(by, "bits_per_dim"), higher_is_better=False)

    runs = [folder("one", lower(0.5)), folder("two", lower(0.0))]
    assert best(uomh.compare(runs)) == [runs[1]]


def test_without_a_direction_differences_are_to_the_first(folder):
    runs = [
        folder(name, replace(score(by, "id"), higher_is_better=None))
        for name, by in (("one", 0.0), ("two", 1.0))
    ]
    found = uomh.compare(runs)
    assert best(found) == []
    assert found.difference(runs[1], "id").to == runs[0]
    assert uomh.compare(runs, to=runs[1]).difference(runs[0], "id").to == runs[1]
    with pytest.raises(UomhError, match="need it among the runs"):
        uomh.compare(runs, to="three")


@pytest.mark.parametrize(
    ("one", "two", "marked"),
    [
        ("exact", "bound", False),
        ("bound", "exact", True),
        ("bound", "bound", True),
        ("exact", "estimate", True),
    ],
)
def test_nothing_is_best_beside_a_bound_whose_true_number_may_be_better(folder, one, two, marked):
    runs = [folder("one", score(0.5, kind=one)), folder("two", score(0.0, kind=two))]
    assert best(uomh.compare(runs)) == runs[:1] * marked


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"basis": "other"}, "measured in other features, sizes or units of"),
        ({"settings": {"samples": 3}}, "measured in other settings of"),
    ],
)
def test_numbers_that_measure_something_else_have_no_difference(folder, more, sentence):
    runs = [folder("one", score(0.5)), folder("two", score(0.0, **more))]
    found = uomh.compare(runs)
    assert best(found) == []
    assert found.differences == ()
    assert sentence in found.notes[0]
    assert found.notes[0].startswith("log_likelihood: ")


def test_other_data_stand_beside_and_other_points_are_unpaired(folder):
    one = folder("one", score(0.5))
    found = uomh.compare([one, folder("two", score(0.0), name="discs")])
    assert found.differences == ()
    assert "is of other data (discs) than" in found.notes[0]
    assert [row.value is None for row in found.rows] == [False, False]
    found = uomh.compare([one, folder("three", score(0.0), fingerprint="g")])
    assert not found.differences[0].paired
    assert "was measured on other points of dots" in found.notes[0]


def test_groups_are_compared_where_they_are_the_same_points(folder):
    values = score(0.5), score(0.5, group="a")
    one = folder("one", *values, partition=b"1")
    same = folder("two", score(0.1), score(0.1, group="a"), partition=b"1")
    other = folder("three", score(0.1), score(0.1, group="a"), partition=b"2")
    assert best(uomh.compare([one, same]), "a") == [one]
    found = uomh.compare([one, other])
    assert best(found) == [one]
    assert best(found, "a") == []
    assert f"the groups of {other} are not those of {one}" in found.notes


def test_what_is_missing_in_a_run_is_said(folder):
    nothing = Value(None, reason="no codes", name="l2", metric="l2")
    runs = [folder("one", score(), nothing), folder("two", score(0.1, "l2"))]
    found = {(row.run, row.metric): row for row in uomh.compare(runs).rows}
    assert found[runs[0], "l2"].reason == "no codes"
    assert found[runs[1], "log_likelihood"].reason == "it was not measured"
    assert not any(row.best for row in found.values())


def test_metrics_are_chosen_by_their_names_and_those_of_their_numbers(folder):
    recall = replace(score(0.2, "recall"), metric="prdc")
    runs = [folder(name, score(), recall) for name in ("one", "two")]
    assert {row.metric for row in uomh.compare(runs, ["prdc"]).rows} == {"recall"}
    assert {row.metric for row in uomh.compare(runs, ["recall"]).rows} == {"recall"}
    with pytest.raises(UomhError, match="'fid' was measured of none of the runs"):
        uomh.compare(runs, ["fid"])


def test_runs_that_cannot_be_compared_are_refused_in_one_sentence(folder, tmp_path):
    run = folder("one", score())
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.json").write_text("{}")
    for runs, sentence in (
        ([], "no run to compare"),
        ([run, f"{run}/../one"], "named twice"),
        ([run, "nowhere"], "there is no run in 'nowhere'"),
        ([run, tmp_path / "bare"], "nothing is measured of .* run `uomh evaluate"),
    ):
        with pytest.raises(UomhError, match=sentence):
            uomh.compare(runs)
    (tmp_path / "one" / "metrics.json").write_text('{"loss": {"valeu": 1}}')
    with pytest.raises(UomhError, match="is damaged"):
        uomh.compare([run])


def test_a_comparison_is_plain_values_and_comes_back_from_json(folder):
    found = uomh.compare([folder("one", score(0.5)), folder("two", score(0.0, group="a"))])
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert TypeAdapter(Comparison).validate_json(text) == found


def test_notebooks_show_a_row_for_each_run_with_the_best_marked(folder):
    nothing = Value(None, reason="no codes", name="l2", metric="l2")
    runs = [folder("a<b", score(0.5), nothing), folder("two", score(), score(0.1, "l2"))]
    html = uomh.compare(runs)._repr_html_()
    head, one, two = re.findall("<tr>(.*?)</tr>", html)
    assert head == "<th>run</th><th>log likelihood</th><th>l2</th>"
    assert re.fullmatch(r"<th>\S*a&lt;b</th><td>0.5\S* \(\S+ to \S+\) \*</td><td>n/a</td>", one)
    assert "*" not in two
    assert "<p>*: best" in html


def test_a_csv_has_a_line_for_each_number_of_each_run(folder, tmp_path):
    odd = 'a, "b"\nc'
    runs = [folder("one", score(0.5), score(0.5, group=odd)), folder("two", score(0.0))]
    found = uomh.compare(runs)
    file = tmp_path / "numbers.csv"
    found.save_csv(file)
    rows = list(csv.DictReader(io.StringIO(file.read_text(), newline="")))
    assert len(rows) == len(found.rows) == 4
    assert [row["group"] for row in rows] == ["", "", odd, odd]
    first, second = rows[:2]
    assert (first["run"], first["metric"], first["n"]) == (runs[0], "log_likelihood", "50")
    assert (first["kind"], first["best"]) == ("exact", "True")
    assert float(first["low"]) == found.rows[0].low
    assert (second["to"], second["paired"]) == (runs[0], "True")
    assert float(second["difference"]) == found.differences[0].value
    alone = uomh.compare(runs[:1]).to_csv()
    assert alone.count("\n") == 1 + 2 + odd.count("\n")
    with pytest.raises(UomhError, match="cannot write"):
        found.save_csv(tmp_path / "nowhere" / "numbers.csv")
    assert shown(odd) in shown(alone.replace('""', '"'))


def test_runs_are_compared_without_torch(folder):
    run = folder("one", score())
    code = f"import sys, uomh; uomh.compare([{run!r}]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_influences_are_read_by_number_and_group(folder):
    one, other = score(0.5), score(0.2, group="[a]/\n")
    from uomh.metrics.measured import MeasuredRun

    run = MeasuredRun.read(folder("one", one, other))
    for value in (one, other):
        marked = replace(value, weights="one", setup="s")
        np.testing.assert_allclose(
            run.influences.of(marked)["points"], value.influences["points"], atol=1e-6
        )
    assert run.influences.of(replace(one, weights="else")) == {}
