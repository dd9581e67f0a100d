"""What the annotation of a setting says: marks on a field, its type in words."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any


class Width:
    """Marks a field that is a width of a network: a number of units, or one for each layer."""


class Component:
    """Marks a field that holds the settings of a component; `uomh.settings.component` makes it.

    Attributes:
        kind: of the component.
        default: name of the component where none is named; None: then there is none.
    """

    def __init__(self, kind: str, default: str | None = None) -> None:
        self.kind = kind
        self.default = default


def type_name(annotation: Any) -> str:
    """A type as a person would write it.

    >>> type_name(int | None), type_name(tuple[int, ...]), type_name(typing.Literal["a", "b"])
    ('int or null', 'list of int', 'a | b')
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated and (kinds := [m.kind for m in arguments if isinstance(m, Component)]):
        return kinds[0].removesuffix("s")
    if origin is typing.Literal:
        return " | ".join(str(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(argument) for argument in arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return f"list of {type_name(arguments[0])}"
    if origin in (tuple, list, dict):
        return f"{origin.__name__} of {', '.join(type_name(argument) for argument in arguments)}"
    if annotation is type(None):
        return "null"
    return getattr(annotation, "__name__", str(annotation))
