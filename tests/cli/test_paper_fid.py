"""Every published script measures what it asks for: `fid` has a value with its interval."""

import importlib.util
import json
from pathlib import Path

import pytest

from uomh.cli import paper

spec = importlib.util.spec_from_file_location(
    "paper_commands", Path(__file__).parents[2] / "benchmarks" / "paper_commands.py"
)
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)
SCRIPTS = benchmark.published()


def test_the_published_scripts_are_all_there():
    assert len(SCRIPTS) == len(set(SCRIPTS)) == 19
    assert all("fid" in script for script in SCRIPTS)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_fid_of_a_published_script_has_a_value_and_its_interval(script, tmp_path):
    line = benchmark.of_data(benchmark.on("digits", script), limit=300, test_limit=100)
    name, *options = line.split()
    getattr(paper, name.removesuffix(".py"))([*options, "--run-name", str(tmp_path / "run")])
    fid = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["fid"]
    assert fid["low"] < fid["value"] < fid["high"]
    assert fid["n"] == 270
