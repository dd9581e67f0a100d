"""Frozen settings, strictly read; and the sentence that says what does not fit."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from uomh import registry
from uomh.errors import UomhError, unknown
from uomh.settings.annotations import type_name
from uomh.text import shortened

Nested = dict[str, Any]
ComponentName = Annotated[str, AfterValidator(registry.absolute)]
"""of a component; a file that it is in is named by its absolute path"""

_above: ContextVar[str] = ContextVar("_above", default="")
"""dotted key of the settings that are being read, for errors; it ends with a dot"""


@contextmanager
def below(key: str) -> Iterator[str]:
    """A block in which settings are read that stand under a key; gives its whole dotted key."""
    whole = f"{_above.get()}{key}"
    token = _above.set(f"{whole}.")
    try:
        yield whole
    finally:
        _above.reset(token)


def existing(path: str) -> str:
    """A path as it is found from any folder; one where nothing stands as typed, for the error."""
    found = bool(path) and Path(path).expanduser().exists()
    return str(Path(path).expanduser().absolute()) if found else path


ExistingPath = Annotated[str, AfterValidator(existing)]
"""of a file or folder; workers and later commands find it from any folder"""


class Settings(BaseModel):
    """Frozen settings; unknown keys and wrong types are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
    moved: ClassVar[Mapping[str, str]] = {}
    """what to say of keys that are looked for here in vain, such as those of older versions"""

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Settings from nested values, strictly typed.

        Args:
            values: plain data, as read from JSON, YAML or overrides.
            where: dotted key under which these settings stand, for the error.

        Raises:
            UomhError: an unknown key (the nearest known one is named) or a wrong type.
        """
        try:
            # Through JSON, where strict means: no number for a flag, but a list for a tuple.
            return cls.model_validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            raise refusal(cls, error, f"{_above.get()}{where}".rstrip(".")) from None
        except TypeError:
            raise UomhError(f"settings {where or cls.__name__} are not plain values") from None


class ComponentSettings(Settings):
    """Settings of a registered component."""

    name: ComponentName = ""
    """name of the component"""


def settings_class(annotation: Any) -> type[Settings] | None:
    """The class of settings that an annotation names, alone or beside None."""
    for kind in (annotation, *typing.get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Settings):
            return kind if typing.get_origin(annotation) is not tuple else None
    return None


def all_settings(settings: Settings) -> Iterator[Settings]:
    """These settings and all that are nested in them."""
    yield settings
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Settings):
                yield from all_settings(inner)


def unknown_setting(
    cls: type[Settings], key: str, known: Iterable[str], whole: str | None = None
) -> UomhError:
    """The error for a key that settings do not have: where it is now, or the nearest known one.

    Args:
        cls: the settings.
        key: as these settings would have it.
        known: keys that there are.
        whole: the key as it was typed, where these settings stand below others.
    """
    for old, sentence in cls.moved.items():
        if re.match(rf"{old}(?![^._])", key):
            rest = key[len(old) :].replace("_", ".", 1) if key[len(old) :] else ""
            return UomhError(
                f"unknown setting {whole or key!r}; {sentence.replace('{rest}', rest)}"
            )
    return unknown("setting", whole or key, known)


def refusal(cls: type[Settings], error: ValidationError, where: str) -> UomhError:
    """What pydantic refuses, in one sentence.

    Args:
        cls: of the settings.
        error: of pydantic.
        where: dotted key under which the settings stand.
    """
    first = error.errors()[0]
    path, owner, expected = _location(cls, [str(part) for part in first["loc"]])
    key = ".".join(part for part in (where, *path) if part)
    if first["type"] == "extra_forbidden":
        if path[-1] in owner.moved:
            return unknown_setting(owner, path[-1], (), key)
        prefix = key[: len(key) - len(path[-1])]
        return unknown_setting(owner, key, [prefix + field for field in owner.model_fields])
    value = shortened(json.dumps(first["input"], default=str), 200)
    message = first["msg"].removeprefix("Value error, ")
    if len(path) < len(first["loc"]):  # of the first of several types
        message = "does not fit"
    expected = f" (expected {expected})" if expected else ""
    return UomhError(f"setting {key}={value}: {message[0].lower()}{message[1:]}{expected}")


def _location(cls: type[Settings], path: list[str]) -> tuple[list[str], Any, str]:
    """The path of a setting without pydantic's names of types, its class and its type."""
    owner: Any = cls
    expected = ""
    for depth, part in enumerate(path):
        fields = getattr(owner, "model_fields", {})
        if part not in fields:
            break
        annotation = fields[part].annotation
        expected = type_name(annotation)
        group = settings_class(annotation)
        if group is not None and depth + 1 < len(path):  # alone, or beside null
            owner = group
            continue
        if typing.get_origin(annotation) in (typing.Union, types.UnionType):
            return path[: depth + 1], owner, expected
        if depth + 1 < len(path):
            owner = annotation
    return path, owner, expected
