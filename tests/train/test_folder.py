"""What a run's folder tells: numbers of its weights, more epochs, damage that is said or mended."""

import contextlib
import json
import shutil
from pathlib import Path

import pytest
import torch

import uomh
from tests.train import child
from tests.train.test_disconnected import FLOW, assert_equal, weights
from tests.train.test_resume import finish
from tests.tree import tree
from uomh.cli.train import new_folder
from uomh.cli.train import run as train_command
from uomh.clusters.partition import load_partition, save_partition
from uomh.errors import UomhError
from uomh.metrics import Value
from uomh.metrics.core import built
from uomh.training.measure import complete_measures
from uomh.training.run import train

BASE = [*child.BASE, "model.importance_samples=2"]
TWO = ["train.max_epochs=2"]


def command(folder, *overrides):
    return train_command({}, tree([*BASE, *overrides]), None, folder, True)


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "run"
    command(folder, "train.max_epochs=1")
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two") / "run"
    command(folder, *TWO)
    return folder


@pytest.fixture
def run(one, tmp_path):
    return Path(shutil.copytree(one, tmp_path / "run"))


def test_more_epochs_go_on_and_end_as_if_asked_for_at_once(run, two):
    command(run, *TWO)
    assert_equal(weights(two), weights(run))
    assert (run / "metrics.jsonl").read_text() == (two / "metrics.jsonl").read_text()
    config = json.loads((run / "config.json").read_text())["config"]
    assert config["model"]["train"]["max_epochs"] == 2
    assert metrics(run) == metrics(two)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["train.max_epochs=2", "train.lr=0.5"], r"model\.train\.lr is 0.01 there and 0.5 here"),
        (["train.max_epochs=1", "seed=3"], "seed is 0 there and 3 here"),
        (["train.max_epochs=1", "threads=2"], "threads is 1 there and 2 here"),
    ],
)
def test_every_other_difference_is_refused_by_name(run, overrides, sentence):
    before = (run / "config.json").read_text()
    with pytest.raises(UomhError, match=sentence) as raised:
        command(run, *overrides)
    assert "max_epochs" not in str(raised.value)
    assert (run / "config.json").read_text() == before


def test_fewer_epochs_are_refused(two):
    with pytest.raises(UomhError, match=r"model\.train\.max_epochs is 2 there and 1 here"):
        command(two, "train.max_epochs=1")


def test_codes_do_not_change_under_a_trained_second_step(tmp_path):
    steps = [*FLOW, "density.train.max_epochs=1"]
    command(tmp_path / "run", *steps, "train.max_epochs=1")
    with pytest.raises(UomhError, match=r"raise those of the density, too"):
        command(tmp_path / "run", *steps, "train.max_epochs=2")
    command(tmp_path / "run", *FLOW, "density.train.max_epochs=2", "train.max_epochs=1")
    command(tmp_path / "run", *FLOW, "density.train.max_epochs=3", "train.max_epochs=2")


def test_parts_that_the_data_decided_are_given_more_epochs(tmp_path):
    parts = ["clusters.name=kmeans", "clusters.num_clusters=2", "parts.match=parameters"]
    parts.append("model.latent_dim=dimension")
    command(tmp_path / "run", *parts, "train.max_epochs=1")
    command(tmp_path / "run", *parts, *TWO)
    command(tmp_path / "whole", *parts, *TWO)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "run"))


def test_a_run_of_another_number_of_threads_goes_on_with_its_own(run, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    others = [text for text in BASE if not text.startswith("threads")]
    config, data = uomh.resolve(overrides=[*others, "train.max_epochs=1"])
    assert config.threads == 7
    uomh.train(config, data, run)
    assert json.loads((run / "config.json").read_text())["config"]["threads"] == 1
    loaded = uomh.load_run(run)
    found = uomh.measure(loaded.model, data, config, ("loss",), run)
    assert found["loss"].value == pytest.approx(metrics(run)["loss"]["value"])


def test_metrics_of_older_weights_are_measured_again(run):
    older = metrics(run)
    config, data = uomh.resolve(overrides=[*BASE, *TWO])
    model, _ = uomh.train(config, data, run)
    uomh.measure(model, data, config, ("loss",), run)  # leaves what is of the weights of now
    assert set(metrics(run)) == {"loss"}
    command(run, *TWO)
    newer = metrics(run)
    assert set(newer) == set(older)
    assert newer["bits_per_dim"]["value"] != older["bits_per_dim"]["value"]
    assert len({entry["weights"] for entry in newer.values()}) == 1
    assert newer["loss"]["weights"] != older["loss"]["weights"]


def test_what_stands_of_these_weights_is_not_measured_again(run, monkeypatch):
    config, data = uomh.resolve(overrides=[*BASE, "train.max_epochs=1"])
    model = uomh.load_run(run).model
    before = metrics(run)
    again = "uomh.training.measure.evaluate_with_groups"
    monkeypatch.setattr(again, lambda *_: pytest.fail("measured again"))
    assert complete_measures(model, data, config, run)["loss"].value == before["loss"]["value"]


@pytest.mark.parametrize(
    ("features", "times"),
    [({"name": "pixels"}, 1), ({"name": "function", "target": "torch:flatten"}, 2)],
)
def test_what_rests_on_other_files_is_measured_again(run, features, times, monkeypatch):
    asked = {"metrics": ["loss", "fid"], "features": features}
    config, data = uomh.resolve(values={"evaluate": asked}, overrides=[*BASE, "train.max_epochs=1"])
    measured = []

    def noted(metrics, evaluation):
        (metric,) = map(built, metrics)
        measured.append(metric.name)
        return {"fid": Value(1.0, name="fid", metric="fid", settings=metric.changed)}

    monkeypatch.setattr("uomh.training.measure.evaluate_with_groups", noted)
    for _ in range(2):
        complete_measures(uomh.load_run(run).model, data, config, run)
    assert measured == ["fid"] * times


@pytest.mark.parametrize("change", ["seed", "points", "model"])
def test_numbers_of_another_seed_or_of_other_points_do_not_stand_beside(run, change):
    overrides = {"seed": ["seed=1"], "points": [], "model": ["model.importance_samples=3"]}[change]
    config, data = uomh.resolve(overrides=[*BASE, *overrides])
    if change == "points":
        _, data = uomh.resolve(overrides=[*BASE, "data.test_limit=20"])
    uomh.measure(uomh.load_run(run).model, data, config, ("l2_reconstruction_error",), run)
    assert set(metrics(run)) == {"l2_reconstruction_error"}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"loss": 3}', '{"loss": {"valeu": 1}}', "\x00"])
def test_a_torn_metrics_file_is_measured_again(run, damage):
    whole = metrics(run)
    (run / "metrics.json").write_text(damage)
    command(run, "train.max_epochs=1")
    assert metrics(run) == whole


def everything(folder):
    """Every way to read or go on with a run."""
    config, data = uomh.resolve(overrides=[*BASE, *TWO])
    return (lambda: train(config, data, folder)), (lambda: uomh.load_run(folder))


def change_config(**changes):
    def damage(run):
        record = json.loads((run / "config.json").read_text())
        record["config"] |= changes
        (run / "config.json").write_text(json.dumps(record))

    return damage


def write(name, content):
    return lambda run: (run / name).write_bytes(content)


def tear(name):
    def damage(run):
        content = (run / name).read_bytes()
        (run / name).write_bytes(content[: len(content) // 2])

    return damage


def older(run):
    record = json.loads((run / "config.json").read_text())
    del record["asked"]
    (run / "config.json").write_text(json.dumps(record))


MODEL = "checkpoints/model"
DAMAGE = {
    "empty config": (write("config.json", b"{}"), "config.json' is damaged"),
    "torn config": (tear("config.json"), "config.json' is damaged"),
    "config of bytes": (write("config.json", b"\xff\xfe"), "config.json' is damaged"),
    "a list": (write("config.json", b"[1]"), "config.json' is damaged"),
    "unknown key": (change_config(colour=3), "another version: unknown setting 'colour'"),
    "wrong type": (change_config(seed="x"), "another version: setting seed"),
    "an older format": (older, "holds a run of an older version"),
    "torn best": (tear(f"{MODEL}/best.pt"), "best.pt' is damaged"),
    "no best": (lambda run: (run / MODEL / "best.pt").unlink(), "no best.pt|has no checkpoint yet"),
    "other weights": (
        lambda run: torch.save({"epoch": 1, "model": {}}, run / MODEL / "best.pt"),
        "best.pt' is damaged or of another model",
    ),
    "no state": (lambda run: torch.save(3, run / MODEL / "best.pt"), "best.pt' is damaged"),
    "a file": (
        lambda run: (shutil.rmtree(run), run.write_text("in the way")),
        "there is no run in|cannot write the run to",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_sentence(run, name):
    damage, sentence = DAMAGE[name]
    damage(run)
    for use in everything(run):
        with pytest.raises(UomhError, match=sentence):
            use()


def test_a_damaged_partition_is_one_sentence(digits, tmp_path):
    path = tmp_path / "partition.npz"
    save_partition(path, digits, digits)
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place])
        with pytest.raises(UomhError, match="is no partition as uomh saves it"):
            load_partition(path, digits)
        flipped = bytearray(whole)
        flipped[place] ^= 255
        path.write_bytes(flipped)
        with contextlib.suppress(UomhError):  # names and dates in an archive may be anything
            assert torch.equal(load_partition(path, digits).train.y, digits.train.y)


@pytest.mark.parametrize("content", [{}, {"epoch": 1}, 5])
def test_a_damaged_last_checkpoint_is_one_sentence(run, content):
    torch.save(content, run / MODEL / "last.pt")
    with pytest.raises(UomhError, match=r"last\.pt' is damaged"):
        command(run, *TWO)


def test_what_can_be_mended_is_mended(run, two):
    log = run / "metrics.jsonl"
    log.write_text(log.read_text() + '17\n{"path": "model"}\n{"path": "mod')
    for leftover in (run / ".samples.png-01234567", run / MODEL / ".last.pt-89abcdef"):
        leftover.write_text("half")
    (run / "samples.png").unlink()
    (run / "metrics.json").unlink()
    command(run, *TWO)
    assert log.read_text() == (two / "metrics.jsonl").read_text()
    assert metrics(run) == metrics(two)
    names = {path.name for path in run.rglob("*")}
    assert "samples.png" in names
    assert not [name for name in names if name.startswith((".samples", ".last"))]


def test_a_pretrained_run_killed_in_its_first_save_begins_from_the_pretrained(one, tmp_path):
    steps = [*FLOW, "train.max_epochs=1", f"step.autoencoder_run={one}"]
    assert finish(tmp_path / "whole", steps) == 0
    # What a kill within the first save leaves: a folder, and maybe half a file.
    for moment in (("best", 1), ("last", 1)):
        folder = tmp_path / moment[0]
        assert finish(folder, steps, moment) == -9
        (folder / "checkpoints/model/autoencoder").mkdir(parents=True, exist_ok=True)
        assert finish(folder, steps) == 0
        assert_equal(weights(tmp_path / "whole"), weights(folder))


def test_paths_of_other_runs_and_of_labels_are_absolute(one, tmp_path, monkeypatch):
    monkeypatch.chdir(one.parent)
    (one.parent / "labels.csv").write_text("\n".join(str(i % 2) for i in range(350)))
    config, _ = uomh.resolve(
        overrides=[
            *tree([*BASE, *FLOW, "step.autoencoder_run=run"]),
            "cluster_codes=./run",
            "clusters.name=saved",
            "clusters.file=labels.csv",
        ]
    )
    assert config.model.autoencoder_run == str(one)
    assert config.cluster_codes == str(one)
    assert config.clusters.file == str(one.parent / "labels.csv")


def test_without_a_test_split_a_run_says_at_once_what_is_not_measured(tmp_path, capsys):
    overrides = ["data.dataset=manifold:sphere-2", "data.limit=60", "data.test_fraction=0"]
    overrides += ["data.valid_fraction=0", "train.max_epochs=1", "threads=1"]
    folder = train_command({}, overrides, None, tmp_path / "run", False)
    said = " ".join(capsys.readouterr().out.split())
    for sentence in (
        "has no test split: not measured: loss, log_likelihood",
        "has no validation split: no early stopping, and the last weights are kept",
    ):
        assert sentence in said
        assert said.index(sentence) < said.index("epoch 1/1")
    entries = metrics(folder)
    assert set(entries) >= {"loss", "bits_per_dim"}
    for entry in entries.values():
        assert entry["value"] is None
        assert entry["reason"].endswith("has no test split")
    assert (folder / MODEL / "best.pt").is_file()


def test_two_runs_of_one_second_have_two_folders(tmp_path):
    folders = [new_folder(tmp_path / "runs" / "digits_vae") for _ in range(3)]
    assert [folder.name for folder in folders] == ["digits_vae", "digits_vae-2", "digits_vae-3"]
    assert all(folder.is_dir() for folder in folders)
