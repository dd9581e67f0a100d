"""Errors of commands: each becomes one sentence on stderr and an exit code.

2 is for what the user can mend, 1 for a fault of this package, 130 for Ctrl-C, 141 for an output
that was closed, as by `uomh list models | head -1`.
"""

from __future__ import annotations

import errno
import functools
import importlib.metadata
import os
import platform
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from uomh import __version__
from uomh.errors import UomhError
from uomh.text import shortened

P = ParamSpec("P")
R = TypeVar("R")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate")
"""what torch says of missing memory, which has no type of error of its own"""
_HALF_WRITTEN = ("inline_container", "pytorchstreamwriter", "file write failed")
"""what torch says where a checkpoint could not be written"""
_LONGEST = 2000
"""characters of a sentence that are shown: names of classes and files can be of any length"""


def sentences(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what is raised in a command into one sentence on stderr and an exit code."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            tell("interrupted; the same command goes on from what was saved")
            raise SystemExit(130) from None
        except BrokenPipeError:
            nobody_reads()
            raise SystemExit(141) from None
        except Exception as error:
            sentence = mendable(error)
            tell(sentence if sentence is not None else our_fault(error))
            raise SystemExit(1 if sentence is None else 2) from None

    return guarded


def mendable(error: Exception) -> str | None:
    """What the user can do about an error, in a sentence; None where it is a fault of ours."""
    text = " ".join(str(error).split())
    if isinstance(error, UomhError):
        return str(error)
    if isinstance(error, OSError):
        return _of_system(error, text)
    lower = text.lower()
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in lower for words in _NO_MEMORY)
    ):
        return (
            f"there is not enough memory{f' ({shortened(text, 120)})' if text else ''}; lower "
            "train.batch_size, evaluate.batch_size, data.resize or data.limit, or free some"
        )
    if isinstance(error, RuntimeError) and any(words in lower for words in _HALF_WRITTEN):
        return (
            "a checkpoint could not be written, as when the disk is full; free space in the run's "
            "folder and repeat the command, which goes on from what was saved"
        )
    return None


def _of_system(error: OSError, text: str) -> str:
    """The sentence of an error of the system: the file, what is wrong, and what to do."""
    file = f"{error.filename}: " if error.filename else ""
    what = f"{file}{error.strerror or text or type(error).__name__}"
    if error.errno in _FULL:
        what += "; free space there and repeat the command, which goes on from what was saved"
    elif error.errno in _FORBIDDEN:
        what += "; choose another place, or ask for the right to it"
    return what


def our_fault(error: Exception) -> str:
    """The sentence of an error of this package; its traceback goes into a file to be reported."""
    what = f"{type(error).__name__}: {shortened(str(error), 200)}".rstrip(": ")
    report = "\n".join(
        (
            f"command: {shlex.join(sys.argv)}",
            *(f"{name}: {version}" for name, version in _versions().items()),
            "",
            "".join(traceback.format_exception(error)),
        )
    )
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="uomh-fault-",
            suffix=".txt",
            encoding="utf-8",
            errors="backslashreplace",
            delete=False,
        ) as file:
            file.write(report)
    except OSError:
        sys.stderr.write(report)
        place = "stands above, for it could not be saved"
    else:
        place = f"is saved in {file.name}"
    return (
        f"this is a fault of uomh {__version__}, not yours ({what}); the traceback {place}; "
        "please report it with that text"
    )


def _versions() -> dict[str, str]:
    found = {"uomh": __version__, "python": platform.python_version(), "on": platform.platform()}
    for name in ("torch", "numpy", "pydantic", "typer", "rich"):
        found[name] = importlib.metadata.version(name)
    return found


def tell(sentence: str) -> None:
    """Write a sentence to stderr, unless that is closed."""
    try:
        print(f"uomh: {shortened(sentence, _LONGEST)}", file=sys.stderr, flush=True)
    except OSError:
        nobody_reads()


def nobody_reads() -> None:
    """Discard what is still to be written to closed outputs, so that no error follows at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
