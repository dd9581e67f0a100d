"""Run folders with damage: repaired, or refused in a sentence, and never other numbers."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.checks import assert_finite_json, command, fuzz

SETTINGS = ["--dataset", "digits", "--threads", "1", "data.limit=60", "data.test_limit=20"]
SETTINGS += ["--model", "vae", "train.max_epochs=1", "model.importance_samples=2"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert command("train", *SETTINGS, "--run-dir", folder).exit_code == 0
    return folder


FILES = ("config.json", "metrics.json", "metrics.jsonl", "samples.png", "checkpoints/model/best.pt")
FILES += ("checkpoints/model/last.pt", "checkpoints/model/.best.pt-0123abcd", "checkpoints", "note")
DAMAGE = ("remove", "empty", "cut", "garbage", "{}", "[]", "null", "folder", "flip")


def damage(path, how, at):
    if how == "remove":
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return
    if path.is_dir():
        shutil.rmtree(path)
    content = path.read_bytes() if path.exists() else b""
    if how == "folder":
        path.unlink(missing_ok=True)
        path.mkdir()
        return
    place = int(at * max(len(content) - 1, 0))
    made = {
        "empty": b"",
        "cut": content[:place],
        "garbage": b"\x00\xffgarbage",
        "flip": content[:place] + bytes([255]) + content[place + 1 :],
    }
    path.write_bytes(made.get(how, how.encode()))


@fuzz(80)
@given(
    file=st.sampled_from(FILES),
    how=st.sampled_from(DAMAGE),
    at=st.floats(0, 1),
    action=st.sampled_from(["train", "evaluate", "sample"]),
)
def test_a_damaged_folder(whole, file, how, at, action):
    before = json.loads((whole / "metrics.json").read_text())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        shutil.copytree(whole, folder)
        damage(folder / file, how, at)
        match action:
            case "train":
                result = command("train", *SETTINGS, "--run-dir", folder)
            case "evaluate":
                result = command("evaluate", folder, "--metrics", "loss,bits_per_dim")
            case "sample":
                result = command("sample", folder, "-n", "4", "--out", Path(place) / "s.png")
        if result.exit_code == 0 and action != "sample":
            after = assert_finite_json((folder / "metrics.json").read_text())
            value = after["bits_per_dim"]["value"]
            if how != "flip":  # a changed byte of a tensor is another tensor
                assert value == pytest.approx(before["bits_per_dim"]["value"], rel=1e-6)


@pytest.mark.parametrize("out", ["no/such/folder/s.png", "s.txt", "s.png/x.npz", ""])
@pytest.mark.parametrize("n", ["0", "-1", "1.5", "4"])
def test_where_samples_go(whole, out, n, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.png").write_bytes(b"")
    command("sample", whole, "-n", n, "--out", out)
