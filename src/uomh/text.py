"""Names of others, such as classes and files, as a line of text; numbers and tables as texts."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence

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


def four_digits(value: float | None) -> str:
    """A number of four digits, or all that stand before its point; empty where there is none.

    >>> four_digits(1234567.0), four_digits(0.012345), four_digits(None)
    ('1,234,567', '0.01235', '')
    """
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def with_interval(value: float, low: float | None, high: float | None) -> str:
    """A number and, in brackets, its interval where it has one.

    >>> with_interval(2.5, 2.0, 3.25), with_interval(2.5, None, None)
    ('2.5 (2 to 3.25)', '2.5')
    """
    ends = interval(low, high)
    return f"{four_digits(value)} ({ends})" if ends else four_digits(value)


def interval(low: float | None, high: float | None) -> str:
    """From where to where, or nothing where an end is not known."""
    return "" if low is None or high is None else f"{four_digits(low)} to {four_digits(high)}"


def html_table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table for notebooks; the first cell of a row names it.

    >>> print(html_table(["run"], [["a<b"]]))
    <table><thead><tr><th>run</th></tr></thead><tbody><tr><th>a&lt;b</th></tr></tbody></table>
    """
    head = "".join(f"<th>{html.escape(shown(column))}</th>" for column in columns)
    lines = []
    for name, *cells in rows:
        texts = "".join(f"<td>{html.escape(shown(cell))}</td>" for cell in cells)
        lines.append(f"<tr><th>{html.escape(shown(name))}</th>{texts}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
