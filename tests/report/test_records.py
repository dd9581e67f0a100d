"""A run's folder is read without torch, piece by piece, whatever is missing or damaged."""

import json
import math
import shutil
import subprocess
import sys

import pytest

import uomh
from tests.report import folders
from uomh.metrics.values import Values
from uomh.report.records import RunRecord

SETTINGS = {
    "threads": 1,
    "data": {"limit": 80, "test_limit": 30, "class_ind": [0, 1]},
    "model": {"name": "ae", "encoder": {"hidden_dims": [4]}, "decoder": {"hidden_dims": [4]}},
    "train": {"max_epochs": 2},
    "evaluate": {"metrics": ["loss", "log_likelihood"]},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    config, data = uomh.resolve(values=SETTINGS)
    model, data = uomh.train(config, data, folder)
    return folder, config, data, uomh.measure(model, data, config, run_dir=folder)


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained[0], tmp_path / "run")


def problems(folder):
    return {p.piece: (p.kind, p.reason) for p in RunRecord.read(folder).problems}


def test_a_record_is_what_the_run_was_and_gave(trained):
    folder, config, data, values = trained
    record = RunRecord.read(folder)
    assert record.problems == ()
    assert record.settings == json.loads(json.dumps(config.model_dump(mode="json")))
    assert record.data.fingerprint == data.fingerprint
    assert (record.data.shape, record.data.levels) == (data.spec.shape, data.levels)
    assert record.data.sizes == {name: len(getattr(data, name)) for name in record.data.sizes}
    assert {"python", "torch", "uomh"} <= record.versions.keys()
    assert record.device.partition(":")[0] in ("cpu", "cuda", "mps", "xpu", "auto")
    assert record.metrics == values
    assert Values(record.metrics)._repr_html_() == values._repr_html_() != ""
    assert record.metrics["log_likelihood"].reason
    loss = record.metrics["loss"]
    assert (loss.name, loss.metric, loss.group, loss.by) == ("loss", "loss", None, "points")
    assert loss.higher_is_better is False
    assert [path.name for path in record.pictures] == [
        "interpolation.png",
        "reconstructions.png",
    ]
    assert [(c.path, c.name) for c in record.checkpoints] == [("model", "best"), ("model", "last")]


def test_curves_are_typed_rows_by_epoch(trained):
    lines = [json.loads(line) for line in (trained[0] / "metrics.jsonl").read_text().splitlines()]
    record = RunRecord.read(trained[0])
    assert [row.model_dump() for row in record.rows] == lines
    curves = record.curves()
    assert {("model", "train", "loss"), ("model", "valid", "loss")} <= curves.keys()
    for rows in curves.values():
        assert [row.epoch for row in rows] == [1, 2]


def test_a_record_is_plain_data_that_reads_back(trained):
    record = RunRecord.read(trained[0])
    assert RunRecord.model_validate_json(record.model_dump_json()) == record


def test_reading_brings_neither_torch_nor_models(trained):
    code = (
        "import sys; from uomh.report.records import RunRecord; "
        f"assert len(RunRecord.read({str(trained[0])!r}).rows); "
        "heavy = ('torch', 'matplotlib', 'uomh.training', 'uomh.models', 'uomh.metrics.core'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("piece", ["config.json", "metrics.json", "metrics.jsonl", "checkpoints"])
def test_a_missing_piece_is_said_and_the_others_are_read(piece, run):
    whole = RunRecord.read(run).model_dump(exclude={"problems"})
    path = run / piece
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    record = RunRecord.read(run)
    assert [(p.piece, p.kind) for p in record.problems] == [(piece, "missing")]
    there = record.model_dump(exclude={"problems"})
    of_piece = {
        "config.json": {"settings", "data", "versions", "device"},
        "metrics.json": {"metrics"},
        "metrics.jsonl": {"rows"},
        "checkpoints": {"checkpoints", "cost"},
    }[piece]
    assert {key for key in whole if there[key] != whole[key]} == of_piece


@pytest.mark.parametrize("piece", ["config.json", "metrics.json"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        (b'{"config": {"seed"', "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[1, 2]", "it is not a JSON object"),
        (None, "it cannot be read"),
    ],
    ids=["empty", "torn", "not text", "deep", "a list", "a folder"],
)
def test_a_damaged_file_is_said(piece, content, reason, run):
    (run / piece).unlink()
    if content is None:
        (run / piece).mkdir()
    else:
        (run / piece).write_bytes(content)
    found = problems(run)
    assert found.keys() == {piece}
    assert found[piece][0] == "damaged"
    assert reason in found[piece][1]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("config", [1], "should be an object"),
        ("data", {"name": "digits"}, "fingerprint: Field required"),
        ("versions", {"torch": 2}, "torch: Input should be a valid string"),
        ("data", None, "should be an object"),
    ],
)
def test_a_damaged_part_of_the_settings_is_said(key, value, reason, run):
    values = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**values, key: value}))
    found = problems(run)
    assert found.keys() == {f"config.json: {key}"}
    assert reason in found[f"config.json: {key}"][1]
    del values[key]
    (run / "config.json").write_text(json.dumps(values))
    assert problems(run)[f"config.json: {key}"][0] == "missing"


@pytest.mark.parametrize(
    "entry", [None, 3.0, "3.0", [], {}, {"value": "3"}, {"value": True}, {"value": 1, "kind": "x"}]
)
def test_a_damaged_metric_is_said_and_the_others_are_read(entry, run):
    values = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({"odd[a: b]": entry, **values}))
    record = RunRecord.read(run)
    assert record.metrics.keys() == values.keys()
    assert [p.piece for p in record.problems] == ["metrics.json: odd[a: b]"]


def test_what_a_later_version_adds_is_left_out(run):
    config = json.loads((run / "config.json").read_text())
    config["new"] = config["data"]["new"] = {"a": 1}
    (run / "config.json").write_text(json.dumps(config))
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["loss"]["new"] = {"a": 1}
    (run / "metrics.json").write_text(json.dumps(metrics))
    with (run / "metrics.jsonl").open("a") as file:
        row = {"path": "model", "epoch": 3, "step": 9, "split": "train", "name": "loss"}
        file.write(json.dumps({**row, "value": math.inf, "new": 1}) + "\n")
    record = RunRecord.read(run)
    assert record.problems == ()
    assert record.curves()["model", "train", "loss"][-1].value == math.inf


def test_damaged_lines_of_the_log_are_counted_and_numbered(run):
    path = run / "metrics.jsonl"
    lines = path.read_bytes().splitlines()
    wrong = [
        b'{"path": "model", "epoch"',
        b"\xff",
        b"null",
        lines[0].replace(b'"epoch": 1', b'"epoch": "1"'),
    ]
    path.write_bytes(b"\n".join([lines[0], *wrong, b"", *lines[1:], lines[0][:-9], b"7"]))
    record = RunRecord.read(run)
    assert len(record.rows) == len(lines)
    (problem,) = record.problems
    total = len(lines) + 7
    assert problem.reason == f"6 of {total} lines cannot be read: 2, 3, 4, 5, {total - 1}, ..."


@pytest.mark.parametrize("piece", ["reconstructions.png", "checkpoints/model/last.pt"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_picture_or_a_checkpoint_that_is_cut_off_is_said(piece, share, run):
    content = (run / piece).read_bytes()
    (run / piece).write_bytes(content[: int(share * len(content))])
    record = RunRecord.read(run)
    assert [(p.piece, p.kind) for p in record.problems] == [(piece, "damaged")]
    there = [*record.pictures, *(checkpoint.file for checkpoint in record.checkpoints)]
    assert run / piece not in there


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(uomh.UomhError, match="there is no run in"):
        RunRecord.read(tmp_path)
    with pytest.raises(uomh.UomhError, match=r"cannot read a run from .*No such file"):
        RunRecord.read(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(uomh.UomhError, match=r"cannot read a run from .*Not a directory"):
        RunRecord.read(tmp_path / "file")


def test_notebooks_show_what_is_measured_and_what_is_missing(run):
    entry = folders.measured("bits_per_dim", 3.25, half=0.25, kind="bound", about="<8 bits>")
    nothing = {"value": None, "low": None, "high": None, "reason": "no codes", "name": "l2"}
    (run / "metrics.json").write_text(json.dumps({"bits_per_dim": entry, "l2": nothing}))
    html = RunRecord.read(run)._repr_html_()
    assert "<th>bits per dim</th><td>3.25 (3 to 3.5)</td><td>10</td>" in html
    assert "<td>bound; &lt;8 bits&gt;</td>" in html
    assert "<th>l2</th><td>n/a</td><td></td><td>no codes</td>" in html
    assert "checkpoints is missing" not in html
    shutil.rmtree(run / "checkpoints")
    assert "<li>checkpoints is missing: no epoch has ended" in RunRecord.read(run)._repr_html_()
