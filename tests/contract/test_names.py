"""Public names: one list in each package, which loads them on first use."""

import importlib
import subprocess
import sys

import pytest

import uomh

PACKAGES = ("uomh", *(f"uomh.{name}" for name in ("clusters", "data", "metrics", "models")))
PACKAGES += ("uomh.parallel", "uomh.experiments")


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_loads_and_is_listed(name):
    package = importlib.import_module(name)
    assert package.__all__ == sorted(package.__all__)
    assert set(package.__all__) <= set(dir(package))
    for public in package.__all__:
        assert getattr(package, public).__name__.rpartition(".")[2] == public
    scope = {}
    exec(f"from {name} import *", scope)
    assert set(scope) - {"__builtins__"} == set(package.__all__)


def test_the_names_of_the_library():
    assert uomh.__all__ == [
        "DimensionReport",
        "Neighbours",
        "UomhError",
        "build",
        "cluster",
        "compare",
        "complete",
        "figures",
        "fit",
        "load_data",
        "load_run",
        "measure",
        "metrics",
        "nearest_neighbours",
        "register",
        "resolve",
        "train",
        "verify",
    ]


def test_a_misspelt_name_is_told_from_the_nearest():
    with pytest.raises(AttributeError, match="module 'uomh' has no attribute 'verfy'") as caught:
        uomh.verfy  # noqa: B018
    assert (caught.value.name, caught.value.obj) == ("verfy", uomh)


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_package_brings_nothing_heavy(name):
    heavy = "torch numpy pydantic importlib.metadata"
    ask = f"import sys, {name}; print(*(m for m in {heavy.split()} if m in sys.modules))"
    assert run(ask) == []
