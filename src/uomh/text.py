"""Names of others, such as classes and files, as a line of text."""

from __future__ import annotations

import unicodedata

_LINES = {"Cc", "Cs", "Zl", "Zp"}
"""categories of what breaks or steers a line: control characters, lone surrogates, separators"""
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""what turns the order of the characters around it"""


def shown(text: str, keep: str = "") -> str:
    r"""The text with what would break or steer a line escaped.

    Args:
        text: any.
        keep: characters to leave as they are.

    >>> print(shown("two\nlines, \x1b[31mred"), shown("[red] :smile: $x_1$"))
    two\nlines, \x1b[31mred [red] :smile: $x_1$
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if character not in keep
        and (unicodedata.category(character) in _LINES or character in _DIRECTIONS)
        else character
        for character in text
    )


def shortened(text: str, width: int) -> str:
    """The text as a line of at most ``width`` characters.

    >>> shortened("a very long name", 7)
    'a very…'
    """
    line = shown(text)
    return line if len(line) <= width else f"{line[: width - 1]}…"


def counted(n: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "image"), counted(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
