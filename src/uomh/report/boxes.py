"""The paper's figure for the page: boxes of the groups' dimensions by number of neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uomh.dimension.result import DimensionReport
from uomh.report.charts import (
    Chart,
    Instrument,
    State,
    about,
    lines,
    name_of,
    number,
    points,
    state,
)
from uomh.text import shortened


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
        boxes_in_words(report),
        states,
        ("state",),
        440,
        "A box spans the quartiles over groups, its whiskers all of them. The bar beside it, drawn "
        "around the groups' mean, holds 95% of groups of shuffled labels: a box no longer than its "
        "bar shows nothing.",
    )


def boxes_in_words(report: DimensionReport) -> str:
    """The whole set's dimension by k, and the groups of lowest and highest."""
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
        " ".join(f"{shortened(r.dataset, 28)}: {boxes_in_words(r)}" for r in reports),
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
