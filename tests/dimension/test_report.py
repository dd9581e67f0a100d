"""A report is read as it was written, without torch."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

import uomh
from uomh import DimensionReport
from uomh.errors import UomhError

RNG = np.random.default_rng(0)
X = RNG.random((120, 4))
X[60:, 3] += 9
Y = np.arange(120) // 60


def reports():
    yield "two groups", uomh.verify(X, Y, k=(3, 5), nulls=19, classes=["Bär 🐻", 'a "b"\n'])
    yield "no groups", uomh.verify(X, k=(3, 5), notes=["one", "two"])
    yield "one group", uomh.verify(X, np.zeros(120), k=5)
    yield "no calibration", uomh.verify(X, Y, estimator="twonn", nulls=19)
    yield "no intervals", uomh.verify(X[::5], Y[::5], k=8, nulls=19)
    yield "no chance", uomh.verify(X[:50], np.arange(50) // 25, k=20, nulls=19)


REPORTS = dict(reports())


@pytest.mark.parametrize("name", REPORTS)
def test_a_loaded_report_is_the_written_one(name, tmp_path):
    report = REPORTS[name]
    report.save(tmp_path)
    for path in (tmp_path, str(tmp_path / "dimension.json")):
        loaded = DimensionReport.load(path)
        assert loaded == report
        assert loaded.to_json() == report.to_json()
        assert loaded.to_csv() == report.to_csv()


def test_what_is_not_finite_is_null_and_comes_back():
    report = REPORTS["no intervals"]
    assert report.groups[0].k[8].high == math.inf
    written = report.to_dict()
    assert written["groups"][0]["k"]["8"]["high"] is None
    assert written["power"]["k"]["8"] is None
    assert report.power.k[8] == math.inf


def test_a_report_is_read_and_drawn_without_torch(tmp_path):
    REPORTS["two groups"].save(tmp_path)
    code = (
        "import sys; from uomh import DimensionReport; from uomh.report.figures import *; "
        "report = DimensionReport.load(sys.argv[1]); "
        "save_dimension_figure([report], sys.argv[1]); "
        "print(report.verdict); assert 'torch' not in sys.modules; "
        "assert 'sklearn' not in sys.modules"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == REPORTS["two groups"].verdict
    assert (tmp_path / "dimension.svg").stat().st_size > 1000


def test_a_report_of_before_a_field_was_added_is_read(tmp_path):
    values = REPORTS["two groups"].to_dict()
    del values["claims"]["groups_separated"]["chance"]
    (tmp_path / "dimension.json").write_text(json.dumps(values))
    assert DimensionReport.load(tmp_path).verdict == values["verdict"]


def damaged(change):
    values = json.loads(REPORTS["two groups"].to_json())
    change(values)
    return json.dumps(values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00\x01",
        REPORTS["two groups"].to_json()[:-300],
        damaged(lambda v: v.pop("verdict")),
        damaged(lambda v: v.update(n="many")),
        damaged(lambda v: v.update(n=2.5)),
        damaged(lambda v: v.update(more=1)),
        damaged(lambda v: v["claims"].update(more={"status": "supported"})),
        damaged(lambda v: v["claims"]["labels_matter"].update(status="perhaps")),
        damaged(lambda v: v["claims"].pop("labels_matter")),
        damaged(lambda v: v["groups"][0]["k"].update(three=1)),
        damaged(lambda v: v["groups"][0].update(k=None)),
        damaged(lambda v: v["whole"]["k"]["3"].update(dimension=None)),
        "[" * 100_000,
    ],
)
def test_a_damaged_report_is_one_sentence(text, tmp_path):
    (tmp_path / "dimension.json").write_text(text)
    with pytest.raises(UomhError, match=r"is no report of uomh verify: damaged") as caught:
        DimensionReport.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_one_sentence(tmp_path):
    (tmp_path / "dimension.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UomhError, match="damaged"):
        DimensionReport.load(tmp_path)


def test_a_report_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(UomhError, match=r"cannot read a report from .*: No such file"):
        DimensionReport.load(tmp_path)
    with pytest.raises(UomhError, match="uomh verify --out DIR writes one"):
        DimensionReport.load(tmp_path / "no.json")
    for name in ("mnist", "cifar10"):
        REPORTS["no groups"].save(tmp_path / name)
    with pytest.raises(UomhError, match="several data sets; name the folder of one: cifar10, mn"):
        DimensionReport.load(tmp_path)
