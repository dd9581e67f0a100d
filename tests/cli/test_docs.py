"""What the documentation shows is true: its example of a model, its commands, its tutorials."""

import contextlib
import json
import re
import shlex
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from uomh.cli import app
from uomh.dimension.values import Learned

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"
TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])

EXAMPLE = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
POSTPONED = EXAMPLE.replace(
    "import math", "from __future__ import annotations\nimport math\nfrom typing import Optional"
).replace("deviation: float", "deviation: Optional[float]")


@pytest.mark.parametrize("code", [EXAMPLE, POSTPONED], ids=["as printed", "postponed annotations"])
def test_a_model_in_one_file(code, tmp_path):
    (tmp_path / "diagonal.py").write_text(code)
    run = tmp_path / "run"
    command = ["train", "--dataset", "digits", "--model", f"{tmp_path}/diagonal.py:Diagonal"]
    command += ["--run-dir", str(run), "model.initial_deviation=0.5", "train.max_epochs=2"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert json.loads((run / "metrics.json").read_text())["bits_per_dim"]["kind"] == "exact"
    assert (run / "samples.png").is_file()
    assert CliRunner().invoke(app, ["evaluate", str(run), "--metrics", "loss"]).exit_code == 0


def blocks(page):
    """The fenced blocks of a page as (language, text), in their order."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text):
    """The `uomh` commands of a block of shell, as lists of words; lines that go on are joined."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):  # settings of the environment
            words = words[1:]
        if words and words[0].removeprefix(".venv/bin/") == "uomh":
            yield words[1:]


SHOWN = [
    pytest.param(words, id=f"{page.stem}: {shlex.join(words)}"[:100])
    for page in PAGES
    for language, text in blocks(page)
    if language in ("", "bash", "sh", "console")
    for words in commands(text)
    if "[" not in shlex.join(words).split("=")[0]  # a synopsis
]


@pytest.mark.parametrize("words", SHOWN)
def test_every_command_shown_is_understood(words):
    group = typer.main.get_command(app)
    asks_for_help = contextlib.suppress(click.exceptions.Exit)
    with asks_for_help, group.make_context("uomh", list(words)) as context:
        name, command, rest = group.resolve_command(context, words)
        command.make_context(name, rest, parent=context).close()


LEFT_OUT = {"mnist", "pets"}  # data that are not there


def follow(page, runner):
    """Type a tutorial line by line: its commands, and its Python in one session."""
    session = {}
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, str(page), "exec"), session)
        elif language == "bash":
            for words in commands(text):
                if LEFT_OUT.isdisjoint(words):
                    result = runner.invoke(app, words)
                    assert result.exit_code == 0, (words, result.output)
    return session


def test_five_minutes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = follow(TUTORIALS / "five-minutes.md", CliRunner())
    assert 9 < session["zeros"].dimension < 10
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "out/digits/bands.pdf").is_file()
    # The numbers that the page prints.
    page = (TUTORIALS / "five-minutes.md").read_text(encoding="utf-8")
    report = json.loads((tmp_path / "out/union/dimension.json").read_text())
    for group in report["groups"]:
        assert f"{group['k']['10']['dimension']:.2f} ±" in page
        learned = Learned(**group["learned"]).ends()
        assert "  {:.1f}-{:.1f}  ".format(*learned) in page
    assert "3.55 ±" in page
    assert f"{report['whole']['k']['10']['dimension']:.2f}" == "3.55"


def test_your_own_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = follow(TUTORIALS / "your-data.md", CliRunner())
    assert session["report"].claims.dimensions_differ.status == "supported"
    assert (
        json.loads((tmp_path / "out/features/dimension.json").read_text())["groups"]
        == (session["report"].to_dict()["groups"])
    )
    assert (tmp_path / "out/features/scale.png").is_file()


@pytest.mark.slow
def test_train_and_compare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    follow(TUTORIALS / "train-and-compare.md", CliRunner())
    assert (tmp_path / "report.html").is_file()
    metrics = json.loads((tmp_path / "runs/ten/metrics.json").read_text())
    assert metrics["fid"]["low"] < metrics["fid"]["value"] < metrics["fid"]["high"]
