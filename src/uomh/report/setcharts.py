"""Charts of a verification beside the paper's figure; None where its numbers are missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uomh.dimension.result import DimensionReport
from uomh.report.charts import (
    MANY,
    Chart,
    Instrument,
    State,
    about,
    finite,
    lines,
    log_axis,
    name_of,
    named_rows,
    number,
    points,
    state,
)
from uomh.text import shortened

TICK = {"symbol": "line-ns-open", "size": 12, "color": "@2", "line": {"width": 2.5, "color": "@2"}}
"""mark of what chance gives, upright in its row"""


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
                        marker=TICK,
                        hovertemplate="by chance %{x:.1%}<extra></extra>",
                        name="by chance",
                    ),
                ],
                yaxis=named_rows([group.label for group in groups]),
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
