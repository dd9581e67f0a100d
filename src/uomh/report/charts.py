"""Charts of the page as plain values that plotly.js draws; colours are names that the page fills in.

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

import numpy as np

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
    text.append(f"as many random points: {number(e.size_matched)}")
    return "<br>".join(text)


def _interval(e: GroupEstimate) -> str:
    return f" (95%: {number(e.low)} to {number(e.high)})" if e.low > 0 else " (no interval)"


def box_traces(report: DimensionReport, start: float, chosen: int | None) -> list[State]:
    """Boxes over groups by k, each group a dot, the whole a diamond, the shuffles a bar.

    Args:
        report: of a set.
        start: position of the first k.
        chosen: the k that stands out; None: all do.
    """
    rng = np.random.default_rng(0)
    traces: list[State] = []
    for place, k in enumerate(report.whole.k):
        x = start + place
        tone = "@accent" if chosen in (None, k) else "@muted"
        first_of_all = start == 0 and place == 0
        values = np.array([group.k[k].dimension for group in report.groups])
        if len(values):
            low, first, middle, third, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
            traces.append(
                {
                    "type": "box",
                    "x": [x],
                    "lowerfence": [low],
                    "q1": [first],
                    "median": [middle],
                    "q3": [third],
                    "upperfence": [high],
                    "width": 0.44,
                    "line": {"color": tone, "width": 1.5},
                    "fillcolor": f"{tone}/0.18",
                    "hoverinfo": "skip",
                    "name": "groups: quartiles and range",
                    "legendgroup": "box",
                    "showlegend": first_of_all if chosen is None else chosen == k,
                }
            )
            shifts = rng.uniform(-0.13, 0.13, len(values)) if len(values) > 2 else 0 * values
            traces.append(
                points(
                    (x + shifts).tolist(),
                    values.tolist(),
                    text=[about(group, k) for group in report.groups],
                    hovertemplate="%{text}<extra></extra>",
                    marker={"size": 7, "color": f"{tone}/0.75"},
                    showlegend=False,
                )
            )
        whole = report.whole.k[k]
        traces.append(
            points(
                [x],
                [whole.dimension],
                text=[
                    f"<b>the whole set</b><br>n = {report.n:,}<br>k = {k}<br>dimension "
                    f"{number(whole.dimension)} (95%: {number(whole.low)} to {number(whole.high)})"
                ],
                hovertemplate="%{text}<extra></extra>",
                marker={"size": 12, "symbol": "diamond", "color": "@1", "line": {"width": 1}},
                name="the whole set",
                legendgroup="whole",
                showlegend=first_of_all,
            )
        )
        test = report.claims.labels_matter.k.get(k)
        if test is not None and len(values):
            low, middle, high = test.null
            centre = float(values.mean())
            traces.append(
                lines(
                    [x + 0.34] * 2,
                    [centre + low - middle, centre + high - middle],
                    line={"color": "@2", "width": 6},
                    hovertemplate=f"95% of shuffled groups, k = {k}<extra></extra>",
                    name="95% of shuffled groups",
                    legendgroup="null",
                    showlegend=first_of_all,
                )
            )
    return traces


def boxes(name: str, instruments: Sequence[Instrument]) -> Chart:
    """The paper's figure of one set; the chosen k stands out."""
    states = {}
    for instrument in instruments:
        report = instrument.report
        ks = list(report.whole.k)
        for label, k in zip(instrument.states, ks, strict=True):
            states[label] = state(
                box_traces(report, 0, k),
                xaxis={
                    "tickvals": list(range(len(ks))),
                    "ticktext": [f"k = {k}" for k in ks],
                    "range": [-0.6, len(ks) - 0.3],
                    "showgrid": False,
                },
                yaxis={"title": {"text": f"intrinsic dimension ({name_of(report.estimator)})"}},
            )
    report = instruments[0].report
    return Chart(
        f"{name}-boxes",
        "The paper's figure: dimension of the groups, by number of neighbours",
        _boxes_in_words(report),
        states,
        ("state",),
        440,
        "A box spans the quartiles over groups, its whiskers all of them. The bar beside it, drawn "
        "around the groups' mean, holds 95% of groups of shuffled labels: a box no longer than its "
        "bar shows nothing.",
    )


def _boxes_in_words(report: DimensionReport) -> str:
    parts = []
    for k, whole in report.whole.k.items():
        text = f"at k = {k} the whole set has dimension {number(whole.dimension)}"
        if report.groups:
            ranked = sorted(report.groups, key=lambda group: group.k[k].dimension)
            low, high = ranked[0], ranked[-1]
            text += (
                f", the groups from {number(low.k[k].dimension)} ({shortened(low.label, 28)}) "
                f"to {number(high.k[k].dimension)} ({shortened(high.label, 28)})"
            )
        parts.append(text)
    return "; ".join(parts).capitalize() + "."


def forest(name: str, instruments: Sequence[Instrument]) -> Chart:
    """Every group's estimate, interval and calibrated band, side by side, by dimension."""
    states = {}
    for instrument in instruments:
        for label, k in zip(instrument.states, instrument.report.whole.k, strict=True):
            states[label] = _forest_state(instrument, k)
    report = instruments[0].report
    calibrated = any(group.k[k].calibrated for group in report.groups for k in group.k)
    row = 17 if len(report.groups) > MANY else 26
    return Chart(
        f"{name}-bands",
        "Group by group: estimate, interval and the true dimensions that would give it"
        if calibrated
        else "Group by group: estimate and interval",
        _boxes_in_words(report),
        states,
        ("state",),
        130 + row * len(report.groups),
        "Line: 95% interval of the estimate. "
        + (
            "Pale band: the true dimensions that would give it, from a flat torus, which has no "
            "boundary, to a ball, which is nearly all boundary. "
            if calibrated
            else ""
        )
        + "Tick: as many points drawn at random from the whole set.",
    )


def _forest_state(instrument: Instrument, k: int) -> State:
    groups = sorted(instrument.report.groups, key=lambda group: group.k[k].dimension)
    rows = list(range(len(groups)))
    estimates = [group.k[k] for group in groups]
    traces = []
    bands = [(i, e.calibrated) for i, e in zip(rows, estimates, strict=True) if e.calibrated]
    if bands:
        ends = [(i, low, high) for i, (low, high) in bands if math.isfinite(high)]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "y": [i for i, _, _ in ends],
                "base": [low for _, low, _ in ends],
                "x": [max(high - low, 0.02) for _, low, high in ends],
                "width": 0.62,
                "marker": {"color": "@accent/0.22"},
                "hoverinfo": "skip",
                "name": "true dimension, torus to ball",
            }
        )
    traces.append(
        points(
            [e.size_matched for e in estimates],
            rows,
            marker={
                "symbol": "line-ns-open",
                "size": 12,
                "color": "@2",
                "line": {"width": 2.5, "color": "@2"},
            },
            hovertemplate="as many random points: %{x:.2f}<extra></extra>",
            name="random points",
        )
    )
    known = [e.low > 0 and math.isfinite(e.high) for e in estimates]
    traces.append(
        points(
            [e.dimension for e in estimates],
            rows,
            text=[about(group, k) for group in groups],
            hovertemplate="%{text}<extra></extra>",
            marker={"size": 8, "color": "@accent"},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [
                    e.high - e.dimension if ok else 0
                    for e, ok in zip(estimates, known, strict=True)
                ],
                "arrayminus": [
                    e.dimension - e.low if ok else 0 for e, ok in zip(estimates, known, strict=True)
                ],
                "color": "@accent",
                "thickness": 1.6,
                "width": 0,
            },
            name="estimate, 95% interval",
        )
    )
    return state(
        traces,
        yaxis=_rows([group.label for group in groups]),
        xaxis={"title": {"text": f"intrinsic dimension, k = {k}"}},
        hovermode="closest",
    )


def _rows(labels: Sequence[str]) -> State:
    """An axis of names, one a row."""
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": [name_of(label, 20) for label in labels],
        "range": [-0.7, len(labels) - 0.3],
        "showgrid": False,
        "tickfont": {"size": 10 if len(labels) > MANY else 12},
    }


def nulls(name: str, instruments: Sequence[Instrument]) -> Chart | None:
    """The spread of the groups against that of shuffled labels; None where none was kept."""
    states, words = {}, []
    for instrument in instruments:
        if instrument.details is None:
            continue
        for k, test in instrument.report.claims.labels_matter.k.items():
            spreads = np.array(instrument.details.spreads.get(k, ()))
            if not len(spreads):
                continue
            counts, edges = np.histogram(spreads, bins=min(24, max(6, len(spreads) // 6)))
            states[f"{instrument.report.estimator}:{k}"] = state(
                [
                    {
                        "type": "bar",
                        "x": ((edges[:-1] + edges[1:]) / 2).tolist(),
                        "y": counts.tolist(),
                        "width": np.diff(edges).tolist(),
                        "marker": {"color": "@2/0.75"},
                        "hovertemplate": "spread %{x:.3f}: %{y} shuffles<extra></extra>",
                        "name": f"{len(spreads)} shuffles of the labels",
                    },
                    lines(
                        [test.statistic] * 2,
                        [0, int(counts.max())],
                        line={"color": "@accent", "width": 3},
                        hovertemplate="the groups' own spread: %{x:.3f}<extra></extra>",
                        name="the groups as they are",
                    ),
                ],
                xaxis={
                    "title": {"text": f"spread T of the groups, in dimensions, k = {k}"},
                    "range": [0, 1.06 * max(float(edges[-1]), test.statistic)],
                },
                yaxis={"title": {"text": "shuffles"}},
            )
            words.append(
                f"at k = {k} the groups spread by {test.statistic:.3f}, {number(test.rho, 1)} "
                f"times the median of {test.nulls} shuffles (p = {test.p_value:.2g})"
            )
    if not states:
        return None
    return Chart(
        f"{name}-nulls",
        "Would shuffled labels do as well?",
        "; ".join(words).capitalize() + ".",
        states,
        ("state",),
        330,
        "The spread of the groups beyond what their sizes explain, against that of groups of the "
        "same sizes drawn at random.",
    )


def scales(name: str, instruments: Sequence[Instrument]) -> Chart | None:
    """The dimension of every group against the radius, or k; the extreme two stand out."""
    states: dict[str, State] = {}
    for instrument in instruments:
        groups = [group for group in instrument.report.groups if group.scale]
        for label, k in zip(instrument.states, instrument.report.whole.k, strict=True):
            if not groups:
                continue
            ranked = sorted(groups, key=lambda group: group.k[k].dimension)
            tones = {ranked[0].label: "@1", ranked[-1].label: "@accent"}
            for axis in ("radius", "k"):
                traces: list[State] = []
                for group in sorted(groups, key=lambda group: group.label in tones):
                    tone = tones.get(group.label)
                    new = tone is not None or not traces
                    traces.append(
                        lines(
                            [getattr(step, axis) for step in group.scale],
                            [step.dimension for step in group.scale],
                            mode="lines+markers",
                            text=[
                                f"<b>{name_of(group.label, 60)}</b><br>k = {step.k}<br>median "
                                f"radius {step.radius:.4g}<br>dimension {step.dimension:.2f}"
                                for step in group.scale
                            ],
                            hovertemplate="%{text}<extra></extra>",
                            line={"color": tone or "@muted/0.55", "width": 2.5 if tone else 1.2},
                            marker={"size": 6 if tone else 4},
                            name=name_of(group.label, 20) if tone else "other groups",
                            legendgroup=group.label if tone else "",
                            showlegend=new,
                        )
                    )
                titles = {"radius": "median distance to the k-th neighbour", "k": "neighbours k"}
                states[f"{label}|{axis}"] = state(
                    traces,
                    xaxis=log_axis(titles[axis], [x for trace in traces for x in trace["x"]]),
                    yaxis={"title": {"text": "intrinsic dimension"}},
                )
    if not states:
        return None
    return Chart(
        f"{name}-scales",
        "Dimension over scale",
        "The dimension of every group as neighbourhoods grow, from k = 2 on; a dimension that "
        "falls towards larger radius may be noise, one that rises curvature. "
        + _scales_in_words(instruments[0].report),
        states,
        ("state", "axis"),
        400,
        "Small radius: noise and grey levels. Large radius: curvature and boundary.",
    )


def _scales_in_words(report: DimensionReport) -> str:
    known = [group for group in report.groups if len(group.scale) > 1]
    falling = sum(group.scale[-1].dimension < group.scale[0].dimension for group in known)
    return f"It falls for {falling} of {len(known)} groups."


def purities(name: str, instruments: Sequence[Instrument]) -> Chart | None:
    """The share of nearest neighbours in the own group, by group; None where none was kept."""
    details = next((each.details for each in instruments if each.details is not None), None)
    if details is None or not details.groups or details.groups[0].own is None:
        return None
    groups = sorted(details.groups, key=lambda group: group.own or 0.0)
    rows = list(range(len(groups)))
    text = [
        f"<b>{name_of(g.label, 60)}</b><br>{g.own or 0:.1%} of nearest neighbours are its own"
        + (f"<br>next: {name_of(g.other, 60)}, {g.other_share:.1%}" if g.other else "")
        + f"<br>by chance {g.chance or 0:.1%}"
        for g in groups
    ]
    least, most = groups[0], groups[-1]
    return Chart(
        f"{name}-purity",
        "Whose neighbours are whose",
        f"The nearest neighbour is of the own group for {least.own or 0:.1%} "
        f"({shortened(least.label, 28)}) to {most.own or 0:.1%} ({shortened(most.label, 28)}) "
        "of the points.",
        {
            "": state(
                [
                    {
                        "type": "bar",
                        "orientation": "h",
                        "y": rows,
                        "x": [g.own for g in groups],
                        "width": 0.62,
                        "marker": {"color": "@accent/0.75"},
                        "text": text,
                        "textposition": "none",
                        "hovertemplate": "%{text}<extra></extra>",
                        "name": "own group",
                    },
                    points(
                        [g.chance for g in groups],
                        rows,
                        marker={
                            "symbol": "line-ns-open",
                            "size": 12,
                            "color": "@2",
                            "line": {"width": 2.5, "color": "@2"},
                        },
                        hovertemplate="by chance %{x:.1%}<extra></extra>",
                        name="by chance",
                    ),
                ],
                yaxis=_rows([group.label for group in groups]),
                xaxis={
                    "title": {"text": "share of points whose nearest neighbour is of the group"},
                    "tickformat": ".0%",
                    "range": [0, 1.02],
                },
            )
        },
        (),
        120 + (17 if len(groups) > MANY else 26) * len(groups),
    )


def sizes(name: str, instruments: Sequence[Instrument]) -> Chart | None:
    """The whole set's dimension against its size, the groups beside it."""
    states = {}
    for instrument in instruments:
        report = instrument.report
        curve = report.whole.size
        for label, k in zip(instrument.states, report.whole.k, strict=True):
            known = [(n, values[k]) for n, values in curve if k in values]
            if not known:
                continue
            states[label] = state(
                [
                    lines(
                        [n for n, _ in known],
                        finite(value for _, value in known),
                        mode="lines+markers",
                        line={"color": "@1", "width": 2},
                        hovertemplate="%{x:,} random points: %{y:.2f}<extra></extra>",
                        name="random subsets of the whole set",
                    ),
                    points(
                        [group.n for group in report.groups],
                        finite(group.k[k].dimension for group in report.groups),
                        text=[about(group, k) for group in report.groups],
                        hovertemplate="%{text}<extra></extra>",
                        marker={"size": 8, "color": "@accent/0.75"},
                        name="groups",
                    ),
                ],
                xaxis=log_axis("points", [n for n, _ in known] + [g.n for g in report.groups]),
                yaxis={"title": {"text": f"intrinsic dimension, k = {k}"}},
            )
    if not states:
        return None
    report = instruments[0].report
    first, last = report.whole.size[0], report.whole.size[-1]
    words = [
        f"at k = {k} the whole set's dimension goes from {number(first[1][k])} on {first[0]:,} "
        f"points to {number(last[1][k])} on {last[0]:,}"
        for k in report.whole.k
        if k in first[1] and k in last[1]
    ]
    return Chart(
        f"{name}-sizes",
        "Dimension against sample size",
        "; ".join(words).capitalize() + ".",
        states,
        ("state",),
        360,
        "Estimates depend on how many points there are, so a group is compared with as many random "
        "ones, which lie on the line.",
    )


def all_sets(reports: Sequence[DimensionReport]) -> Chart:
    """The paper's figure over several sets, one beside the other."""
    traces, ticks, texts, notes, start = [], [], [], [], 0.0
    for report in reports:
        ks = list(report.whole.k)
        traces += box_traces(report, start, None)
        ticks += [start + i for i in range(len(ks))]
        texts += list(map(str, ks))
        notes.append(
            {
                "x": start + (len(ks) - 1) / 2,
                "y": 1.0,
                "yref": "paper",
                "yanchor": "bottom",
                "text": name_of(report.dataset, 18)
                + ("" if report.estimator == "mle" else f"<br>{name_of(report.estimator, 18)}"),
                "showarrow": False,
            }
        )
        start += len(ks) + 0.8
    return Chart(
        "all-sets",
        "The paper's figure over all data sets",
        " ".join(f"{shortened(r.dataset, 28)}: {_boxes_in_words(r)}" for r in reports),
        {
            "": state(
                traces,
                xaxis={
                    "tickvals": ticks,
                    "ticktext": texts,
                    "range": [-0.7, start - 0.9],
                    "showgrid": False,
                    "title": {"text": "neighbours k"},
                },
                yaxis={"title": {"text": "intrinsic dimension"}, "rangemode": "tozero"},
                annotations=notes,
                legend={"y": 1.13},
                margin={"t": 80},
            )
        },
        (),
        460,
    )
