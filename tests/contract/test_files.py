"""Components from files: one class a file, errors by line, metrics as well as models."""

import json
import os
import pickle
import subprocess
import sys

import pytest

import uomh
from uomh import files, registry
from uomh.config import EvaluateConfig, RunConfig
from uomh.errors import UomhError
from uomh.metrics import Evaluation, evaluate

METRIC = """
from uomh.metrics import Metric, Value

class Count(Metric):
    def measure(self, evaluation):
        yield "count", Value(float(len(evaluation.split)))
"""
MODEL = """
from __future__ import annotations
from uomh.models import Model, ModelConfig

class Mine(Model):
    class Config(ModelConfig):
        width: int = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "metric.py").write_text(METRIC)
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_gives_one_class_until_it_changes(folder):
    first = registry.load("models", "model.py:Mine")
    assert registry.load("models", f"{folder}/model.py:Mine") is first
    settings = first.Config(name="model.py:Mine")
    assert pickle.loads(pickle.dumps(settings)) == settings
    (folder / "model.py").write_text(MODEL.replace("3", "4"))
    os.utime(folder / "model.py", ns=(1, 1))
    assert registry.load("models", "model.py:Mine").Config().width == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = x / 0\n", "line 2: ZeroDivisionError"),
        ("x = 1\n\ndef f(:\n", "line 3: SyntaxError"),
        ("import no_such_module\n", "line 1: ModuleNotFoundError"),
        ("Mine = 3\n", "has no class 'Mine'"),
        ("class Mine:\n    pass\n", "is none of the models"),
    ],
)
def test_a_file_that_cannot_be_taken_is_named_with_the_line(folder, text, message):
    (folder / "broken.py").write_text(text)
    with pytest.raises(UomhError, match=message) as caught:
        registry.load("models", "broken.py:Mine")
    assert "broken.py" in str(caught.value)


def test_names_of_files_are_absolute_in_settings(folder):
    config = RunConfig.of({"model": {"name": "model.py:Mine"}})
    assert config.model.name == f"{folder}/model.py:Mine"
    measured = EvaluateConfig.of({"metrics": ["metric.py:Count", "loss"]})
    assert [metric.name for metric in measured.metrics] == [f"{folder}/metric.py:Count", "loss"]


def test_a_metric_from_a_file_is_measured(folder, digits):
    import tests.gaussian

    model = tests.gaussian.Gaussian(tests.gaussian.Gaussian.Config(), digits.spec)
    values = evaluate(["metric.py:Count"], Evaluation(model, digits, digits.test))
    assert values["count"].value == len(digits.test)


def test_the_command_takes_metrics_from_files(folder):
    def uomh(*words):
        code = "from uomh.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    settings = ["train.max_epochs=1", "data.limit=60", "evaluate.metrics=[metric.py:Count]"]
    uomh("train", "--dataset", "digits", "--model", "ae", "--run-dir", "run", *settings)
    assert "count" in (folder / "run/metrics.json").read_text()
    assert "count" in uomh("evaluate", "run", "--metrics", "metric.py:Count")


def test_training_stops_by_a_metric_of_a_file(folder):
    text = METRIC.replace('yield "count"', "yield self.name").replace("len(evaluation.split)", "1")
    (folder / "own.py").write_text(text)
    few = ["data.limit=40", "train.max_epochs=5", "train.patience=1"]
    by = "train.early_stopping_metric={}.py:Count"
    config, data = uomh.resolve(overrides=[*few, by.format("own")])
    uomh.train(config, data, folder / "run")
    epochs = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(epochs[-1])["epoch"] == 2
    config, data = uomh.resolve(overrides=[*few, by.format("metric")])
    with pytest.raises(UomhError, match="let it yield one by its own name"):
        uomh.train(config, data)


def test_results_have_one_writer_that_tidies_what_killed_ones_left(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    for folder in (tmp_path, tmp_path / "digits"):
        (folder / ".dimension.pdf-0123abcd").write_text("half")
    with files.only_writer(tmp_path):
        monkeypatch.setattr(files, "WAIT_SECONDS", 0.0)
        assert not list(tmp_path.rglob(".dimension.pdf-*"))
        refused = pytest.raises(UomhError, match="another process is writing to")
        with refused, files.only_writer(tmp_path):
            pass
