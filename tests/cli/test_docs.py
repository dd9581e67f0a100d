"""The documentation's example of a model in one file is true."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uomh.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"


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
