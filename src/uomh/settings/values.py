"""Plain nested values: typed on a command line, read from a file, put together."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from uomh.errors import UomhError
from uomh.settings.core import Nested


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
