"""How ``NAME=VALUE`` options are read by a table of what each name means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uomh.errors import UomhError, unknown
from uomh.settings import parse_value, place

Values = dict[str, Any]
Given = Mapping[str, Any]
"""values by the name of their option"""
Options = Mapping[str, dict[str, Any]]
"""values of options by name, by the flag that they were given to: ``config``, ``gae-config`` .."""
Said = Values | str | tuple[Values, str]
"""nested values of ours; why there are none; or both, where a part has no effect"""


@dataclass(frozen=True)
class Together:
    """The meaning of an option that depends on others, in whatever order they stand.

    Attributes:
        of: a function of its value and of all options that are given.
    """

    of: Callable[[Any, Given], Said]


Meaning = str | Callable[[Any], Said] | Together
"""a dotted key of ours, or a function from the value to nested values of ours"""


@dataclass(frozen=True)
class Meant:
    """What options mean.

    Attributes:
        values: nested, of ours.
        notes: why what was given has no effect.
    """

    values: Values = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def parse(options: Sequence[str], flag: str) -> dict[str, Any]:
    """Values by name of ``NAME=VALUE`` texts; of several with one name, the last.

    Raises:
        UomhError: a text is not of that form.

    >>> parse(["lr=1e-4", "data_root=./here", "lr=None"], "--config")
    {'lr': None, 'data_root': './here'}
    """
    values = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals or not name:
            raise UomhError(f"{flag} {option!r} is not of the form NAME=VALUE")
        values[name.strip()] = parse_value(text.strip())
    return values


def read(
    given: Given, known: Mapping[str, Meaning], accepted: Iterable[str]
) -> Iterator[tuple[str, Any, Meant | None]]:
    """The name, value and meaning of each option; None for those that are only accepted.

    Raises:
        UomhError: a name is in neither table; the nearest one is named.
    """
    accepted = tuple(accepted)
    for name, value in given.items():
        if name in known:
            yield name, value, _meaning(known[name], value, given)
        elif name in accepted:
            yield name, value, None
        else:
            raise unknown("option", name, [*known, *accepted])


def _meaning(meaning: Meaning, value: Any, given: Given) -> Meant:
    if isinstance(meaning, str):
        values: Values = {}
        place(values, meaning.split("."), value)
        return Meant(values)
    said = meaning.of(value, given) if isinstance(meaning, Together) else meaning(value)
    if isinstance(said, str):
        return Meant(notes=(said,))
    return Meant(said[0], (said[1],)) if isinstance(said, tuple) else Meant(said)


def without_effect(flag: str, name: str, why: str) -> str:
    """The line that says why an option has no effect, or not all of it."""
    return f"{flag} {name}: {why}"


def only(name: str, value: Any, why: str) -> Callable[[Any], Said]:
    """An option of which only one value has a meaning here."""

    def check(given: Any) -> Said:
        if given != value:
            raise UomhError(f"option {name}={given!r} is not offered: {why}")
        return why

    return check
