"""What every bad or odd input must give: the right thing, or one sentence."""

import json
import math

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from uomh.cli import app
from uomh.errors import UomhError


def fuzz(examples):
    """So many examples, the same ones at every run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def mostly(usual, odd):
    """The usual value three times in four, else one of the odd ones: few things are odd at once."""
    return st.sampled_from((usual,) * 3 * len(odd) + tuple(odd))


def attempt(function, *arguments, **options):
    """What a function returns, or None where it refuses in one sentence."""
    try:
        return function(*arguments, **options)
    except UomhError as error:
        assert_sentence(str(error))
        return None


def assert_sentence(text):
    """One line that a person can read; not the text of a Python error."""
    assert text.strip()
    assert "\n" not in text.strip(), text
    assert "Traceback" not in text
    assert len(text) < 1500
    for noise in ("TypeError", "ValueError", "KeyError", "IndexError", "AttributeError"):
        assert noise not in text, text


def command(*words):
    """Run a command: 0 with what it printed, or 2 with one sentence on the error stream."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code in (0, 2), (words, result.exit_code, result.output, result.exception)
    if result.exit_code == 2 and "Usage:" not in result.stderr:
        assert_sentence(result.stderr.removeprefix("uomh: "))
    return result


def numbers_of(value):
    """All numbers of nested plain values."""
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from numbers_of(item)
    elif isinstance(value, float | int) and not isinstance(value, bool):
        yield value


def assert_finite_json(text):
    """No NaN and no infinity, which are no JSON."""
    values = json.loads(text, parse_constant=lambda name: math.nan)
    assert all(map(math.isfinite, numbers_of(values)))
    return values
