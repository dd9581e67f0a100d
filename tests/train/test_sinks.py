"""Where training is shown: TensorBoard and Weights & Biases get the same, stopped or not."""

import importlib.util
import json
import socket
import sys
import types

import numpy as np
import pytest

import uomh
from uomh.errors import UomhError
from uomh.training import sinks

SMALL = ["data.limit=200", "data.test_limit=40", "threads=1", "train.sample_every=1"]
SMALL += ["model.encoder_hidden_dims=[8]", "model.decoder_hidden_dims=[8]", "model.latent_dim=2"]


def train(folder, epochs, log):
    config, data = uomh.resolve(
        overrides=[*SMALL, f"train.max_epochs={epochs}", f"train.log={log}"]
    )
    uomh.train(config, data, folder)
    return config


@pytest.fixture
def wandb(monkeypatch):
    """A module that keeps what it is told, as the package of that name would."""
    module = types.ModuleType("wandb")
    module.runs = []

    class Run:
        def __init__(self, **told):
            self.told, self.logged, self.finished = told, [], False

        def log(self, values, step):
            assert not self.finished
            self.logged.append((step, values))

        def finish(self):
            self.finished = True

    def init(**told):
        module.runs.append(Run(**told))
        return module.runs[-1]

    module.init = init
    module.Settings = lambda **settings: settings
    module.Image = lambda pixels: ("image", pixels.copy())
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setenv("WANDB_MODE", "offline")
    return module


def events(folder):
    """What TensorBoard shows: numbers by tag and step, tags of pictures, texts."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), {"images": 0, "scalars": 0, "tensors": 0})
    found.Reload()
    tags = found.Tags()
    numbers = {(tag, e.step): e.value for tag in tags["scalars"] for e in found.Scalars(tag)}
    pictures = {(tag, e.step) for tag in tags["images"] for e in found.Images(tag)}
    texts = {
        tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in tags["tensors"]
    }
    return numbers, pictures, texts


def test_both_get_the_same_values_pictures_and_settings(tmp_path, wandb):
    config = train(tmp_path / "run", 2, "[tensorboard,wandb]")
    (run,) = wandb.runs
    assert run.finished
    numbers, pictures, texts = events(tmp_path / "run")
    logged = {
        (tag, step): value
        for step, values in run.logged
        for tag, value in values.items()
        if not isinstance(value, tuple)
    }
    shown = {
        (tag, step)
        for step, values in run.logged
        for tag, value in values.items()
        if isinstance(value, tuple)
    }
    assert logged.keys() == numbers.keys()
    assert ("model/valid/loss", 4) in numbers
    for key, value in numbers.items():
        assert value == pytest.approx(logged[key], rel=1e-6)
    assert shown == pictures == {("model/samples", 2), ("model/samples", 4)}
    assert run.told["config"]["model"] == config.model.model_dump(mode="json")
    (text,) = texts.values()
    assert "latent_dim: 2" in text
    assert run.told["group"] == "run"
    assert run.told["name"] == "run/model"


def test_what_goes_on_has_one_id_and_repeats_no_other_values(tmp_path, wandb):
    train(tmp_path / "whole", 3, "[wandb]")
    train(tmp_path / "parts", 1, "[wandb]")
    train(tmp_path / "parts", 3, "[wandb]")
    whole, first, second = wandb.runs
    assert first.told["id"] == second.told["id"] != whole.told["id"]
    assert second.told["resume"] == "allow"

    def numbers(*runs):
        return [
            (step, {k: v for k, v in values.items() if "second" not in k})
            for run in runs
            for step, values in run.logged
            if "model/samples" not in values
        ]

    assert numbers(first, second) == numbers(whole)


def test_parts_are_runs_of_one_group(tmp_path, wandb):
    texts = ["model.name=disconnected", "model.part.name=vae", "data.class_ind=[0,1]"]
    config, data = uomh.resolve(
        overrides=[*texts, "train.max_epochs=1", "train.log=[wandb]", "data.limit=200", "threads=1"]
    )
    uomh.train(config, data, tmp_path / "run")
    assert [run.told["name"] for run in wandb.runs] == ["run/model/part0", "run/model/part1"]
    assert {run.told["group"] for run in wandb.runs} == {"run"}
    assert len({run.told["id"] for run in wandb.runs}) == 2


def test_without_tensorboard_there_are_no_events(tmp_path, wandb):
    train(tmp_path, 1, "[]")
    assert not list(tmp_path.glob("events*"))
    assert not wandb.runs
    assert (tmp_path / "metrics.jsonl").is_file()


def test_a_package_that_is_missing_is_named_before_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UomhError, match=r"names wandb, .*: pip install 'uomh\[wandb\]', or leave"):
        train(tmp_path, 1, "[wandb]")
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_server_that_refuses_is_one_sentence(tmp_path, wandb, monkeypatch):
    def refuse(**told):
        raise RuntimeError("No API key\nconfigured")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(UomhError, match=r"takes no run \(No API key configured\); run `wandb log"):
        train(tmp_path, 1, "[tensorboard,wandb]")


def test_it_is_offline_where_its_server_is_out_of_reach(monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
        assert sinks.mode() == "online"
    assert sinks.mode() == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert sinks.mode() == "disabled"


def test_an_unknown_place_is_one_sentence():
    with pytest.raises(UomhError, match=r"train\.log"):
        uomh.resolve(overrides=["train.log=[tensorbord]"])


def records(file):
    """The records of a file of Weights & Biases: LevelDB's log format, behind seven bytes."""
    from wandb.proto import wandb_internal_pb2

    data, whole = file.read_bytes(), b""
    place = 7
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield wandb_internal_pb2.Record.FromString(whole)
            whole = b""


@pytest.mark.skipif(not importlib.util.find_spec("wandb"), reason="wandb is not installed")
@pytest.mark.filterwarnings("ignore")
def test_the_package_itself_keeps_offline_what_tensorboard_gets(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for epochs in (1, 2):
        train(tmp_path / "run", epochs, "[tensorboard,wandb]")
    identity = (tmp_path / "run/wandb/model.id").read_text()
    files = sorted((tmp_path / "run/wandb").glob("offline-run-*/*.wandb"))
    assert [file.name for file in files] == [f"run-{identity}.wandb"] * 2
    found, settings = {}, set()
    for file in files:
        for record in records(file):
            if record.WhichOneof("record_type") == "run":
                settings |= {item.key for item in record.run.config.update}
            if record.WhichOneof("record_type") == "history":
                items = {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
                found |= {(tag, items["_step"]): value for tag, value in items.items()}
    numbers, _, _ = events(tmp_path / "run")
    for key, value in numbers.items():
        assert found[key] == pytest.approx(value, rel=1e-6)
    assert settings >= {"model", "data", "seed", "train"}
    assert len(list((tmp_path / "run/wandb").rglob("samples*.png"))) == 2
    assert np.isfinite(list(numbers.values())).all()
