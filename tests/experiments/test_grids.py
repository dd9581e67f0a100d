"""What a grid is: files that say one, arms that are chosen, seeds; and what is none."""

import pytest

from tests.experiments.grids import grid_file
from uomh.errors import UomhError
from uomh.experiments.grid import experiment_of
from uomh.experiments.plan import grid, plan


def test_seeds_that_are_one_run_are_no_seeds(tmp_path):
    file = experiment_of(str(grid_file(tmp_path)))
    with pytest.raises(
        UomhError, match="its settings say which seed, so that its seeds are one run"
    ):
        plan(grid(file, seeds=2, settings=["seed=5"]))
    assert len({run.key for run in plan(grid(file, seeds=2))}) == 4
    assert len(plan(grid(file, seeds=1, settings=["seed=5"]))) == 2


def test_lists_are_a_product_or_go_side_by_side(tmp_path):
    path = tmp_path / "grid.py"
    path.write_text("base = ['a=0']\nzipped = [['b=1', 'b=2'], [('c=1', 'd=1'), 'c=2']]\n")
    assert [arm.settings for arm in experiment_of(str(path)).arms] == [
        ("b=1", "c=1", "d=1"),
        ("b=2", "c=2"),
    ]
    path = tmp_path / "grid.yaml"
    path.write_text("product: [[b=1, b=2], [c=1, c=2]]")
    assert [arm.name for arm in experiment_of(str(path)).arms] == [
        "b=1, c=1",
        "b=1, c=2",
        "b=2, c=1",
        "b=2, c=2",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("produkt: [[a=1]]", "unknown setting 'produkt'; did you mean 'product'"),
        ("zipped: [[a=1], [b=1, b=2]]", "zipped lists go side by side"),
        ("product: [[a=1, a=1]]", "two arms are called 'a=1'"),
        ("against: x\nproduct: [[a=1]]", "against='x' is no arm"),
        ("product: [[1]]", "product"),
        ("product: [[a=1], []]", "a list of the grid is empty"),
        ("zipped: [[]]", "a list of the grid is empty"),
        ("arms: {}", "a list of the grid is empty"),
        ("{}", "is empty; a grid says one of base, product"),
    ],
)
def test_a_file_that_is_no_grid_is_refused(text, sentence, tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(UomhError, match=sentence):
        experiment_of(str(path))


def test_a_data_set_is_named_where_its_results_stand(tmp_path):
    file = experiment_of(str(grid_file(tmp_path)))
    for text in ("data.dataset=cifar10", " data_dataset=cifar10", "data={dataset: cifar10}"):
        with pytest.raises(UomhError, match=r"data\.dataset=cifar10: .* by --datasets"):
            grid(file, settings=[text])
    grid(file, settings=["data.limit=100"])
    file.base = ("data.dataset=cifar10",)
    with pytest.raises(UomhError, match="by --datasets"):
        grid(file)


def test_arms_are_chosen_by_name_with_what_they_are_compared_with():
    experiment = experiment_of("between")
    names = [arm.name for arm in grid(experiment, arms=["vae conditional class"]).arms]
    assert names == ["vae vanilla", "vae conditional class"]
    assert len(grid(experiment, arms=["vae", "wae"]).arms) == 8
    with pytest.raises(UomhError, match="unknown arm 'vea'; did you mean 'vae"):
        grid(experiment, arms=["vea"])
    for wrong in ({"scale": 0.0}, {"scale": 2.0}, {"seeds": 0}, {"datasets": []}, {"arms": []}):
        with pytest.raises(UomhError):
            grid(experiment, **wrong)
