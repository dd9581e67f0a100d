"""Charts of runs: training curves, and the dimension of samples against that of the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from uomh.metrics.values import Value
from uomh.report.charts import COLOURS, DASHES, MANY, Chart, State, finite, lines, name_of, state
from uomh.report.records import EpochValue, RunRecord
from uomh.text import shortened

LONGEST = 400
"""points of a curve that are drawn"""
_FEW_EPOCHS = 12  # each has a tick


def curves(records: Mapping[str, RunRecord]) -> Chart | None:
    """Training curves of several runs, one over the other; a state for each quantity.

    Values that cannot be compared stand in panels of their own, one below the other.

    Args:
        records: by the name of the run.
    """
    states: dict[str, dict[str, list[State]]] = {}
    for i, (name, record) in enumerate(records.items()):
        seen = set()
        found = record.curves()
        keys = {key: (f"{key[1]} {key[2]}", panel(record, key[0], key[2])) for key in found}
        lines_in = Counter(keys.values())
        for (path, split, what), rows in found.items():
            key, kind = keys[path, split, what]
            several = lines_in[key, kind] > 1
            label = path.removeprefix("model").strip("/")
            states.setdefault(key, {}).setdefault(kind, []).append(
                lines(
                    [row.epoch for row in thinned(rows)],
                    finite(row.value for row in thinned(rows)),
                    name=name_of(name, 40),
                    legendgroup=name,
                    showlegend=(key, name) not in seen,
                    opacity=0.6 if several else 1,
                    line={
                        "color": f"@{i % COLOURS}",
                        "width": 1.4 if several else 2,
                        "dash": DASHES[i // COLOURS % len(DASHES)],
                    },
                    text=[name_of(f"{name} {label}", 60)] * len(thinned(rows)),
                    hovertemplate="%{text}<br>epoch %{x}: %{y:.5g}<extra></extra>",
                    meta={"smooth": True},
                )
            )
            seen.add((key, name))
    if not states:
        return None
    first = sorted(states, key=lambda key: (key != "valid loss", key != "train loss", key))
    most = max(map(len, states.values()))
    return Chart(
        "curves",
        "Training curves",
        "By epoch, of " + ", ".join(shortened(name, 40) for name in records) + ".",
        {key: _in_panels(key, states[key]) for key in first},
        ("quantity",),
        420 if most == 1 else 120 + 170 * most,
        "Losses of different models are not comparable; the metrics above are.",
    )


def _in_panels(key: str, kinds: Mapping[str, Sequence[State]]) -> State:
    """The lines of each kind in a panel of its own, from the top."""
    room = 0.12 / len(kinds)
    traces: list[State] = []
    epochs = max(trace["x"][-1] for found in kinds.values() for trace in found)
    whole = {"dtick": 1} if epochs <= _FEW_EPOCHS else {}  # no tick between two epochs
    layout: State = {"xaxis": {"title": {"text": "epoch"}} | whole}
    for i, (kind, found) in enumerate(kinds.items()):
        number = str(i + 1) if i else ""
        traces += [trace | {"yaxis": f"y{number}"} for trace in found]
        title = key if len(kinds) == 1 else kind or "other models"
        top = 1 - i / len(kinds)
        layout[f"yaxis{number}"] = {
            "title": {"text": name_of(title, 60)},
            "domain": [top - 1 / len(kinds) + (room if i + 1 < len(kinds) else 0), top],
        }
        layout["xaxis"]["anchor"] = f"y{number}"
    return state(traces, **layout)


def panel(record: RunRecord, path: str, name: str) -> str:
    """What the values of a leaf can be compared among; empty where nothing sets them apart.

    A loss is compared among leaves of one model, on data or on codes; other values among all
    that are of data, or of codes.
    """
    model = leaf_of(record.settings, path)
    kind = str(model.get("name", "")) if name.endswith("loss") else ""
    codes = "on codes" if path.rpartition("/")[2] == "density" else ""
    return f"{kind} {codes}".strip()


def leaf_of(settings: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The settings of a leaf; empty where they do not tell.

    >>> part = {"autoencoder": {"name": "vae"}, "density": {"name": "flow"}}
    >>> leaf_of({"model": {"name": "disconnected", "part": part}}, "model/part3/density")
    {'name': 'flow'}
    """
    found = settings
    for step in path.split("/"):
        inner = found.get("part" if step.startswith("part") else step)
        if not isinstance(inner, Mapping):
            return {}
        found = inner
    return found


def thinned(rows: Sequence[EpochValue]) -> list[EpochValue]:
    """At most so many rows as a curve shows, the last among them."""
    step = math.ceil(len(rows) / LONGEST)
    return list(rows[::-1][::step][::-1])


def real_against_generated(name: str, record: RunRecord) -> Chart | None:
    """The dimension of samples beside that of the data, by group; or their differences alone.

    Of ``id[GROUP]`` and ``id_real[GROUP]``, where the run has them, else of
    ``clustered_id[GROUP]``.
    """
    found = {value.key: value for value in record.metrics.values() if value.value is not None}
    groups = list(dict.fromkeys(v.group for v in found.values() if v.group is not None))
    both = [g for g in groups if f"id[{g}]" in found and f"id_real[{g}]" in found]
    rows: list[tuple[str, list[tuple[str, str, Value]]]] = []
    if both or ("id" in found and "id_real" in found):
        for group in both:
            pair = [("data", "@1", found[f"id_real[{group}]"])]
            rows.append((group, [*pair, ("samples", "@accent", found[f"id[{group}]"])]))
        if "id" in found and "id_real" in found and not both:
            pair = [("data", "@1", found["id_real"]), ("samples", "@accent", found["id"])]
            rows.append(("the whole", pair))
    differences = [g for g in groups if f"clustered_id[{g}]" in found]
    if not both and differences:
        rows = [
            (g, [("samples less data", "@accent", found[f"clustered_id[{g}]"])])
            for g in differences
        ]
    if not rows:
        return None
    difference = not both and bool(differences)
    traces = []
    for series in dict.fromkeys(label for _, values in rows for label, _, _ in values):
        picked = [
            (i, group, tone, value)
            for i, (group, values) in enumerate(reversed(rows))
            for label, tone, value in values
            if label == series
        ]
        values = [value for *_, value in picked]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [value.value for value in values],
                "y": [i for i, *_ in picked],
                "text": [name_of(group, 60) for _, group, *_ in picked],
                "hovertemplate": f"<b>%{{text}}</b><br>{series}: %{{x:.2f}}<extra></extra>",
                "marker": {
                    "size": 9,
                    "color": picked[0][2],
                    "symbol": "diamond" if series == "data" else "circle",
                },
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [_reach(value.value, value.high) for value in values],
                    "arrayminus": [_reach(value.low, value.value) for value in values],
                    "color": picked[0][2],
                    "thickness": 1.6,
                    "width": 0,
                },
                "name": series,
            }
        )
    labels = [group for group, _ in reversed(rows)]
    layout: State = {
        "yaxis": {
            "tickvals": list(range(len(labels))),
            "ticktext": [name_of(label, 20) for label in labels],
            "range": [-0.7, len(labels) - 0.3],
            "showgrid": False,
        },
        "xaxis": {
            "title": {
                "text": "dimension of samples less that of data"
                if difference
                else "intrinsic dimension"
            }
        },
    }
    if difference:
        found_ends = [end for _, vs in rows for *_, v in vs for end in (v.value, v.low, v.high)]
        ends = [0.0, *(end for end in found_ends if end is not None and math.isfinite(end))]
        room = 0.05 * ((max(ends) - min(ends)) or 1.0)  # so that the line at 0 is never at the rim
        span = [min(ends) - room, max(ends) + room]
        layout["xaxis"] |= {"zeroline": True, "zerolinewidth": 2, "range": span}
    words = [
        f"{shortened(group, 28)}: "
        + ", ".join(f"{label} {value.value:.2f}" for label, _, value in values)
        for group, values in rows
    ]
    return Chart(
        f"{name}-dimension",
        "Dimension of samples against that of the data",
        "; ".join(words) + ".",
        {"": state(traces, **layout)},
        (),
        130 + (17 if len(rows) > MANY else 26) * len(rows),
        "Lines: 95% intervals. Samples of lower dimension than the data lack variety, those of "
        "higher are noisy.",
    )


def _reach(low: float | None, high: float | None) -> float:
    return 0.0 if low is None or high is None else max(0.0, high - low)
