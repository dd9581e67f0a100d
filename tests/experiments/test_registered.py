"""The experiments that come with it: every arm is one that can be built; what each is for."""

import pytest

from uomh import registry
from uomh.experiments import ExperimentResult
from uomh.experiments.grid import experiment_of
from uomh.experiments.plan import grid, plan

TRAINED = ["between", "clusters", "latent_dim", "matched", "vae", "vae_flow", "wae"]


def test_all_of_them_are_listed():
    assert {*TRAINED, "dimension"} <= set(registry.entries("experiments"))


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_every_arm_has_settings_that_are_known(name, scale):
    runs = plan(grid(experiment_of(name), datasets=["digits"], seeds=1, scale=scale))
    assert len({run.key for run in runs}) == len(runs)  # no two arms are the same run
    experiment = experiment_of(name)
    names = [arm.name for arm in experiment.arms]
    assert {arm.against for arm in experiment.arms} - {""} <= set(names)


def test_the_papers_arms_are_seven():
    for name in ("vae", "wae"):
        assert len(experiment_of(name).arms) == 7
        assert experiment_of(name).seeds == 3


def test_vanilla_runs_are_shared_by_the_experiments_that_need_them():
    keys = [
        {run.key for run in plan(grid(experiment_of(name), datasets=["digits"], seeds=1))}
        for name in ("vae", "matched", "clusters")
    ]
    assert keys[0] & keys[1] & keys[2]
    assert len(keys[0] & keys[1]) == 4  # vanilla, and parts as large, in three partitions


def test_dimension_stands_beside_the_papers_values(tmp_path):
    from tests.experiments.grids import reproduced
    from uomh.dimension.result import DimensionReport

    settings = ("nulls=19", "data.limit=700")
    reproduced("dimension", tmp_path, *settings, datasets="digits")
    result = ExperimentResult.read(tmp_path / "dimension")
    (run,) = result.runs
    report = DimensionReport.load(tmp_path / "dimension" / run.folder)
    cells = {cell.metric: cell for cell in result.cells}
    assert cells["whole_k10"].value == report.whole.k[10].dimension
    assert cells["greatest_k3"].value == max(group.k[3].dimension for group in report.groups)
    assert (tmp_path / "dimension" / "dimension.png").is_file()
    reference = experiment_of("dimension").reference
    assert reference["mnist", "mle", "median_k10"] == 14.0
    assert reference["cifar100", "mle", "whole_k20"] == 24.3
    assert len(reference) == 5 * 3 * 6
