"""The wheel alone, in an empty environment, is enough."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    (file,) = folder.glob("uomh-*.whl")
    return file


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("uomh/")}
    source = ROOT / "src"
    there = {
        path.relative_to(source).as_posix()
        for path in source.glob("uomh/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == there


@pytest.mark.slow
def test_the_wheel_alone_verifies_digits(wheel, tmp_path):
    # A PYTHONPATH to a checkout would have pip find the package installed.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [str(python), *PIP[1:], "install", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(install, check=True, env=clean)
    command = [str(python.with_name("uomh")), "verify", "--dataset", "digits", "--out", "out"]
    subprocess.run(command, check=True, cwd=tmp_path, env=clean)
    report = json.loads((tmp_path / "out" / "dimension.json").read_text())
    assert report["n"] == 1797
    assert (tmp_path / "out" / "dimension.png").is_file()


def test_the_conda_environment_is_a_checkout_with_the_tested_versions():
    environment = yaml.safe_load((ROOT / "env.yaml").read_text())
    *_, pip = environment["dependencies"]
    assert pip == {"pip": ["-c constraints.txt", "-e ."]}
