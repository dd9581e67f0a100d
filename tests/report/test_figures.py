import matplotlib
import numpy as np
import pytest
from matplotlib import rcParams

import uomh
from uomh.report.figures import _apart, dimension_figure, save_dimension_figure
from uomh.report.records import EpochValue, RunRecord


@pytest.fixture(scope="module")
def reports():
    rng = np.random.default_rng(0)
    x = rng.random((120, 3))
    labelled = uomh.verify(x, np.arange(120) % 3, k=(3, 5), nulls=19, name="three")
    return [labelled, uomh.verify(x, k=(3, 5), name="none")]


def test_figure_shows_every_set_group_and_null(reports):
    before = dict(rcParams), matplotlib.get_backend()
    figure = dimension_figure(reports)
    assert (dict(rcParams), matplotlib.get_backend()) == before
    left, right = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["three", "none"]
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["3", "5"]
    drawn = {float(y) for line in left.get_lines() for y in line.get_ydata()}
    for k in (3, 5):
        assert reports[0].whole.k[k].dimension in drawn
        assert {group.k[k].dimension for group in reports[0].groups} <= drawn
        mean = np.mean([group.k[k].dimension for group in reports[0].groups])
        low, middle, _ = reports[0].claims.labels_matter.k[k].null
        assert any(np.isclose(y, mean + low - middle) for y in drawn)
    assert len(right.get_lines()) == 2  # without groups, the whole set alone


def test_figures_are_written_in_three_forms(reports, tmp_path):
    paths = save_dimension_figure(reports, tmp_path / "new")
    assert [path.name for path in paths] == ["dimension.png", "dimension.pdf", "dimension.svg"]
    heads = [path.read_bytes()[:5] for path in paths]
    assert heads[0][1:4] == b"PNG"
    assert heads[1] == b"%PDF-"
    assert heads[2] == b"<?xml"
    assert len(list((tmp_path / "new").iterdir())) == 3


def numbers(ax):
    """The values along the y axis of every line."""
    return [[float(y) for y in line.get_ydata()] for line in ax.get_lines()]


def test_six_sets_stand_in_two_rows_of_three_with_three_ks_each(tmp_path):
    rng = np.random.default_rng(1)
    for i in range(6):
        x, y = rng.random((90, 2 + i)), np.arange(90) % 3
        uomh.verify(x, y, k=(3, 5, 8), nulls=19, name=f"set {i}").save(tmp_path / str(i))
    reports = [uomh.DimensionReport.load(tmp_path / str(i)) for i in range(6)]
    figure = uomh.figures.dimension_figure(reports)
    assert [ax.get_title() for ax in figure.axes] == [f"set {i}" for i in range(6)]
    rows = {round(ax.get_subplotspec().rowspan.start) for ax in figure.axes}
    assert rows == {0, 1}
    for ax in figure.axes:
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["3", "5", "8"]
    assert len(uomh.figures.dimension_figure(reports[:4]).axes) == 4  # no empty panel is left


def test_boxes_are_drawn_into_the_axes_that_are_given(reports):
    figure = uomh.figures.dimension_figure(reports)
    ax = uomh.figures.dimension_boxes(reports[1], figure.axes[0])
    assert ax is figure.axes[0]
    assert uomh.figures.dimension_boxes(reports[1]).figure is not figure


def test_bands_show_every_group_in_order_with_its_interval_and_band(reports):
    ax = uomh.figures.dimension_bands(reports[0], k=5)
    groups = sorted(reports[0].groups, key=lambda group: group.k[5].dimension)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [group.label for group in groups]
    points = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "o"]
    assert points == [group.k[5].dimension for group in groups]
    ends = {tuple(path[:, 0]) for bar in ax.collections for path in bar.get_segments()}
    assert {(group.k[5].low, group.k[5].high) for group in groups} <= ends
    assert {group.k[5].calibrated for group in groups if np.isfinite(group.k[5].high)} <= ends


def test_what_was_not_measured_is_said(reports):
    with pytest.raises(uomh.UomhError, match=r"k = 7 was not measured.*3, 5"):
        uomh.figures.dimension_bands(reports[0], k=7)
    with pytest.raises(uomh.UomhError, match="'none' has no groups"):
        uomh.figures.dimension_bands(reports[1])
    with pytest.raises(uomh.UomhError, match="several scales"):
        uomh.figures.dimension_by_scale(reports[1])


def test_scale_and_size_show_what_the_report_has(reports):
    lines = numbers(uomh.figures.dimension_by_scale(reports[0]))
    assert lines == [[at.dimension for at in group.scale] for group in reports[0].groups]
    lines = numbers(uomh.figures.dimension_by_size(reports[0]))
    assert lines == [[at[k] for _, at in reports[0].whole.size] for k in (3, 5)]


def test_names_that_would_overlap_move_apart_and_keep_their_order():
    values = np.array([1.0, 5.0, 1.05, 0.95])
    places = _apart(values, 0.5)
    assert (np.argsort(places) == np.argsort(values)).all()
    assert np.diff(np.sort(places)).min() >= 0.5 - 1e-12
    assert places[1] == 5.0
    assert np.isclose(places[[0, 2, 3]].mean(), 1.0)


def test_training_curves_overlay_runs_and_their_leaves(tmp_path):
    runs = [
        RunRecord(
            folder=tmp_path / name,
            rows=tuple(
                EpochValue(
                    path="model", epoch=e, step=e, split="valid", name="loss", value=scale / e
                )
                for e in (1, 2, 3)
            ),
        )
        for name, scale in (("a", 1.0), ("b", 2.0))
    ]
    ax = uomh.figures.training_curves(runs, log=True)
    assert numbers(ax) == [[1.0, 0.5, 1 / 3], [2.0, 1.0, 2 / 3]]
    assert ax.get_yscale() == "log"
    assert all(tick == round(tick) for tick in ax.get_xticks())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a: model", "b: model"]
    with pytest.raises(uomh.UomhError, match="no run has valid fid by epoch; there are: valid"):
        uomh.figures.training_curves(runs, "fid")
