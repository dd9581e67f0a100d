"""Names to classes, without importing any of them until one is used.

A component is a class under the decorator ``@register(kind, name)``, anywhere in the package of
its kind. The names are found by reading those files as text, so a new file needs no edit elsewhere
and ``uomh list`` never imports torch. Three more ways in, for code outside this package: an entry
point in the group ``uomh.<kind>``, the name ``path/to/file.py:Class``, and, in a running program,
the decorator itself.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from uomh.errors import UomhError, unknown
from uomh.lazy import imported

Class = TypeVar("Class", bound=type)

PACKAGES = {
    "models": "models",
    "metrics": "metrics",
    "extractors": "features",
    "estimators": "dimension",
    "clusterers": "clusters",
    "experiments": "experiments",
    "datasets": "data",
}
"""the package in which components of a kind stand"""
KINDS = tuple(PACKAGES)

BASES = {
    "models": "uomh.models.core:Learner",
    "metrics": "uomh.metrics.core:Metric",
    "extractors": "uomh.features.core:Extractor",
    "estimators": "uomh.dimension.core:Estimator",
    "clusterers": "uomh.clusters.core:Clusterer",
    "datasets": "uomh.data.dataset:Dataset",
}
"""what a class of a kind is derived from"""


@dataclass(frozen=True)
class Entry:
    """A component by name.

    Attributes:
        name: as registered.
        target: where its class stands, ``module:Class``.
        summary: one line about it.
        facts: the constants and the names of the methods in the class's body.
    """

    name: str
    target: str
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)


_defined: dict[tuple[str, str], type] = {}


def register(kind: str, name: str) -> Callable[[Class], Class]:
    """Class decorator: make the class known as ``name`` among the components of ``kind``."""
    if kind not in KINDS:
        raise unknown("kind of component", kind, KINDS)

    def add(cls: Class) -> Class:
        cls.name = name  # type: ignore[attr-defined]
        _defined[kind, name] = cls
        return cls

    return add


def entries(kind: str) -> dict[str, Entry]:
    """Every component of a kind, by name, sorted; imports none of them."""
    found = {entry.name: entry for entry in _scanned(kind)}
    for point in entry_points(group=f"uomh.{kind}"):
        found.setdefault(point.name, Entry(point.name, point.value, f"from {point.value}"))
    for (of_kind, name), cls in _defined.items():
        if of_kind == kind:
            target = f"{cls.__module__}:{cls.__qualname__}"
            found.setdefault(name, Entry(name, target, _first_line(cls.__doc__)))
    return dict(sorted(found.items()))


def load(kind: str, name: str) -> Any:
    """The class known as ``name``, or at ``file.py:Class``; imports its module.

    Raises:
        UomhError: the name is unknown (the nearest known one is named), or the file has no such
            class.
    """
    if (kind, name) in _defined:
        return _defined[kind, name]
    path, colon, class_name = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(kind, Path(path), class_name)
    known = entries(kind)
    if name not in known:
        raise unknown(kind.removesuffix("s"), name, known)
    module, _, attribute = known[name].target.partition(":")
    return getattr(imported(module), attribute)


@cache
def _scanned(kind: str) -> tuple[Entry, ...]:
    root = Path(__file__).parent / PACKAGES[kind]
    return tuple(
        Entry(
            name,
            f"{_module_name(path)}:{cls.name}",
            _first_line(ast.get_docstring(cls)),
            _facts(cls),
        )
        for path in sorted(root.rglob("*.py"))
        for cls, name in _registered(ast.parse(path.read_text(encoding="utf-8")), kind)
    )


def _registered(tree: ast.Module, kind: str) -> Iterator[tuple[ast.ClassDef, str]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(
                        func=ast.Name(id="register"),
                        args=[ast.Constant(value=str(of)), ast.Constant(value=str(name))],
                    ) if of == kind:
                        yield node, name


def _facts(cls: ast.ClassDef) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for node in cls.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                facts[name] = value
            case ast.FunctionDef(name=name):
                facts[name] = "method"
    return facts


def _module_name(path: Path) -> str:
    parts = path.relative_to(Path(__file__).parent).with_suffix("").parts
    return ".".join(("uomh", *parts)).removesuffix(".__init__")


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().split("\n", 1)[0].rstrip(".")


def absolute(name: str) -> str:
    """The name of a component; where that is a file's class, the file by its absolute path.

    >>> absolute("vae")
    'vae'
    """
    path, colon, class_name = name.rpartition(":")
    return f"{Path(path).resolve()}:{class_name}" if colon and path.endswith(".py") else name


def attribute(target: str) -> Any:
    """What ``module:name`` or ``file.py:name`` stands for; imports the module.

    Raises:
        UomhError: there is no such module, or nothing of that name in it.
    """
    home, _, name = target.rpartition(":")
    found = getattr(module(home), name, None)
    if found is None:
        raise UomhError(f"{home!r} has no {name!r}")
    return found


def module(home: str) -> ModuleType:
    """The module of a name, or of a file ``PATH.py``.

    Raises:
        UomhError: there is none, or it cannot be imported.
    """
    if home.endswith(".py"):
        path = Path(home).expanduser()
        if not path.is_file():
            raise UomhError(f"there is no file {home!r}; check the path")
        path = path.resolve()
        return _module(path, path.stat().st_mtime_ns)
    try:
        return imported(home)
    except Exception as error:  # a module of the user's may fail in any way
        text = " ".join(str(error).split())
        raise UomhError(
            f"module {home!r} cannot be imported ({type(error).__name__}: {text}); install it, or "
            "name its file, file.py:NAME"
        ) from None


def _from_file(kind: str, path: Path, class_name: str) -> Any:
    if not path.is_file():
        raise UomhError(f"there is no file {str(path)!r} to take the class {class_name!r} from")
    path = path.resolve()
    cls = getattr(_module(path, path.stat().st_mtime_ns), class_name, None)
    if not isinstance(cls, type):
        raise UomhError(f"{str(path)!r} has no class {class_name!r}")
    home, _, base = BASES.get(kind, "builtins:object").partition(":")
    if not issubclass(cls, getattr(importlib.import_module(home), base)):
        raise UomhError(
            f"{class_name} of {str(path)!r} is none of the {kind}: it is no {home}.{base}"
        )
    if not hasattr(cls, "name"):
        cls.name = class_name  # type: ignore[attr-defined]
    return cls


@cache
def _module(path: Path, version: int) -> ModuleType:
    """The module of a file, imported once for each version of it, so that its classes are one."""
    del version
    digest = hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()
    # A name without dots, which an import would take for packages.
    spec = importlib.util.spec_from_file_location(f"uomh_file_{digest}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic and pickle look for it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == str(path)
        ]
        line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
        raise UomhError(
            f"{str(path)!r} cannot be imported: line {line}: {type(error).__name__}: {error}"
        ) from None
    return module
