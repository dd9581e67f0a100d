"""The one exception a user sees: a sentence that says what is wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 20
"""names that an error lists at most"""


class UomhError(Exception):
    """Bad input or a state the user can mend; the command line prints it and exits with code 2."""


def unknown(what: str, name: str, known: Iterable[str]) -> UomhError:
    """An error for a name that does not exist, with the nearest one that does.

    >>> str(unknown("model", "vea", ["vae", "gan"]))
    "unknown model 'vea'; did you mean 'vae'?"
    >>> str(unknown("model", "zzz", ["vae", "gan"]))
    "unknown model 'zzz'; known: gan, vae"
    """
    options = sorted(known)
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    more = f", and {len(options) - SHOWN} more" if len(options) > SHOWN else ""
    known_ones = (", ".join(options[:SHOWN]) or "none") + more
    hint = f"did you mean {near[0]!r}?" if near else f"known: {known_ones}"
    return UomhError(f"unknown {what} {name!r}; {hint}")
