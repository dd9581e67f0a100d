"""Every group of a verification side by side: estimate, interval, bands and learned dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence

from uomh.report.boxes import boxes_in_words
from uomh.report.charts import MANY, Chart, Instrument, State, about, named_rows, points, state
from uomh.report.setcharts import TICK


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
        boxes_in_words(report),
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
        + (
            "Diamond: the true dimension by groups of known dimension, with two standard errors. "
            if any(group.known for group in report.groups)
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
            marker=TICK,
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
    told = [(i, g.known) for i, g in zip(rows, groups, strict=True) if g.known]
    if told:
        traces.append(
            points(
                [learned.dimension for _, learned in told],
                [i + 0.2 for i, _ in told],
                hoverinfo="skip",
                marker={"size": 8, "symbol": "diamond-open", "color": "@2"},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [learned.ends()[1] - learned.dimension for _, learned in told],
                    "arrayminus": [learned.dimension - learned.ends()[0] for _, learned in told],
                    "color": "@2",
                    "thickness": 1.2,
                    "width": 0,
                },
                name="learned true dimension, two standard errors",
            )
        )
    return state(
        traces,
        yaxis=named_rows([group.label for group in groups]),
        xaxis={"title": {"text": f"intrinsic dimension, k = {k}"}},
        hovermode="closest",
    )
