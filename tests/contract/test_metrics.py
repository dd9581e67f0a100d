"""The contract of metrics: settings of their own, groups as fields, keys made in one place."""

import json
import re
from pathlib import Path

import pytest

import uomh
from tests.gaussian import Gaussian
from uomh.config import EvaluateConfig, RunConfig, TrainConfig
from uomh.errors import UomhError
from uomh.metrics import Evaluation, Metric, MetricConfig, Value, evaluate
from uomh.settings import parse_value

SCALED = """
from uomh.metrics import Metric, MetricConfig, Value

class Scaled(Metric):
    class Config(MetricConfig):
        factor: float = 2.0
        samples: int = 20

    higher_is_better = True

    def measure(self, evaluation):
        drawn = evaluation.samples(self.config.samples)
        yield "Scaled", Value.mean(drawn.x.double().flatten(1).mean(1) * self.config.factor)
"""


@pytest.fixture
def gaussian(digits):
    return Gaussian(Gaussian.Config(), digits.spec)


def test_a_text_stands_for_settings_with_that_name():
    config = EvaluateConfig.of({"metrics": ["loss", {"name": "bits_per_dim"}]})
    assert [type(metric).__name__ for metric in config.metrics] == ["MetricConfig"] * 2
    again = EvaluateConfig.of(config.model_dump(mode="json"))
    assert again == config
    assert [m.name for m in EvaluateConfig().metrics][:2] == ["loss", "log_likelihood"]
    assert {m.name for m in RunConfig.of({"model": "vae"}).train.metrics} == {"loss"}


def test_the_metric_for_early_stopping_has_the_settings_it_is_validated_with(tmp_path):
    (tmp_path / "scaled.py").write_text(SCALED)
    name = f"{tmp_path}/scaled.py:Scaled"
    valid = [{"name": name, "factor": 3.0}]
    config = TrainConfig.of({"valid_metrics": valid, "early_stopping_metric": name})
    assert [metric.factor for metric in config.metrics] == [3.0]
    config = TrainConfig.of({"valid_metrics": [], "early_stopping_metric": name})
    assert [metric.factor for metric in config.metrics] == [2.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[loss,{"name":"fid","samples":1000}]', ["loss", {"name": "fid", "samples": 1000}]),
        ("[{name: fid, flag: true}]", [{"name": "fid", "flag": True}]),
        ("{name: f.py:Class, k: [1, 2]}", {"name": "f.py:Class", "k": [1, 2]}),
        ("[[a,b],c]", [["a", "b"], "c"]),
        ("[]", []),
        ("{a}", "{a}"),
        ("[", "["),
        ("]a,b[", "]a,b["),
    ],
)
def test_lists_of_settings_are_typed_on_a_command_line(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (["lost"], "unknown metric 'lost'; did you mean 'loss'"),
        ([{"name": "loss", "sampels": 3}], "unknown setting 'metrics.sampels'"),
        ([{"samples": 3}], "say which, by metrics.name"),
        ([3], "say which, by metrics.name"),
        (["loss", {"name": "loss"}], None),
    ],
)
def test_what_is_no_metric_is_one_sentence(metrics, sentence):
    if sentence is None:
        assert [m.name for m in EvaluateConfig.of({"metrics": metrics}).metrics] == ["loss"]
        return
    with pytest.raises(UomhError, match=sentence):
        EvaluateConfig.of({"metrics": metrics})


def test_one_metric_twice_with_other_settings_is_refused(tmp_path):
    (tmp_path / "scaled.py").write_text(SCALED)
    name = f"{tmp_path}/scaled.py:Scaled"
    with pytest.raises(UomhError, match="twice, with other settings"):
        EvaluateConfig.of({"metrics": [name, {"name": name, "factor": 3.0}]})


class Several(Metric):
    """Yields a value of a group beside its own, then fails."""

    name = "several"

    def measure(self, evaluation):
        """Two values."""
        yield "several", Value(1.0, n=3)
        yield "several", Value(2.0, n=2, group="a[b]")
        yield "other", Value(3.0, higher_is_better=True)
        raise UomhError("no more")


def test_groups_and_directions_are_fields(gaussian, digits, monkeypatch):
    monkeypatch.setattr("uomh.registry._defined", {("metrics", "several"): Several})
    values = evaluate(["several"], Evaluation(gaussian, digits, digits.test))
    assert list(values) == ["several", "several[a[b]]", "other"]
    assert values["several[a[b]]"].group == "a[b]"
    assert values["several[a[b]]"].name == "several"
    assert values["several[a[b]]"].higher_is_better is False
    assert values["other"].higher_is_better is True
    for key, value in values.items():
        assert Value(**value.to_dict()) == value
        assert value.key == key


def test_a_metric_that_fails_keeps_what_it_gave_and_the_reason():
    assert Value(None, reason="no more", name="m").to_dict() == {
        "value": None,
        "reason": "no more",
        "name": "m",
    }


def test_no_code_takes_a_key_apart():
    pattern = re.compile(r"""partition\("\["|split\("\["|"\[" (not )?in|\}\[\{""")
    found = [
        path.name
        for path in Path(uomh.__file__).parent.rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["values.py"]


@pytest.mark.parametrize("factor", [2.0, 3.0])
def test_a_metric_with_settings_and_samples_is_one_file(tmp_path, digits, factor):
    (tmp_path / "scaled.py").write_text(SCALED)
    settings = {"name": f"{tmp_path}/scaled.py:Scaled", "factor": factor}
    few = ["model.encoder_hidden_dims=[16]", "model.decoder_hidden_dims=[16]", "train.max_epochs=1"]
    few += ["data.limit=200", "data.test_limit=30", "threads=1", "model.latent_dim=2"]
    chosen = f"evaluate.metrics=[loss,{json.dumps(settings)}]"
    config, data = uomh.resolve(overrides=[*few, chosen])
    model, data = uomh.train(config, data, tmp_path / "run")
    value = uomh.measure(model, data, config, run_dir=tmp_path / "run")["Scaled"]
    assert value.n == 20
    assert value.low < value.value < value.high
    assert value.higher_is_better
    written = json.loads((tmp_path / "run/metrics.json").read_text())["Scaled"]
    assert written.get("settings", {}) == ({} if factor == 2.0 else {"factor": factor})
    assert isinstance(config.evaluate.metrics[1], MetricConfig)


def test_an_override_reaches_a_component_below_plain_settings():
    overrides = ["data.limit=100", "evaluate.features.name=function"]
    config, _ = uomh.resolve(overrides=[*overrides, "evaluate.features.target=torch:flatten"])
    assert (config.evaluate.features.name, config.evaluate.features.target) == (
        "function",
        "torch:flatten",
    )
    with pytest.raises(UomhError, match=r"unknown setting .*tagret'; did you mean"):
        uomh.resolve(overrides=[*overrides, "evaluate.features.tagret=torch:flatten"])
