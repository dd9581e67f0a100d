"""Comparisons over seeds against scipy and closed forms."""

import numpy as np
import pytest
from scipy import stats

from uomh.experiments.result import ArmResult, ExperimentResult, RunResult, cells_of
from uomh.experiments.statistics import holm, mean_of, paired

RNG = np.random.default_rng(0)
A, B = RNG.normal(1.0, 1.0, 5), RNG.normal(0.0, 1.0, 5)


def test_a_mean_has_the_interval_of_students_t():
    found = mean_of(A)
    low, high = stats.t.interval(0.95, 4, A.mean(), stats.sem(A))
    assert (found.value, found.low, found.high) == pytest.approx((A.mean(), low, high))
    assert found.deviation == pytest.approx(A.std(ddof=1))
    assert mean_of([2.0]) == (2.0, None, None, None, 1)


def test_differences_are_tested_in_pairs():
    found, known = paired(A, B), stats.ttest_rel(A, B)
    interval = known.confidence_interval(0.95)
    assert found.p_value == pytest.approx(known.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert paired([1.0, 2.0], [1.0, 2.0]).p_value == 1
    assert paired([2.0, 3.0], [1.0, 2.0]).p_value == 0
    assert paired([2.0], [1.0]) == (1.0, None, None, None, 1)


def test_holm_bounds_the_chance_of_any_false_alarm():
    """Of 8 true nulls, one or more is below 5% in at most 5% of repeats (+- 3 deviations)."""
    rng = np.random.default_rng(1)
    repeats = 2000
    alarms = sum(min(holm(rng.uniform(size=8).tolist())) < 0.05 for _ in range(repeats))
    assert alarms / repeats <= 0.05 + 3 * (0.05 * 0.95 / repeats) ** 0.5
    # by hand: 3 x 0.01, then 2 x 0.02, then what is no smaller than the one before
    assert holm([0.02, 0.01, 0.5]) == pytest.approx([0.04, 0.03, 0.5])
    assert holm([]) == []


def run_of(arm, seed, value, **more):
    values = {"fid": {"value": value, **more}}
    return RunResult(arm=arm, dataset="d", seed=seed, state="done", values=values)


def test_arms_are_compared_over_the_seeds_that_both_have():
    arms = [ArmResult(name="a"), ArmResult(name="b", against="a"), ArmResult(name="c", against="a")]
    runs = [run_of("a", i, float(v)) for i, v in enumerate(A)]
    runs += [run_of("b", i, float(v)) for i, v in enumerate(B[:4])]
    runs += [run_of("c", i, None, reason="it is nan") for i in range(3)]
    cells = {cell.arm: cell for cell in cells_of(["d"], arms, ["fid"], runs)}
    assert cells["b"].p_value == pytest.approx(stats.ttest_rel(B[:4], A[:4]).pvalue)
    assert (cells["a"].difference, cells["c"].difference) == (None, None)
    assert (cells["c"].value, cells["c"].reason) == (None, "it is nan")


def test_one_seed_has_the_interval_of_its_run_and_no_test():
    arms = [ArmResult(name="a"), ArmResult(name="b", against="a")]
    runs = [
        run_of("a", 0, 1.0, low=0.0, high=2.0, by="samples"),
        run_of("b", 0, 5.0, low=4.0, high=6.0),
    ]
    first, second = cells_of(["d"], arms, ["fid"], runs)
    assert (first.low, first.high, first.interval) == (0.0, 2.0, "samples")
    assert second.p_value is None
    assert (second.difference_low, second.difference_high) == pytest.approx(
        (4 - 2**0.5, 4 + 2**0.5)
    )


def test_one_seed_is_paired_by_points_where_the_runs_know_them():
    arms = [ArmResult(name="a"), ArmResult(name="b", against="a")]
    runs = [run_of("a", 0, 1.0, low=0.0, high=2.0), run_of("b", 0, 5.0, low=4.0, high=6.0)]
    asked = []

    def pairs(one, other, metric):
        asked.append((one.arm, other.arm, metric))
        return 3.9, 4.1

    cell = cells_of(["d"], arms, ["fid"], runs, pairs=pairs)[1]
    assert asked == [("b", "a", "fid")]
    assert (cell.difference, cell.difference_low, cell.difference_high) == (4.0, 3.9, 4.1)
    alone = cells_of(["d"], arms, ["fid"], runs, pairs=lambda *of: None)[1]
    assert alone.difference_high == pytest.approx(4 + 2**0.5)


def test_notebooks_show_an_experiment_as_a_table_for_each_data_set():
    arms = (ArmResult(name="<a>"), ArmResult(name="b", against="<a>"))
    runs = [run_of("<a>", 0, 1.0, low=0.5, high=2.0), run_of("b", 0, None, reason="it is nan")]
    cells = cells_of(["d"], arms, ["fid"], runs)
    result = ExperimentResult(
        name="table", scale=0.5, datasets=("d", "e"), metrics=("fid",), arms=arms, cells=cells
    )
    html = result._repr_html_()
    assert html.count("<table>") == 2
    assert "<th>&lt;a&gt;</th><td>1 (0.5 to 2)</td>" in html
    assert "<th>b</th><td>n/a</td>" in html
    assert "scaled to 0.5" in html
