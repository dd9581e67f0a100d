"""Charts of the page: plain values that plotly.js draws; the page fills its colours in.

A chart has states, one for each choice of its controls, so that a browser only switches between
them. ``@accent`` and its like are colours of the page, light or dark; ``@accent/0.3`` is one seen
through. Names of others are escaped, since plotly reads tags in its texts.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uomh.dimension.details import Details
from uomh.dimension.result import DimensionReport
from uomh.dimension.values import Group, GroupEstimate
from uomh.text import shortened

State = dict[str, Any]
"""``data`` and ``layout`` of plotly"""

COLOURS = 8
"""of the colour-blind-safe palette: ``@0`` to ``@7``"""
DASHES = ("solid", "dash", "dot", "dashdot")
MANY = 30
"""groups from which on rows are set closer"""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        id: in the page.
        title: a line.
        summary: what is to be seen, in words, for who does not see it.
        keys: controls that choose the state, in the order of a state's name.
        states: by name, the values of the controls with ``|`` between.
        height: in pixels.
        note: how it is read.
    """

    id: str
    title: str
    summary: str
    states: Mapping[str, State]
    keys: tuple[str, ...] = ()
    height: int = 380
    note: str = ""


@dataclass(frozen=True)
class Instrument:
    """What one estimator says of a set, and what stands behind it where that is known."""

    report: DimensionReport
    details: Details | None = None
    states: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Name the states: ESTIMATOR:K."""
        names = tuple(f"{self.report.estimator}:{k}" for k in self.report.whole.k)
        object.__setattr__(self, "states", names)


def name_of(label: str, width: int = 28) -> str:
    """A name of others as plotly's text: a short line, its tags shown as they are."""
    return html.escape(shortened(label, width) or "(empty)", quote=False)


def number(value: float | None, digits: int = 2) -> str:
    """A number for a person.

    >>> number(3.14159), number(float("inf")), number(None)
    ('3.14', 'infinite', 'unknown')
    """
    if value is None or math.isnan(value):
        return "unknown"
    return f"{value:.{digits}f}" if math.isfinite(value) else "infinite"


def finite(values: Iterable[float | None]) -> list[float | None]:
    """Numbers with None for what is not finite, which JSON does not know."""
    return [value if value is not None and math.isfinite(value) else None for value in values]


def state(data: Sequence[State], **layout: Any) -> State:
    """A state from its traces."""
    return {"data": list(data), "layout": layout}


def points(x: Sequence[Any], y: Sequence[Any], **settings: Any) -> State:
    """A trace of points."""
    return {"type": "scatter", "mode": "markers", "x": list(x), "y": list(y), **settings}


def lines(x: Sequence[Any], y: Sequence[Any], **settings: Any) -> State:
    """A trace of lines."""
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), **settings}


def log_axis(title: str, values: Sequence[float]) -> State:
    """A logarithmic axis with numbers that a person would choose: 1, 2, 5, 10, ... or between.

    Args:
        title: of the axis.
        values: that it has to show.
    """
    positive = [value for value in values if value > 0]
    low, high = (min(positive), max(positive)) if positive else (1.0, 10.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
    ticks = [tick for tick in decades if 0.95 * low <= tick <= 1.05 * high]
    if len(ticks) < 3:
        wanted = (high - low) / 4 or low / 4
        unit = 10.0 ** math.floor(math.log10(wanted))
        step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= wanted)
        ticks = [i * step for i in range(1, math.ceil(high / step) + 1) if i * step >= 0.9 * low]
    texts = [f"{tick:,.10g}" for tick in ticks]
    return {"type": "log", "title": {"text": title}, "tickvals": ticks, "ticktext": texts}


def about(group: Group, k: int) -> str:
    """What hovering over a group says."""
    e = group.k[k]
    text = [f"<b>{name_of(group.label, 60)}</b>", f"n = {group.n:,}", f"k = {k}"]
    text.append(f"dimension {number(e.dimension)}" + _interval(e))
    if e.calibrated is not None:
        low, high = (number(end, 1) for end in e.calibrated)
        text.append(f"true dimension {low} to {high}, torus to ball")
    if group.learned is not None:
        text.append(f"learned true dimension {learned(group)}")
    text.append(f"as many random points: {number(e.size_matched)}")
    return "<br>".join(text)


def learned(group: Group) -> str:
    """The learned dimension with two standard errors about it; or that it is not known."""
    if group.known is None:
        return "not known"
    dimension, low, high = (number(value, 1) for value in group.learned_values())
    return f"{dimension} ({low} to {high})"


def _interval(e: GroupEstimate) -> str:
    return f" (95%: {number(e.low)} to {number(e.high)})" if e.low > 0 else " (no interval)"


def named_rows(labels: Sequence[str]) -> State:
    """An axis of names, one a row."""
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": [name_of(label, 20) for label in labels],
        "range": [-0.7, len(labels) - 0.3],
        "showgrid": False,
        "tickfont": {"size": 10 if len(labels) > MANY else 12},
    }
