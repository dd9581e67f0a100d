"""Near-copies are found, said and left out; what is none is left alone."""

import json
import math
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.dimension.nearcopies import near_copies, without_near_copies
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours

QUICK = {"k": (10,), "nulls": 19}


def gaussian(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def jittered(points, times=1, by=1e-6):
    rng = np.random.default_rng(9)
    copies = [points + by * rng.standard_normal(points.shape) for _ in range(times)]
    return np.concatenate([points, *copies])


def counted(points, tolerance=1e-3):
    return near_copies(nearest_neighbours(points, min(100, len(points) - 1)), tolerance)


def dimension(report):
    return report.whole.k[10].dimension


def test_every_point_again_with_jitter_is_said_and_dropped():
    points = gaussian(500, 3)
    doubled, y = jittered(points), np.arange(1000) % 2
    true = dimension(uomh.verify(points, **QUICK))
    kept = uomh.verify(doubled, y, **QUICK)
    assert dimension(kept) < 0.3 * true
    assert kept.near_copies == kept.to_dict()["near_copies"] == 1000
    (note,) = kept.notes
    assert note.startswith("1,000 of 1,000 points have a neighbour nearer than 0.001")
    assert "--near-duplicates drop" in note
    said = re.search(r"chance\), at (\S+) in the median", note)
    assert float(said[1]) == pytest.approx(1e-6 * math.sqrt(2.37), rel=0.1)  # chi^2 of 3: 2.37
    without = re.search(r"without them the whole has (\S+) at k = 10", note)
    assert float(without[1]) == pytest.approx(
        true, rel=0.25
    )  # pairs count twice, as do their radii
    dropped = uomh.verify(doubled, y, near_duplicates="drop", **QUICK)
    assert dimension(dropped) == pytest.approx(true, rel=1e-9)
    assert (dropped.n, dropped.near_copies) == (500, 1000)
    assert dropped.notes[0].startswith("500 of 1,000 points were left out as near-copies")
    assert [group.duplicates for group in dropped.groups] == [0, 0]


@pytest.mark.parametrize("times", [1, 5, 40])
def test_many_near_copies_of_a_point_leave_the_first(times):
    points = gaussian(100, 4)
    rows, before = without_near_copies(jittered(points, times), 1e-3, None)
    np.testing.assert_array_equal(rows, np.arange(100))
    assert before.points == 100 * (times + 1)


def test_a_few_near_copies_are_said():
    found = counted(jittered(gaussian(500, 3))[:510])
    assert found.points == 20
    assert found.sentence()


@pytest.mark.parametrize(
    "points",
    [
        gaussian(2000, 1),
        np.random.default_rng(0).random((2000, 1)),
        np.random.default_rng(0).standard_cauchy((2000, 1)),
        np.random.default_rng(0).lognormal(0, 3, (2000, 1)),
        gaussian(500, 3),
        np.concatenate([gaussian(500, 3), 50 + 1e-5 * gaussian(250, 3)]),
        np.concatenate([gaussian(500, 1), 50 + 1e-5 * gaussian(250, 1)]),
        np.random.default_rng(0).integers(0, 256, (300, 16)),
        np.stack(np.meshgrid(range(20), range(20)), -1).reshape(-1, 2),
        gaussian(5, 2),
        gaussian(2, 2),
    ],
)
def test_what_chance_accounts_for_is_not_said(points):
    assert counted(points).sentence() == ""
    rows, before = without_near_copies(points, 1e-3, None)
    assert len(points) - len(rows) <= before.points <= 0.01 * len(points)


def test_without_near_copies_nothing_changes():
    points, y = gaussian(300, 3), np.arange(300) % 2
    kept = uomh.verify(points, y, **QUICK)
    assert kept == uomh.verify(points, y, near_duplicates="drop", **QUICK)
    assert (kept.near_copies, kept.notes) == (0, ())


def test_no_two_points_are_left_nearer_than_the_tolerance():
    points = jittered(gaussian(300, 2), 3, by=3e-2)
    rows, _ = without_near_copies(points, 0.2, None)
    nearest = nearest_neighbours(points[rows], 1).distances[:, 0]
    assert counted(points[rows], 0.2).points == 0
    assert nearest.min() > 0.05 * np.median(nearest)


def test_near_copies_cannot_be_taken_out_of_given_neighbours():
    points = gaussian(100, 2)
    with pytest.raises(UomhError, match="give the points alone"):
        uomh.verify(points, neighbours=nearest_neighbours(points, 99), near_duplicates="drop")


def test_the_command_line_says_and_drops(tmp_path):
    np.savez(tmp_path / "twice.npz", x=jittered(gaussian(60, 3)), y=np.arange(120) % 2)

    def verified(*options):
        words = ["verify", "--dataset", str(tmp_path / "twice.npz"), "--k", "5", "--nulls", "19"]
        return CliRunner().invoke(app, [*words, *options])

    shown = " ".join(verified().output.split())
    assert "120 of 120 points have a neighbour nearer" in shown
    dropped = verified("--near-duplicates", "drop", "--tolerance", "1e-3", "--json")
    report = json.loads(dropped.output)
    assert (report["n"], report["near_copies"]) == (60, 120)
    for options, says in (
        (["--near-duplicates", "no"], "near-duplicates 'no'"),
        (["--tolerance", "2"], "between 0 and 1"),
    ):
        refused = verified(*options)
        assert refused.exit_code == 2
        assert says in " ".join(refused.output.split())
