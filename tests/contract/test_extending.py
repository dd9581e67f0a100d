"""The composition of docs/extending.md, in one file, and all that can be done with a model."""

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
