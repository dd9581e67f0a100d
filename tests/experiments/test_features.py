"""Samples of all arms are compared in the same features, however an arm groups the data."""

import torch

import uomh
from uomh import registry
from uomh.metrics import Evaluation
from uomh.settings import ComponentSettings
from uomh.training.measure import _by_source
from uomh.training.resolve import grouped

VALUES = {"data": {"dataset": "digits", "limit": 200, "test_limit": 40}}


def test_features_learn_the_classes_of_the_source_not_random_groups(monkeypatch):
    groups = {**VALUES, "clusters": {"name": "random", "num_clusters": 3}}
    config, source = uomh.resolve(values=groups)
    data = grouped(config, source)
    assert not torch.equal(data.train.y, source.train.y)
    found = _by_source(config, data)
    assert found.classes == source.classes
    assert torch.equal(found.train.y, source.train.y)

    learnt, load = [], registry.load

    class Recorder:
        """Keeps the data that it is to learn from."""

        Config = ComponentSettings

        def __init__(self, config, data, device):
            learnt.append(data)

    def recording(kind, name):
        return Recorder if kind == "extractors" else load(kind, name)

    monkeypatch.setattr(registry, "load", recording)
    model = torch.nn.Linear(1, 1)
    model.device = torch.device("cpu")
    evaluation = Evaluation(model, data, data.test, labelled=lambda: _by_source(config, data))
    evaluation.extractor()
    assert learnt[0].classes == source.classes


def test_data_that_no_settings_name_keep_their_labels(vectors):
    config, _ = uomh.resolve(values=VALUES)
    clustered = uomh.cluster(vectors, "random", num_clusters=2)
    assert _by_source(config, clustered) is clustered
    assert _by_source(config, vectors) is vectors
