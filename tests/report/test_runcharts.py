"""Charts of runs: which curves share a panel."""

import pytest

from uomh.report.records import EpochValue, RunRecord
from uomh.report.runcharts import curves, panel

VAE, FLOW = {"name": "vae"}, {"name": "flow"}
TWO_STEP = {"name": "two_step", "autoencoder": VAE, "density": FLOW}
PARTS = {"name": "disconnected", "part": TWO_STEP}


def record(folder, model, *paths, name="loss"):
    rows = [
        EpochValue(path=path, epoch=epoch, step=epoch, split="valid", name=name, value=1.0 / epoch)
        for path in paths
        for epoch in (1, 2, 3)
    ]
    return RunRecord(folder=folder, settings={"model": model}, rows=tuple(rows))


def test_losses_of_unlike_models_stand_in_panels_of_their_own(tmp_path):
    leaves = [f"model/part{i}/{leaf}" for i in (0, 1) for leaf in ("autoencoder", "density")]
    chart = curves(
        {
            "one": record(tmp_path, VAE, "model"),
            "parts": record(tmp_path, PARTS, *leaves),
            "plain": record(tmp_path, FLOW, "model"),
        }
    )
    shown = chart.states["valid loss"]
    axes = {}
    for trace in shown["data"]:
        axes.setdefault(trace["yaxis"], []).append(trace["name"])
    assert axes == {"y": ["one", "parts", "parts"], "y2": ["parts", "parts"], "y3": ["plain"]}
    layout = shown["layout"]
    titles = [layout[axis]["title"]["text"] for axis in ("yaxis", "yaxis2", "yaxis3")]
    assert titles == ["vae", "flow on codes", "flow"]
    assert layout["xaxis"]["anchor"] == "y3"  # the lowest
    domains = [layout[axis]["domain"] for axis in ("yaxis3", "yaxis2", "yaxis")]
    ends = [end for domain in domains for end in domain]
    assert ends == sorted(ends)
    assert ends[0] == pytest.approx(0, abs=1e-12)
    assert ends[-1] == 1
    legend = [trace["name"] for trace in shown["data"] if trace["showlegend"]]
    assert legend == ["one", "parts", "plain"]


def test_losses_of_one_model_share_their_axis(tmp_path):
    chart = curves({"a": record(tmp_path, VAE, "model"), "b": record(tmp_path, VAE, "model")})
    shown = chart.states["valid loss"]
    assert {trace["yaxis"] for trace in shown["data"]} == {"y"}
    assert shown["layout"]["yaxis"]["title"]["text"] == "valid loss"
    assert shown["layout"]["xaxis"]["dtick"] == 1  # no tick at half an epoch


@pytest.mark.parametrize(
    ("model", "path", "name", "expected"),
    [
        (VAE, "model", "loss", "vae"),
        (VAE, "model", "fid", ""),
        (FLOW, "model", "fid", ""),
        (TWO_STEP, "model/density", "fid", "on codes"),
        (PARTS, "model/part12/density", "loss", "flow on codes"),
        ("damaged", "model/part0", "loss", ""),
    ],
)
def test_values_are_compared_among_their_like(tmp_path, model, path, name, expected):
    assert panel(record(tmp_path, model, path), path, name) == expected
