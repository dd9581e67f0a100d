"""Odd inputs of an evaluation: one sentence each, and the other metrics are still measured."""

import math
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fuzz.checks import assert_sentence
from tests.gaussian import Gaussian
from uomh import registry
from uomh.data import Data, Split
from uomh.features.core import Extractor
from uomh.metrics import Evaluation
from uomh.metrics.core import evaluate_with_groups
from uomh.settings import ComponentSettings, config_class

OF_THE_DENSITY = {"log_likelihood", "bits_per_dim", "loss", "null_metric", "clusters"}
OF_PIXELS = {"memorisation", "id", "pointwise_id", "clustered_id"}
OF_FEATURES = {"fid", "fid_infinity", "kid", "mmd", "between"}
OF_FEATURES |= {"precision_recall_density_coverage"}
OF_OTHERS = {name for name in registry.entries("metrics") if "_ood_acc" in name}
HAS_NONE = {"ais_log_likelihood", "importance_weighted_log_likelihood", "l2_reconstruction_error"}
HAS_NONE |= {"low_dim_log_likelihood", "manifold_log_likelihood"}
HAS_NONE |= {"likelihood_ood_acc_low_dim", "reconstruction_ood_acc"}


def usual(seed, classes=("a", "b")):
    """Labelled vectors of two far Gaussians: 300 to train, 200 to test."""
    generator = torch.Generator().manual_seed(seed)

    def split(n):
        y = torch.arange(n) % 2
        return Split(torch.randn(n, 3, generator=generator) + 9.0 * y[:, None], y)

    return Data("usual", split(300), split(20), split(200), classes, None, f"usual {seed}")


class Odd(Extractor):
    """Features by a function of a batch, which a test gives."""

    name = "odd"
    function = staticmethod(lambda x: x)

    def state(self):
        """Its own."""
        return "odd"

    def features(self, x, levels):
        """Of one batch."""
        del levels
        return self.function(x)


@pytest.fixture(autouse=True)
def _odd(monkeypatch):
    monkeypatch.setitem(registry._defined, ("extractors", "odd"), Odd)
    monkeypatch.setattr(Odd, "function", staticmethod(lambda x: x.flatten(1)))


def measured(data, draw=None, other=None, samples=None, features="odd", conditional=False):
    """The values of every metric, after all is seen that holds for any input."""
    model = Gaussian(Gaussian.Config(conditional=conditional), data.spec)
    if conditional:
        model.label_weights.copy_(data.weights)
    if draw is not None:
        model.draw = draw
    if isinstance(features, str):
        features = ComponentSettings(name=features)
    evaluation = Evaluation(
        model,
        data,
        data.test,
        extractor=features,
        samples=samples,
        other=lambda name: data if other is None else other,
    )
    chosen = []
    for name in registry.entries("metrics"):
        config = config_class("metrics", name)
        more = {"ood": "other"} if "ood" in config.model_fields else {}
        chosen.append(config(name=name, **more))
    values = evaluate_with_groups(chosen, evaluation)
    for value in values.values():
        if value.value is None:
            assert_sentence(value.reason)
        else:
            assert math.isfinite(value.value)
            if value.low is not None:
                assert value.low <= value.value <= value.high, value
    assert {value.metric for value in values.values()} == {config.name for config in chosen}
    return values


def having(values):
    """The metrics that have a value of the whole."""
    return {v.metric for v in values.values() if v.value is not None and v.group is None}


ALL = OF_THE_DENSITY | OF_PIXELS | OF_FEATURES | (OF_OTHERS - HAS_NONE)


@pytest.mark.parametrize("seed", range(2))
def test_of_usual_data_every_metric_has_a_value_that_can(seed):
    assert having(measured(usual(seed))) == ALL


FEATURES = {
    "NaN": lambda x: x.flatten(1) * float("nan"),
    "one NaN": lambda x: x.flatten(1).masked_fill(x.flatten(1) == x.max(), float("nan")),
    "infinite": lambda x: x.flatten(1) * float("inf"),
    "images": lambda x: x.reshape(len(x), 1, 1, -1),
    "one row fewer": lambda x: x.flatten(1)[1:],
    "one number": lambda x: x.sum(),
    "a text": lambda x: "features",
    "none": lambda x: None,
    "of no width": lambda x: x.flatten(1)[:, :0],
    "of random width": lambda x: x.flatten(1)[:, : 1 + len(x) % 3],
}


@pytest.mark.parametrize("kind", FEATURES)
def test_features_that_are_none_leave_what_needs_none(kind, monkeypatch):
    monkeypatch.setattr(Odd, "function", staticmethod(FEATURES[kind]))
    values = measured(usual(0))
    assert having(values) >= ALL - OF_FEATURES - {"neighbour_ood_acc"}
    if kind not in ("images", "of random width"):  # which a batch may happen to fit
        assert not having(values) & OF_FEATURES


LIMITS = {
    "constant": lambda x: x.flatten(1) * 0 + 1.0,
    "equal but one": lambda x: (x.flatten(1) == x.max()).float(),
    "huge": lambda x: x.flatten(1) * 1e30,
    "tiny": lambda x: x.flatten(1) * 1e-35,
    "far": lambda x: x.flatten(1) + 1e7,
    "of one level": lambda x: x.flatten(1).sign(),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_features_at_the_limits_are_numbers_or_reasons(kind, monkeypatch):
    monkeypatch.setattr(Odd, "function", staticmethod(LIMITS[kind]))
    values = measured(usual(1))
    assert having(values) >= ALL - OF_FEATURES - {"neighbour_ood_acc"}
    if kind == "constant":
        assert values["fid"].value == 0


@pytest.mark.parametrize("samples", [1, 3, 7, 24])
def test_few_samples_leave_what_needs_none(samples):
    values = measured(usual(2), samples=samples)
    assert having(values) >= OF_THE_DENSITY | {"likelihood_ood_acc", "neighbour_ood_acc", "between"}
    assert values["precision_recall_density_coverage"].reason if samples < 24 else True


@pytest.mark.parametrize("seed", range(8))
def test_splits_of_few_points_are_numbers_or_reasons(seed):
    rng, data = np.random.default_rng(seed), usual(seed)
    sizes = rng.choice([1, 2, 3, 5, 19, 60], 3)
    parts = [split[:n] for split, n in zip((data.train, data.valid, data.test), sizes, strict=True)]
    data = replace(data, train=parts[0], valid=parts[1], test=parts[2], fingerprint=f"few {seed}")
    values = measured(data, samples=int(rng.choice([1, 5, 50])))
    assert having(values) >= OF_THE_DENSITY


DRAWS = {
    "copies of one point": lambda n, y: torch.zeros(n, 3),
    "copies of few": lambda n, y: torch.arange(n).remainder(7)[:, None].float().repeat(1, 3),
    "huge": lambda n, y: torch.randn(n, 3) * 3e38 / 10,
    "huge and one sign": lambda n, y: torch.rand(n, 3) * 3e38,
    "tiny": lambda n, y: torch.randn(n, 3) * 1e-38,
    "NaN": lambda n, y: torch.full((n, 3), float("nan")),
    "one infinite": lambda n, y: torch.cat([torch.full((1, 3), np.inf), torch.randn(n - 1, 3)]),
    "on a line": lambda n, y: torch.randn(n, 1).repeat(1, 3),
    "far": lambda n, y: torch.randn(n, 3) + 1e8,
}


@pytest.mark.parametrize("kind", DRAWS)
def test_odd_samples_are_numbers_or_reasons(kind):
    values = measured(usual(3), DRAWS[kind], samples=250)
    assert having(values) >= OF_THE_DENSITY | {"likelihood_ood_acc", "likelihood_id_ood_acc"}
    if kind in ("NaN", "one infinite"):
        assert "not finite" in values["fid"].reason
        assert not having(values) & (OF_FEATURES | OF_PIXELS)


@pytest.mark.parametrize("kind", ["copies", "constant", "huge", "one coordinate"])
def test_odd_data_are_numbers_or_reasons(kind):
    data = usual(4)
    change = {
        "copies": lambda x: x[torch.arange(len(x)) // 20 * 20],
        "constant": lambda x: x * 0 + 3,
        "huge": lambda x: x * 1e37,
        "one coordinate": lambda x: x[:, :1],
    }[kind]
    splits = {
        name: replace(getattr(data, name), x=change(getattr(data, name).x))
        for name in ("train", "valid", "test")
    }
    draw = None if kind != "huge" else lambda n, y: torch.randn(n, 3) * 1e37
    data = replace(data, **splits, fingerprint=kind)
    assert having(measured(data, draw, samples=250)) >= {"null_metric"}


def test_other_data_of_another_size_are_resized_only_when_told(digits):
    data = replace(digits, train=digits.train[:60], test=digits.test[:40], fingerprint="some")
    for name, x in (
        ("larger", torch.zeros(9, 1, 16, 16, dtype=torch.uint8)),
        ("colour", torch.zeros(9, 3, 8, 8, dtype=torch.uint8)),
        ("vectors", torch.zeros(9, 64)),
    ):
        levels = digits.levels if x.dtype == torch.uint8 else None
        other = Data(name, *[Split(x, None)] * 3, (), levels, name)
        values = measured(data, other=other, samples=30, features="pixels")
        for metric in OF_OTHERS - HAS_NONE:
            assert f"points of {name} are" in values[metric].reason
        if name == "larger":
            assert "--resize" in values["likelihood_ood_acc"].reason
        assert having(values) >= OF_THE_DENSITY | {"kid"}


@pytest.mark.parametrize("where", ["train", "test", "everywhere"])
def test_an_empty_class_leaves_the_others(where):
    data = usual(5, ("a", "b", "none"))
    if where != "everywhere":  # of the other split's points one is of the third class
        y = getattr(data, "test" if where == "train" else "train").y
        y[0] = 2
    values = measured(data, conditional=True)
    assert having(values) >= OF_THE_DENSITY | OF_FEATURES
    for group in "ab":
        assert values[f"fid[{group}]"].value is not None
    assert "fid[none]" not in values
    assert values.get("clustered_id[none]") is None or values["clustered_id[none]"].value is None


class Network(torch.nn.Module):
    """In place of torch-fidelity's network, with weights of another shape."""

    def __init__(self, name, features_list, feature_extractor_weights_path):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(3))
        self.load_state_dict(torch.load(feature_extractor_weights_path))


def test_weights_of_the_wrong_shape_leave_what_needs_none(digits, tmp_path, monkeypatch):
    module = types.ModuleType("inception")
    module.FeatureExtractorInceptionV3 = Network
    for name in ("torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"):
        monkeypatch.setitem(__import__("sys").modules, name, module)
    torch.save({"scale": torch.zeros(4)}, tmp_path / "weights.pth")
    settings = config_class("extractors", "inception")(
        name="inception", weights=str(tmp_path / "weights.pth")
    )
    data = replace(digits, train=digits.train[:60], test=digits.test[:40], fingerprint="some")
    values = measured(data, samples=30, features=settings)
    assert "does not hold the weights of inception" in values["fid"].reason
    assert having(values) >= OF_THE_DENSITY | {"memorisation"}


def test_data_without_a_test_split_are_refused_by_the_split(vectors):
    empty = replace(vectors, test=vectors.test[:0], fingerprint="empty")
    evaluation = Evaluation(Gaussian(Gaussian.Config(), empty.spec), empty, empty.test)
    values = evaluate_with_groups(["log_likelihood", "null_metric"], evaluation)
    assert values["log_likelihood"].reason == "vectors has no test points"
    assert values["null_metric"].value == 0
