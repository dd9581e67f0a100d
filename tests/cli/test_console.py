"""Names of others are shown as they are, on one line, everywhere."""

import csv
import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

import uomh
from uomh.cli import console
from uomh.cli.console import PlainConsole, metrics_table, parts_table, rows_table
from uomh.cli.verify import groups_table
from uomh.metrics import Value
from uomh.report.figures import dimension_figure, save_dimension_figure
from uomh.text import shortened, shown

PLAIN = ["a[b]", "[red]", "[/]", ":smile:", "$x_1$", "_under", "{brace}", "\\[x", "é猫"]
ODD = {"two\nlines": r"two\nlines", "\x1b[31mred": r"\x1b[31mred", "back\u202ewards": r"back\u202e"}


def printed(renderable):
    target = PlainConsole(file=io.StringIO(), width=200)
    target.print(renderable)
    return target.file.getvalue()


def value(number, name="loss", group=None):
    return Value(number, n=5, name=name, group=group)


@pytest.mark.parametrize("name", PLAIN)
def test_names_are_shown_as_they_are(name, capsys, monkeypatch):
    values = [value(1.0), value(2.0, group=name)]
    assert name in printed(parts_table(values))
    assert "2" in printed(parts_table(values)).split(name)[1]
    assert name in printed(metrics_table([value(1.0, name)], name))
    assert name in printed(rows_table(["name"], [[name]]))
    assert value(2.0, group=name).key == f"loss[{name}]"
    stream = io.StringIO()
    monkeypatch.setattr(console, "out", PlainConsole(file=stream, width=80))
    console.say(f"class {name}")
    assert stream.getvalue() == f"class {name}\n"


@pytest.mark.parametrize("name", ODD)
def test_what_breaks_or_steers_a_line_is_escaped(name):
    for renderable in (
        parts_table([value(2.0, group=name)]),
        metrics_table([value(1.0, name)], "title"),
        rows_table(["name"], [[name]]),
    ):
        text = printed(renderable)
        assert ODD[name] in text
        assert name not in text
    assert "\x1b" not in printed("\x1b[31mred")


def test_progress_shows_names_as_they_are(monkeypatch):
    terminal = PlainConsole(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    monkeypatch.setattr(console, "out", terminal)
    with console.Display(quiet=False) as display:
        display.start("model/[red]:smile:", 0, 2, 10)
        display.epoch("model/[red]:smile:", 1, {"train": {"a[b]": 1.0}}, 0.1)
    assert "model/[red]:smile:" in terminal.file.getvalue()
    assert "train a[b] 1" in terminal.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("quiet", [True, False])
def test_stages_are_bars_or_a_line_at_the_end(terminal, quiet, monkeypatch):
    screen = PlainConsole(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)
    monkeypatch.setattr(console, "out", screen)
    with console.Display(quiet) as display:
        for done in (1, 2, 3):
            display.stage("neighbours", done, 3)
        display.stage("a[b]\n", 1, 2)
    text = screen.file.getvalue()
    if quiet:
        assert text == ""
    elif terminal:
        assert "searching neighbours" in text
        assert "3/3" in text
        assert "a[b]\\n" in text
    else:
        assert re.fullmatch(r"searching neighbours: 0\.\d s\n", text)


def test_without_bars_fast_epochs_are_left_out_but_for_the_last(capsys, monkeypatch):
    clock = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: clock)
    with console.Display(quiet=False) as display:
        display.start("vae", 0, 20, 10)
        for epoch in range(1, 20):  # the 20th is never reached: it stops early
            clock += 0.125
            display.epoch("vae", epoch, {"train": {"loss": 1.0}}, 0.1)
        display.stop("vae", "stopped early")
    lines = capsys.readouterr().out.splitlines()
    shown = [int(line.split("epoch ")[1].split("/")[0]) for line in lines if "epoch " in line]
    assert shown == [1, 5, 9, 13, 17, 19]
    assert lines[-1] == "vae: stopped early"


def test_long_names_are_cut_where_space_is_short():
    assert shortened("x" * 1000, 10) == "x" * 9 + "…"
    text = printed(parts_table([value(2.0, group="x" * 1000)]))
    assert max(map(len, text.splitlines())) < 80
    assert shown("plain text") == "plain text"


def test_why_groups_have_no_number_stands_below_them_once():
    few = [Value(None, reason="4 points are too few", name="id", group=name) for name in "ab"]
    known = [Value(None, reason="no codes", name="l2", metric="l2", group=g) for g in (None, "a")]
    text = printed(parts_table([*known, *few, value(2.0, group="c")]))
    assert text.count("id of a, b: n/a, for 4 points are too few") == 1
    assert "no codes" not in text  # it stands below the whole


@pytest.mark.parametrize("value", [-221.683, 0.00037037])
def test_the_longest_name_stands_on_one_line_of_80_columns(value):
    name = "importance_weighted_log_likelihood"
    target = PlainConsole(file=io.StringIO(), width=80)
    number = Value(value, -222.91, -220.4512, 60_000, "estimate", name=name)
    target.print(metrics_table([number], "title"))
    assert name in target.file.getvalue()


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(0)
    names = ["$x_1$ a[b]", 'two\nlines, \x1b[31m猫 "q"']
    points = rng.normal(size=(120, 3))
    points[60:, 2] = 9
    return uomh.verify(
        points, np.arange(120) // 60, k=[5], nulls=19, classes=names, name="$data_$\n"
    )


def test_a_report_keeps_the_names_in_its_files_and_shows_them_on_the_terminal(report):
    names = [group.label for group in report.groups]
    assert [group["label"] for group in json.loads(report.to_json())["groups"]] == names
    cells = [cell for row in csv.reader(io.StringIO(report.to_csv())) for cell in row]
    assert set(names) <= set(cells)
    text = printed(groups_table(report))
    assert "$x_1$ a[b]" in text
    assert r"two\nlines" in text


def test_figures_draw_names_letter_by_letter(report, tmp_path):
    figure = dimension_figure([report])
    (ax,) = figure.axes
    assert {text.get_text() for text in ax.texts} == {"$x_1$ a[b]", 'two\\nlines, \\x1b[31m猫 "…'}
    assert not any(text.get_parse_math() for text in (*ax.texts, ax.title))
    assert ax.title.get_text() == "$data_$\\n"
    assert len(save_dimension_figure([report], tmp_path)) == 3  # and no warning of a missing glyph


def test_the_console_writes_to_any_width_without_colour():
    target = PlainConsole(file=io.StringIO(), width=80, no_color=True)
    assert isinstance(target, Console)
    target.print(metrics_table([value(1.0)], "title"))
    assert "\x1b" not in target.file.getvalue()
