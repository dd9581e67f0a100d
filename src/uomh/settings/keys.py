"""Settings by their dotted keys: ``key=value`` overrides, and a description of every key."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable, Iterator, Mapping

from uomh.errors import UomhError
from uomh.settings.annotations import Component, type_name
from uomh.settings.core import ComponentSettings, Nested, Settings, settings_class, unknown_setting
from uomh.settings.fields import config_class
from uomh.settings.values import parse_value, place


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


def resolve_key(cls: type[Settings], key: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """The path of fields that a dotted key names; see `parse_overrides`."""
    path = _find(cls, key, names, "")
    if path is None:
        owner, rest = _owner(cls, key, names, "")
        if rest in owner.moved:
            raise unknown_setting(owner, rest, (), key)
        raise unknown_setting(cls, key, [entry.key for entry in describe(cls, names)])
    return path


def _owner(
    cls: type[Settings], key: str, names: Mapping[str, str], where: str
) -> tuple[type[Settings], str]:
    """The innermost settings that a dotted key leads to, and what is left of the key."""
    for field, group in _groups(cls, names, where):
        if group is not None and key.startswith(f"{field}."):
            return _owner(group, key[len(field) + 1 :], names, f"{where}{field}.")
    return cls, key


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
        elif (group := settings_class(info.annotation)) is not None:
            yield field, group
        elif typing.get_origin(info.annotation) is dict:
            yield field, None


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
            rows.append(Description(where + field, type_name(info.annotation), shown, summary))
    return rows
