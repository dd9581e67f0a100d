"""`device=auto`: what it means where, who says it, how workers share devices."""

import json
from contextlib import nullcontext

import pytest
import torch
from typer.testing import CliRunner

from tests.device.simulated import simulated
from uomh.cli import app
from uomh.config import RunConfig
from uomh.devices import as_worker, checked_device
from uomh.errors import UomhError
from uomh.parallel import resumable_map


def machine(patch, cuda=0, mps=False):
    patch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    patch.setattr(torch.cuda, "device_count", lambda: cuda)
    patch.setattr(torch.cuda, "get_device_name", lambda *device: "Turing")
    patch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ({}, "cpu"),
        ({"mps": True}, "mps"),
        ({"cuda": 1}, "cuda"),
        ({"cuda": 2, "mps": True}, "cuda"),
    ],
)
def test_auto_is_cuda_then_mps_then_the_processor(there, expected, monkeypatch):
    machine(monkeypatch, **there)
    assert str(checked_device("auto")) == expected
    assert str(checked_device(None)) == "cpu"
    assert RunConfig.of({"model": {"name": "vae"}}).device == "auto"


def test_cuda_that_counts_devices_and_cannot_be_used_is_none(monkeypatch):
    machine(monkeypatch, cuda=1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(checked_device("auto")) == "cpu"


def test_workers_share_devices_by_their_number(monkeypatch):
    machine(monkeypatch, cuda=2)
    for number in range(4):
        with as_worker(number):
            for name in ("auto", "cuda"):
                assert checked_device(name) == torch.device("cuda", number % 2)
            assert checked_device("cuda:0") == torch.device("cuda", 0)
            with as_worker(None):  # work of its own, one piece after the other
                assert checked_device("auto") == torch.device("cuda", number % 2)
    assert str(checked_device("auto")) == "cuda"
    machine(monkeypatch, mps=True)
    with as_worker(3):
        assert str(checked_device("auto")) == "mps"


def on_two_devices(config, progress):
    machine(pytest.MonkeyPatch(), cuda=2)  # of a process of its own
    return str(checked_device("auto"))


def test_processes_take_the_devices_in_turn():
    outcomes = resumable_map(on_two_devices, [0, 1], backend="processes", jobs=2)
    assert sorted(outcome.value for outcome in outcomes) == ["cuda:0", "cuda:1"]


def test_the_error_names_auto():
    with pytest.raises(UomhError, match="take auto, cpu, cuda"):
        checked_device("gpu")


SMALL = ["data.limit=60", "data.test_limit=20", "train.max_epochs=1", "threads=1"]
SMALL += ["model.encoder_hidden_dims=[8]", "model.decoder_hidden_dims=[8]"]


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_commands_say_the_device_first_and_the_run_remembers_it(kind, tmp_path, monkeypatch):
    def first_line(*arguments):
        result = CliRunner().invoke(app, [str(word) for word in arguments])
        assert result.exit_code == 0, result.output
        return result.output.splitlines()[0]

    run, block = tmp_path / "run", nullcontext()
    if kind == "cuda":
        block = simulated(kind, monkeypatch)
    device = {"cpu": "cpu", "cuda": "cuda (simulated)"}[kind]
    with block:
        line = f"computing on {device}, chosen by device=auto"
        assert first_line("train", "--model", "vae", "--run-dir", run, *SMALL) == line
        assert first_line("evaluate", run) == line
        assert first_line("evaluate", run, "--device", "cpu") == "computing on cpu"
        assert first_line("sample", run, "--out", tmp_path / "a.npz") == line
        assert (
            first_line("verify", "--dataset", "digits", "--nulls", "19", "data.limit=300") == line
        )
    record = json.loads((run / "config.json").read_text())
    assert record["config"]["device"] == "auto"
    assert record["devices"] == [device]
