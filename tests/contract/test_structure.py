"""The shape of the house: imports go down, in no circle, types included; only `cli` prints."""

import ast
from pathlib import Path

import pytest

import uomh

SOURCE = Path(uomh.__file__).parent

LAYERS = (
    {"cost", "errors", "files", "lazy", "memory", "registry", "seeds", "settings", "sizes", "text"}
    | {"devices"},
    {"config", "data", "neighbours", "nn", "parallel"},
    {"dimension", "models"},
    {"clusters", "metrics"},
    {"training"},
    {"features"},
    {"experiments", "report", "uomh"},
    {"cli"},
    {"__main__"},
)
"""folders and files of the package from the bottom; ``uomh`` is the list of its public names"""
PRINTERS = {"rich", "typer", "click", "tqdm", "pprint", "getpass"}

# Circles of today. Each is gone once its modules are redrawn: then take it from this list.
KNOWN_CIRCLES: set[tuple[str, ...]] = set()

# What changes the program around us, and who may.
HOST = {
    "allow": {"uomh.cli.console"},
    "mallopt": {"uomh.memory"},
    "manual_seed": {"uomh.seeds"},
    "set_num_threads": {"uomh.parallel.core", "uomh.cli.verify"},
    "set_num_interop_threads": set(),
    "set_default_dtype": set(),
    "use_deterministic_algorithms": set(),
    "chdir": set(),
    "putenv": set(),
    "basicConfig": set(),
}


def modules(root):
    """Every module of a package by its dotted name, parsed."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def arrows(root):
    """The modules of the package that each imports, wherever in its file, types included."""
    trees = modules(root)
    packages = {path.parent for path in root.rglob("__init__.py")}

    def imported(module, tree):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    is_package = root.parent.joinpath(*module.split(".")) in packages
                    above = module.split(".")[: None if is_package else -1]
                    above = above[: len(above) - node.level + 1]
                    base = ".".join([*above, base]).removesuffix(".")
                for alias in node.names:
                    name = f"{base}.{alias.name}"
                    yield name if name in trees else base

    return {
        module: {name for name in imported(module, tree) if name in trees and name != module}
        for module, tree in trees.items()
    }


def circles(graph):
    """The sets of nodes that reach each other, each sorted."""
    reached = {}
    for start in graph:
        reached[start] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - reached[start]
            reached[start] |= new
            waiting += new
    return {
        tuple(sorted(other for other in reached[node] if node in reached[other]))
        for node in graph
        if node in reached[node]
    }


def house(module):
    """The folder or file of the package that a module is of."""
    return [*module.split("."), "uomh"][1]


def folders(graph):
    """The graph of folders."""
    found = {house(module): set() for module in graph}
    for module, targets in graph.items():
        found[house(module)] |= {house(target) for target in targets} - {house(module)}
    return found


def rising(graph):
    """Arrows between modules that go up."""
    level = {name: i for i, names in enumerate(LAYERS) for name in names}
    return {
        f"{module} -> {target}"
        for module, targets in graph.items()
        for target in targets
        if level[house(module)] < level[house(target)]
    }


def printing(root):
    """Where modules below `cli` print, or bring what prints: ``module:line``."""
    found = set()
    for module, tree in modules(root).items():
        if house(module) == "cli":
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="print" | "input" | "breakpoint")):
                    prints = True
                case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr"):
                    prints = True
                case ast.Import(names=names):
                    prints = any(alias.name.split(".")[0] in PRINTERS for alias in names)
                case ast.ImportFrom(module=str(name)):
                    prints = name.split(".")[0] in PRINTERS
                case _:
                    prints = False
            if prints:
                found.add(f"{module}:{node.lineno}")
    return found


GRAPH = arrows(SOURCE)


def test_every_folder_has_a_layer():
    placed = set().union(*LAYERS)
    assert {house(module) for module in GRAPH} - placed == set(), "name it in LAYERS"


def test_modules_import_in_no_circle():
    assert circles(GRAPH) == KNOWN_CIRCLES, "mend a new one; take one that is gone from the list"


def test_folders_import_in_no_circle():
    assert circles(folders(GRAPH)) == set()


def test_imports_go_down():
    assert rising(GRAPH) == set()


def test_nothing_below_the_command_line_prints():
    assert printing(SOURCE) == set()


def test_records_are_read_without_models_and_training():
    needed, waiting = set(), ["uomh.report.records"]
    while waiting:
        new = GRAPH[waiting.pop()] - needed
        needed |= new
        waiting += new
    assert {house(module) for module in needed} & {
        "models",
        "training",
        "neighbours",
        "nn",
    } == set()


@pytest.mark.parametrize("name", HOST)
def test_what_changes_the_host_stands_in_one_place(name):
    found = {
        module
        for module, tree in modules(SOURCE).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    }
    assert found == HOST[name]


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("data/a.py", "if TYPE_CHECKING:\n    from uomh.data.b import B\n", "circle"),
        ("data/a.py", "def f():\n    from uomh.data import b\n", "circle"),
        ("data/a.py", "import uomh.data.b as b\n", "circle"),
        ("data/a.py", "from . import b\n", "circle"),
        ("data/a.py", "from .b import B\n", "circle"),
        ("nn/a.py", "from ..data.c import C\n", "circle of folders"),
        ("data/a.py", "from uomh.models import Model\n", "rises"),
        ("data/a.py", "from uomh.models.core import Model\n", "rises"),
        ("data/a.py", "def f():\n    print(1)\n", "prints"),
        ("data/a.py", "import sys\nsys.stderr.write('')\n", "prints"),
        ("data/a.py", "from rich.table import Table\n", "prints"),
        ("cli/a.py", "print(1)\nfrom uomh.data import b\n", None),
        ("data/a.py", "from uomh import errors\n", None),
    ],
)
def test_a_planted_mistake_is_seen(file, text, found, tmp_path):
    root = tmp_path / "uomh"
    files = {
        "data/b.py": "from uomh.data.a import A\n",
        "data/c.py": "from uomh.nn.d import D\n",
        **dict.fromkeys(("data/a.py", "nn/d.py", "nn/a.py", "models/core.py", "errors.py"), ""),
        **{f"{folder}__init__.py": "" for folder in ("", "data/", "nn/", "models/", "cli/")},
        file: text,
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    graph = arrows(root)
    seen = {
        "circle": circles(graph),
        "circle of folders": circles(folders(graph)),
        "rises": rising(graph),
        "prints": printing(root),
    }
    assert [name for name, places in seen.items() if places] == ([found] if found else [])
