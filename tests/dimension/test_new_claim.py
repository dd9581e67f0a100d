"""A claim (that of docs/extending.md) is a file and a field in the list; no more is touched."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import uomh

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
CLAIM = next(
    block
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if "(Claim)" in block
)
USE = """
import sys
from pathlib import Path
from uomh.cli import app
from uomh.dimension.result import DimensionReport

folder = Path(sys.argv[1])
app(["verify", "--dataset", str(folder / "set.npz"), "--k", "3,5", "--nulls", "19",
     "--out", str(folder / "out")], standalone_mode=False)
report = DimensionReport.load(folder / "out")
assert report.to_json() + "\\n" == (folder / "out/dimension.json").read_text()
assert report.claims.groups_balanced.ratio == 3
app(["verify", "--dataset", str(folder / "plain.npz"), "--k", "3"], standalone_mode=False)
"""


def test_a_claim_is_a_file_and_a_field(tmp_path):
    package = tmp_path / "uomh"
    shutil.copytree(
        Path(uomh.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    claims = package / "dimension" / "claims"
    (claims / "groups_balanced.py").write_text(CLAIM)
    listed = (claims / "__init__.py").read_text()
    last = "    groups_separated: GroupsSeparated\n"
    imported = "from uomh.dimension.claims.groups_separated import GroupsSeparated\n"
    assert listed.count(last) == listed.count(imported) == 1
    listed = listed.replace(last, f"{last}    groups_balanced: GroupsBalanced\n")
    new = "from uomh.dimension.claims.groups_balanced import GroupsBalanced\n"
    (claims / "__init__.py").write_text(listed.replace(imported, imported + new))

    x = np.random.default_rng(0).random((160, 3)).astype(np.float32)
    np.savez(tmp_path / "set.npz", x=x, y=np.repeat([0, 1], [120, 40]))
    np.savez(tmp_path / "plain.npz", x=x)
    found = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    text = " ".join(found.stdout.split())
    assert "groups balanced not supported largest over smallest: 3.00" in text
    assert "the groups are not balanced" in text
    assert "groups balanced undecided the data have no groups" in text
    written = json.loads((tmp_path / "out/dimension.json").read_text())
    assert written["claims"]["groups_balanced"] == {
        "status": "not supported", "ratio": 3.0, "reason": ""
    }  # fmt: skip
    assert "the groups are not balanced" in written["verdict"]
