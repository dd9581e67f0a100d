"""A second instrument on the order of two groups: it agrees, contradicts, or says neither."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.dimension.claims.dimensions_differ import DimensionsDiffer
from uomh.dimension.values import DimensionEstimate
from uomh.errors import UomhError


@pytest.fixture(scope="module")
def report():
    """A square and a cube of dimension 6, far apart."""
    rng = np.random.default_rng(0)
    x = np.zeros((800, 8))
    x[:400, :2], x[400:, :6] = rng.random((400, 2)), rng.random((400, 6))
    x[400:, 7] = 9
    return uomh.verify(x, np.repeat([0, 1], 400), k=(3, 10), nulls=19, instruments=("mle", "ess"))


def decided(report, low, high):
    """The claim, with these opinions of the lower and the higher group."""
    groups = [
        replace(group, others={"ess": DimensionEstimate(*opinion)})
        for group, opinion in zip(report.groups, (low, high), strict=True)
    ]
    return DimensionsDiffer.of(groups, (3, 10), "supported")


def test_an_instrument_that_agrees_is_named_in_the_sentence(report):
    claim = report.claims.dimensions_differ
    assert claim.status == "supported"
    assert claim.opinions == {"ess": "agrees"}
    assert "ess agrees on their order" in report.verdict
    assert claim.row().endswith("ess agrees on their order")
    low, high = (group.others["ess"] for group in report.groups)
    assert low.low < 2.2 < low.high + 0.3
    assert high.low > low.high


def test_the_first_instrument_is_no_second_one(report):
    assert [list(group.others) for group in report.groups] == [["ess"], ["ess"]]


def test_an_instrument_that_contradicts_leaves_the_claim_undecided(report):
    claim = decided(report, (6, 5.5, 6.5), (2, 1.8, 2.2))
    assert claim.status == "undecided"
    assert claim.opinions == {"ess": "contradicts"}
    assert claim.reason == (
        "the distances find more dimensions in '1' than in '0', and ess the opposite"
    )


def test_intervals_that_overlap_are_no_opinion(report):
    claim = decided(report, (3, 2, 4), (4, 3.9, 5))
    assert claim.opinions == {"ess": "open"}
    assert claim.status == "supported"
    assert claim.row().endswith("ess finds neither higher")
    assert claim.clause() == ""


def test_agreement_lowers_no_threshold():
    """Two balls of one dimension, and an instrument that swears they differ."""
    rng = np.random.default_rng(1)
    x = rng.random((800, 3))
    x[400:] **= 2
    report = uomh.verify(x, np.repeat([0, 1], 400), k=(3, 10), nulls=19)
    claim = decided(report, (1, 0.9, 1.1), (9, 8, 10))
    assert claim.status == "undecided"


def test_opinions_are_written_and_read(report, tmp_path):
    report.save(tmp_path)
    assert uomh.DimensionReport.load(tmp_path) == report
    written = json.loads((tmp_path / "dimension.json").read_text())
    assert written["claims"]["dimensions_differ"]["opinions"] == {"ess": "agrees"}
    assert set(written["groups"][0]["others"]["ess"]) == {"dimension", "low", "high"}


@pytest.mark.parametrize(
    ("instruments", "said"),
    [("ess", "list of names"), (["ssa"], "unknown estimator"), (["ess"], "points")],
)
def test_what_cannot_be_heard_is_refused(instruments, said):
    x = np.random.default_rng(0).random((60, 3))
    found = uomh.nearest_neighbours(x, 59)
    with pytest.raises(UomhError, match=said):
        uomh.verify(
            None, np.arange(60) % 2, neighbours=found, k=(3,), nulls=19, instruments=instruments
        )


def test_the_command_hears_instruments():
    base = ["verify", "--dataset", "manifold:union-2-5", "--k", "3,10", "--nulls", "19", "--json"]
    result = CliRunner().invoke(app, [*base, "--instruments", "mle,ess", "data.limit=800"])
    refused = CliRunner().invoke(app, [*base, "--estimator", "ess", "--instruments", "mle,ess"])
    assert refused.exit_code == 2
    assert result.exit_code == 0, result.output
    claim = json.loads(result.stdout)["claims"]["dimensions_differ"]
    assert claim["opinions"] == {"ess": "agrees"}
