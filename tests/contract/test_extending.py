"""The composition and the data source of docs/extending.md, and a clusterer, each in one file."""

import math
import re
from pathlib import Path

import pytest
import torch

import uomh
from uomh.errors import UomhError

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
(COMPOSITION,) = (block for block in BLOCKS if "class Moved(Generative)" in block)
(SOURCE,) = (block for block in BLOCKS if "class Spiral(Dataset)" in block)


@pytest.fixture
def moved(tmp_path):
    (tmp_path / "moved.py").write_text(COMPOSITION)
    return {
        "name": f"{tmp_path / 'moved.py'}:Moved",
        "part": {"name": "flow", "num_layers": 1, "hidden_units": 8},
    }


def resolved(model, epochs):
    data = {"dataset": "manifold:sphere-2", "limit": 120}
    values = {"model": model, "threads": 1, "data": data, "train": {"max_epochs": epochs}}
    return uomh.resolve(values=values)


def test_a_composition_is_one_file(moved, tmp_path):
    config, data = resolved(moved, 2)
    model, _ = uomh.train(config, data, tmp_path / "once")
    uomh.train(*resolved(moved, 1), tmp_path / "run")
    again, _ = uomh.train(config, data, tmp_path / "run")  # a constant rate: as if at once
    found = uomh.load_run(tmp_path / "run").model
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
        assert torch.equal(value, found.state_dict()[key])
    x = data.test.x.float()
    assert torch.equal(model.log_prob(x), model.part.log_prob(x - 0.5))
    assert model.sample(4).shape == (4, *data.spec.shape)
    values = uomh.measure(model, data, config, run_dir=tmp_path / "run")
    assert math.isfinite(values["log_likelihood"].value)


def test_it_is_a_step_and_a_part_like_any_other(moved, tmp_path):
    tree = {"name": "two_step", "autoencoder": {"name": "ae", "latent_dim": 2}, "density": moved}
    model, _ = uomh.train(*resolved(tree, 1), tmp_path / "run")
    assert [path for path, _ in model.leaves()] == ["autoencoder", "density/part"]
    tree["density"]["part"]["num_layers"] = "many"
    with pytest.raises(UomhError, match=r'model\.density\.part\.num_layers="many"'):
        resolved(tree, 1)


CLUSTERER = '''
"""Halves by the first coordinate."""

from dataclasses import replace

from uomh.clusters import Clusterer, ClustererConfig


class Halves(Clusterer):
    """Whether the first coordinate is beyond a place."""

    class Config(ClustererConfig):
        """Settings."""

        place: float = 0.0
        """where to cut"""

    def __call__(self, data, features=None):
        def cut(split):
            return replace(split, y=(split.x.flatten(1)[:, 0] > self.config.place).long())

        splits = {name: cut(getattr(data, name)) for name in ("train", "valid", "test")}
        return replace(data, **splits, classes=("low", "high"), pool="")
'''


def test_a_clusterer_is_one_file(tmp_path):
    (tmp_path / "halves.py").write_text(CLUSTERER)
    clusters = {"name": f"{tmp_path / 'halves.py'}:Halves", "place": 0.1}
    data = {"dataset": "manifold:sphere-2", "limit": 120}
    values = {"clusters": clusters, "threads": 1, "data": data, "train": {"max_epochs": 1}}
    config, data = uomh.resolve(values=values, disconnected=True)
    model, grouped = uomh.train(config, data, tmp_path / "run")
    assert list(model.parts()) == ["low", "high"]
    assert (grouped.train.y == (data.train.x[:, 0] > 0.1)).all()
    assert uomh.load_run(tmp_path / "run").classes == ("low", "high")


@pytest.fixture
def spiral(tmp_path, monkeypatch):
    (tmp_path / "spiral.py").write_text(SOURCE)
    monkeypatch.setenv("UOMH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    # Registered in this process for good, the name would be known to other tests.
    monkeypatch.setattr("uomh.registry._defined", {})
    return tmp_path / "spiral.py"


def test_a_data_source_is_one_file(spiral, monkeypatch):
    data = uomh.load_data("spiral.py:Spiral:2", limit=300)
    assert data.name == "spiral.py:Spiral:2"
    assert (data.spec.shape, data.spec.levels, data.classes) == ((2,), None, ("inner", "outer"))
    angle = data.train.x.norm(dim=1) - math.pi * data.train.y
    assert angle.min() >= 0
    assert angle.max() <= 4 * math.pi
    assert data.train.x.norm(dim=1).max() > 4 * math.pi
    once = uomh.load_data("spiral.py:Spiral", limit=300)
    assert once.fingerprint != data.fingerprint
    values = {"data": {"dataset": "spiral.py:Spiral:2"}, "train": {"max_epochs": 1}, "threads": 1}
    config, _ = uomh.resolve(values={**values, "model": {"name": "flow", "num_layers": 1}})
    assert config.data.dataset == f"{spiral}:Spiral:2"
    monkeypatch.chdir("/")
    assert uomh.load_data(config.data, limit=300).fingerprint == data.fingerprint


def test_a_data_source_is_read_once_for_each_version_of_its_file(spiral):
    first = uomh.load_data("spiral.py:Spiral")
    (folder,) = (spiral.parent / "cache").iterdir()
    assert uomh.load_data("spiral.py:Spiral").fingerprint == first.fingerprint
    assert list((spiral.parent / "cache").iterdir()) == [folder]
    spiral.write_text(SOURCE.replace("default_rng(0)", "default_rng(1)  # another draw"))
    assert uomh.load_data("spiral.py:Spiral").fingerprint != first.fingerprint


def test_settings_that_mean_nothing_to_a_data_source_are_refused(spiral):
    with pytest.raises(UomhError, match=r"data\.resize means nothing for 'spiral\.py:Spiral'"):
        uomh.load_data("spiral.py:Spiral", resize=8)
    with pytest.raises(UomhError, match=r"there is no file 'none\.py'"):
        uomh.load_data("none.py:Spiral")
    spiral.write_text("class Spiral: pass")
    with pytest.raises(UomhError, match="is none of the datasets"):
        uomh.load_data("spiral.py:Spiral")


def test_a_suffix_is_a_data_source(spiral):
    spiral.write_text(SOURCE.replace('"spiral")', '".arms")').replace("self.address or 1", "1"))
    assert uomh.load_data(f"{spiral}:Spiral").classes == ("inner", "outer")
    (spiral.parent / "mine.arms").write_text("")
    assert uomh.load_data("mine.arms").name == "mine.arms"
    with pytest.raises(UomhError, match=r"give \.arms, \.csv, \.npy or \.npz, or the folder"):
        uomh.load_data("spiral.py")
