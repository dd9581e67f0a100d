import matplotlib
import numpy as np
import pytest
from matplotlib import rcParams

import uomh
from uomh.report.figures import dimension_figure, save_dimension_figure


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
