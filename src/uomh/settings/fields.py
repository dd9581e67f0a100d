"""Fields that hold the settings of components, whichever their ``name`` says.

Such settings are validated by the class that the registry names, so no component is known here.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import (
    AfterValidator,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from uomh import registry
from uomh.errors import UomhError
from uomh.settings.annotations import Component
from uomh.settings.core import ComponentSettings, Nested, Settings, below, refusal, settings_class


def component(kind: str, default: str | None = None) -> Any:
    """The annotation of a field that holds the settings of a component of a kind.

    Args:
        kind: of the component.
        default: name of the component where none is named; None: then there is none.
    """

    def validated(
        value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> ComponentSettings | None:
        """By the ``Config`` of the class that the registry names; a text is a name alone."""
        del handler
        if value is None or isinstance(value, ComponentSettings):
            return value
        if isinstance(value, str):
            value = {"name": value}
        with below(info.field_name or "") as key:
            if not isinstance(value, dict) or not value.get("name"):
                raise UomhError(f"setting {key}: say which, by {key}.name")
            cls = config_class(kind, value["name"])
            try:
                return cls.model_validate_json(json.dumps(value), strict=True)
            except ValidationError as error:
                raise refusal(cls, error, key) from None

    mark = Component(kind, default)
    return typing.Annotated[SerializeAsAny[ComponentSettings], WrapValidator(validated), mark]


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
        group = settings_class(info.annotation)
        if group is not None and field not in components:
            yield field, group


def config_class(kind: str, name: str) -> type[ComponentSettings]:
    """The settings class of a component.

    Raises:
        UomhError: no such component.
    """
    cls: type[ComponentSettings] = registry.load(kind, name).Config
    return cls
