"""Public names of a package that load on first use, so that importing the package stays cheap.

A package lists its names once, as imports that only type checkers carry out; at run time the list
is read as text:

    if TYPE_CHECKING:
        from uomh.config import resolve as resolve
    else:
        __all__, __dir__, __getattr__ = attach(__name__)

``resolve as resolve`` is how typing marks a name that is imported to be offered to others; a name
may be a module, as in ``from uomh.report import figures as figures``. Type checkers see no
``__getattr__``, so a misspelt name is an error to them.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import random
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def imported(name: str) -> ModuleType:
    """A module, imported without a trace in the random stream of Python, which belongs to the host.

    Some libraries, scikit-learn among them, draw from it when they are imported for the first time.
    """
    state = random.getstate()
    try:
        return importlib.import_module(name)
    finally:
        random.setstate(state)


def attach(package: str) -> tuple[list[str], Callable[[], list[str]], Callable[[str], Any]]:
    """The ``__all__``, ``__dir__`` and ``__getattr__`` of a package.

    Args:
        package: its name; its ``__init__.py`` lists the public names as above.
    """
    module = sys.modules[package]
    assert module.__file__ is not None
    with open(module.__file__, encoding="utf-8") as file:
        homes = _homes(ast.parse(file.read()))

    def get(name: str) -> Any:
        if name in homes:
            return _offered(homes[name], name)
        message = f"module {package!r} has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=module)  # Python adds the nearest name

    return sorted(homes), lambda: sorted({*vars(module), *homes}), get


def _offered(home: str, name: str) -> Any:
    """What ``from HOME import NAME`` gives, without asking a lazy home for its own module."""
    module = imported(home)
    full = f"{home}.{name}"
    if name not in vars(module) and hasattr(module, "__path__") and importlib.util.find_spec(full):
        return imported(full)
    return getattr(module, name)


def _homes(tree: ast.Module) -> dict[str, str]:
    """The module of each name that is imported for type checkers."""
    return {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        and isinstance(block.test, ast.Name)
        and block.test.id == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
