"""Typed, frozen settings of components: the base class, overrides, errors one can act on.

A component (a model, a metric, ...) nests its settings as ``Config``, a subclass of `Settings`.
A field annotated with `component` holds the settings of whichever component its ``name`` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uomh.lazy import attach

if TYPE_CHECKING:
    from uomh.settings.annotations import Width as Width
    from uomh.settings.core import ComponentName as ComponentName
    from uomh.settings.core import ComponentSettings as ComponentSettings
    from uomh.settings.core import ExistingPath as ExistingPath
    from uomh.settings.core import Nested as Nested
    from uomh.settings.core import Settings as Settings
    from uomh.settings.core import all_settings as all_settings
    from uomh.settings.core import below as below
    from uomh.settings.core import existing as existing
    from uomh.settings.fields import component as component
    from uomh.settings.fields import component_names as component_names
    from uomh.settings.fields import components as components
    from uomh.settings.fields import components_named as components_named
    from uomh.settings.fields import config_class as config_class
    from uomh.settings.keys import Description as Description
    from uomh.settings.keys import describe as describe
    from uomh.settings.keys import parse_overrides as parse_overrides
    from uomh.settings.keys import resolve_key as resolve_key
    from uomh.settings.values import merged as merged
    from uomh.settings.values import parse_value as parse_value
    from uomh.settings.values import place as place
    from uomh.settings.values import read_file as read_file
else:
    __all__, __dir__, __getattr__ = attach(__name__)
