"""Typed, frozen settings: the base class, ``key=value`` overrides, and errors one can act on.

A component (a model, a metric, ...) nests its settings as ``Config``, a subclass of `Settings`.
A field annotated with `Component` holds the settings of whichever component its ``name`` says; they
are validated by the class that the registry names, so this file knows no component.

The file is long because reading, overriding and describing settings walk the same tree of fields.
"""

from __future__ import annotations

import ast
import json
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from uomh import registry
from uomh.errors import UomhError, unknown
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


def _absolute(path: str) -> str:
    """A path as it is found from any folder; one where nothing stands as typed, for the error."""
    found = bool(path) and Path(path).expanduser().exists()
    return str(Path(path).expanduser().absolute()) if found else path


ExistingPath = Annotated[str, AfterValidator(_absolute)]
"""of a file or folder; workers and later commands find it from any folder"""


class Settings(BaseModel):
    """Frozen settings; unknown keys and wrong types are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
    moved: ClassVar[Mapping[str, str]] = {}
    """what to say of keys that older versions knew, where one is typed"""

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
            raise _readable(cls, error, f"{_above.get()}{where}".rstrip(".")) from None
        except TypeError:
            raise UomhError(f"settings {where or cls.__name__} are not plain values") from None


class ComponentSettings(Settings):
    """Settings of a registered component."""

    name: ComponentName = ""
    """name of the component"""


class Width:
    """Marks a field that is a width of a network: a number of units, or one for each layer."""


class Component:
    """Marks a field that holds the settings of a component: ``Annotated[..., Component(kind)]``."""

    def __init__(self, kind: str, default: str | None = None) -> None:
        self.kind = kind
        self.default = default

    def validate(
        self, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> ComponentSettings | None:
        """Validate by the ``Config`` of the class that the registry names; None is none.

        A text stands for the settings of that name.
        """
        del handler
        if value is None or isinstance(value, ComponentSettings):
            return value
        if isinstance(value, str):
            value = {"name": value}
        with below(info.field_name or "") as key:
            if not isinstance(value, dict) or not value.get("name"):
                raise UomhError(f"setting {key}: say which, by {key}.name")
            cls = config_class(self.kind, value["name"])
            try:
                return cls.model_validate_json(json.dumps(value), strict=True)
            except ValidationError as error:
                raise _readable(cls, error, key) from None


def component(kind: str, default: str | None = None) -> Any:
    """The annotation of a field that holds the settings of a component of a kind.

    Args:
        kind: of the component.
        default: name of the component where none is named; None: then there is none.
    """
    mark = Component(kind, default)
    return typing.Annotated[SerializeAsAny[ComponentSettings], WrapValidator(mark.validate), mark]


def components(kind: str) -> Any:
    """The annotation of a field that holds several components: names, or settings with a name.

    One may be named twice with the same settings, which is once, and not with others.

    Its default may be a tuple of names; with ``Field(..., validate_default=True)`` it becomes
    settings once they are used, so that a class of settings imports no component.
    """
    return typing.Annotated[tuple[component(kind), ...], AfterValidator(_distinct)]  # type: ignore[misc]


def _distinct(
    chosen: tuple[ComponentSettings, ...], info: ValidationInfo
) -> tuple[ComponentSettings, ...]:
    names: dict[str, ComponentSettings] = {}
    for settings in chosen:
        if names.setdefault(settings.name, settings) != settings:
            raise UomhError(
                f"setting {info.field_name}: {settings.name!r} is there twice, with other settings"
            )
    return tuple(names.values())


def components_named(cls: type[Settings], values: Mapping[str, Any]) -> Nested:
    """Nested settings in which every component has its name, given or by default.

    Raises:
        UomhError: no such component, or a value stands where its settings should.
    """
    named = dict(values)
    for field, mark in _component_fields(cls):
        member = values.get(field)
        if member is None:
            member = {}
        if isinstance(member, str) and mark.default is None:  # it stands over no other settings
            member = {"name": member}
        with below(field) as key:
            if not isinstance(member, Mapping):
                raise UomhError(f"setting {key} should be a mapping of settings, not {member!r}")
            name = mark.default if member.get("name") is None else member["name"]
            if not isinstance(name, str | None):
                raise UomhError(f"setting {key}.name={name!r}: a name is a text")
            if name is not None:
                inner = config_class(mark.kind, name)
                named[field] = {**components_named(inner, member), "name": name}
    for field, group in _plain_groups(cls):
        if isinstance(values.get(field), Mapping):
            with below(field):
                named[field] = components_named(group, values[field])
    return named


def component_names(cls: type[Settings], values: Nested, where: str = "") -> dict[str, str]:
    """The names of all components by the dotted key of their field.

    Args:
        cls: of the settings.
        values: nested, from `components_named`.
        where: dotted key above, with a dot at its end.
    """
    names = {}
    for field, mark in _component_fields(cls):
        member = values.get(field)
        if member and "name" in member:
            key, name = where + field, member["name"]
            names[key] = name
            names |= component_names(config_class(mark.kind, name), member, f"{key}.")
    for field, group in _plain_groups(cls):
        if isinstance(values.get(field), dict):
            names |= component_names(group, values[field], f"{where}{field}.")
    return names


def _component_fields(cls: type[Settings]) -> Iterator[tuple[str, Component]]:
    for field, info in cls.model_fields.items():
        for mark in info.metadata:
            if isinstance(mark, Component):
                yield field, mark


def _plain_groups(cls: type[Settings]) -> Iterator[tuple[str, type[Settings]]]:
    """Fields that hold settings of one class, which may hold components."""
    components = dict(_component_fields(cls))
    for field, info in cls.model_fields.items():
        group = _settings_class(info.annotation)
        if group is not None and field not in components:
            yield field, group


def all_settings(settings: Settings) -> Iterator[Settings]:
    """These settings and all that are nested in them."""
    yield settings
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Settings):
                yield from all_settings(inner)


def config_class(kind: str, name: str) -> type[ComponentSettings]:
    """The settings class of a component.

    Raises:
        UomhError: no such component.
    """
    cls: type[ComponentSettings] = registry.load(kind, name).Config
    return cls


def parse_value(text: str) -> Any:
    """A value as typed on a command line: a Python literal where it parses, else the string.

    >>> parse_value("[512, 512]"), parse_value("1e-3"), parse_value("true"), parse_value("./here")
    ([512, 512], 0.001, True, './here')
    >>> parse_value("[loss,l2_reconstruction_error]")
    ['loss', 'l2_reconstruction_error']
    >>> parse_value('[loss,{"name":"fid","samples":1000,exact:true}]')
    ['loss', {'name': 'fid', 'samples': 1000, 'exact': True}]
    """
    words = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        items = [item.strip() for item in _split(text[1:-1], ",")]
        if text.startswith("[") and text.endswith("]"):
            return [parse_value(item) for item in items if item]
        pairs = [list(_split(item, ":", 1)) for item in items if item]
        if text.startswith("{") and text.endswith("}") and all(len(pair) == 2 for pair in pairs):
            return {str(parse_value(key.strip())): parse_value(of.strip()) for key, of in pairs}
        return text
    return list(value) if isinstance(value, tuple) else value


def _split(text: str, mark: str, most: int = -1) -> Iterator[str]:
    """The pieces of a text between marks that stand in no brackets and no quotes.

    >>> list(_split('a,[b,c],"d,e"', ","))
    ['a', '[b,c]', '"d,e"']
    """
    depth, quote, start = 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        elif letter == mark and depth == 0 and most:
            yield text[start:place]
            start, most = place + 1, most - 1
    yield text[start:]


def parse_overrides(cls: type[Settings], texts: Iterable[str], names: Mapping[str, str]) -> Nested:
    """Nested values of ``key=value`` texts.

    Args:
        cls: the settings that the keys speak of.
        texts: such as ``model.latent_dim=20``. In a key, the dot between a group and its member
            may be written as an underscore: ``model.encoder_hidden_dims``.
        names: component names by dotted key of their field, such as ``{"model": "vae"}``.

    Raises:
        UomhError: no ``=``, or no such key.
    """
    nested: Nested = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UomhError(f"{text!r} is not of the form key=value")
        path = resolve_key(cls, key.strip(), names)
        place(nested, path, parse_value(value.strip()))
    return nested


def place(nested: Nested, path: Iterable[str], value: Any) -> None:
    """Set the value at a path of keys in nested dictionaries.

    Raises:
        UomhError: a value that is no mapping stands where settings should.
    """
    *groups, last = path
    for depth, group in enumerate(groups, 1):
        nested = nested.setdefault(group, {})
        if not isinstance(nested, dict):
            key = ".".join(groups[:depth])
            raise UomhError(f"setting {key} should be a mapping of settings, not {nested!r}")
    nested[last] = value


def merged(*layers: Mapping[str, Any]) -> Nested:
    """Nested values, later layers over earlier ones.

    Raises:
        UomhError: settings stand over what is no mapping of settings.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    result: Nested = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            both = isinstance(value, Mapping) and isinstance(below, Mapping)
            if isinstance(value, Mapping) and not both and below is not None:
                raise UomhError(f"setting {key} should be a mapping of settings, not {below!r}")
            result[key] = merged(result[key], value) if both else value
    return result


def read_file(path: Path) -> Nested:
    """Nested values of a JSON or YAML file.

    Raises:
        UomhError: the file is missing or not readable as a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UomhError(f"cannot read settings from {str(path)!r}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UomhError(f"{str(path)!r} is neither JSON nor YAML") from None
    if not isinstance(values, dict):
        raise UomhError(f"{str(path)!r} should hold a mapping of settings")
    return values


def resolve_key(cls: type[Settings], key: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """The path of fields that a dotted key names; see `parse_overrides`."""
    path = _find(cls, key, names, "")
    if path is None:
        raise unknown_setting(cls, key, [entry.key for entry in describe(cls, names)])
    return path


def unknown_setting(cls: type[Settings], key: str, known: Iterable[str]) -> UomhError:
    """The error for a key that settings do not have: where it is now, or the nearest known one."""
    for old, sentence in cls.moved.items():
        if re.match(rf"{old}(?![^._])", key):
            rest = key[len(old) :].replace("_", ".", 1) if key[len(old) :] else ""
            return UomhError(f"unknown setting {key!r}; {sentence.replace('{rest}', rest)}")
    return unknown("setting", key, known)


def _find(
    cls: type[Settings], key: str, names: Mapping[str, str], where: str
) -> tuple[str, ...] | None:
    if key in cls.model_fields:
        return (key,)
    for field, group in _groups(cls, names, where):
        for joint in (".", "_"):
            if key.startswith(field + joint):
                rest = key[len(field) + 1 :]
                if group is None:
                    return (field, *rest.split("."))
                found = _find(group, rest, names, f"{where}{field}.")
                if found is not None:
                    return (field, *found)
    return None


def _groups(
    cls: type[Settings], names: Mapping[str, str], where: str
) -> Iterator[tuple[str, type[Settings] | None]]:
    """Fields that hold further settings, with their class; None for free mappings."""
    for field, info in cls.model_fields.items():
        kinds = [mark.kind for mark in info.metadata if isinstance(mark, Component)]
        if kinds:
            name = names.get(where + field)
            yield field, config_class(kinds[0], name) if name else Settings
        elif (group := _settings_class(info.annotation)) is not None:
            yield field, group
        elif typing.get_origin(info.annotation) is dict:
            yield field, None


def _settings_class(annotation: Any) -> type[Settings] | None:
    """The class of settings that an annotation names, alone or beside None."""
    for kind in (annotation, *typing.get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Settings):
            return kind if typing.get_origin(annotation) is not tuple else None
    return None


class Description(typing.NamedTuple):
    """One setting as a person reads it."""

    key: str
    type: str
    default: str
    summary: str


def describe(cls: type[Settings], names: Mapping[str, str], where: str = "") -> list[Description]:
    """Every setting below a class: dotted key, type, default and its line of description."""
    groups = dict(_groups(cls, names, where))
    rows = []
    for field, info in cls.model_fields.items():
        group = groups.get(field)
        if group is not None:
            rows += describe(group, names, f"{where}{field}.")
        elif not (field == "name" and issubclass(cls, ComponentSettings)):
            default = info.get_default(call_default_factory=True, validated_data={})
            shown = "required" if info.is_required() else json.dumps(default, default=str)
            summary = " ".join((info.description or "").split())
            rows.append(Description(where + field, _type_name(info.annotation), shown, summary))
    return rows


def _type_name(annotation: Any) -> str:
    """A type as a person would write it.

    >>> _type_name(int | None), _type_name(tuple[int, ...]), _type_name(typing.Literal["a", "b"])
    ('int or null', 'list of int', 'a | b')
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated and (kinds := [m.kind for m in arguments if isinstance(m, Component)]):
        return kinds[0].removesuffix("s")
    if origin is typing.Literal:
        return " | ".join(str(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(argument) for argument in arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return f"list of {_type_name(arguments[0])}"
    if origin in (tuple, list, dict):
        return f"{origin.__name__} of {', '.join(_type_name(argument) for argument in arguments)}"
    if annotation is type(None):
        return "null"
    return getattr(annotation, "__name__", str(annotation))


def _readable(cls: type[Settings], error: ValidationError, where: str) -> UomhError:
    first = error.errors()[0]
    path, owner, expected = _location(cls, [str(part) for part in first["loc"]])
    key = ".".join(part for part in (where, *path) if part)
    if first["type"] == "extra_forbidden":
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
        expected = _type_name(annotation)
        group = _settings_class(annotation)
        if group is not None and depth + 1 < len(path):  # alone, or beside null
            owner = group
            continue
        if typing.get_origin(annotation) in (typing.Union, types.UnionType):
            return path[: depth + 1], owner, expected
        if depth + 1 < len(path):
            owner = annotation
    return path, owner, expected
