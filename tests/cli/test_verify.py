import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from uomh import load_data
from uomh.cli import app
from uomh.clusters import cluster, save_partition

QUICK = ["--k", "3,5", "--nulls", "19"]


def run(*words):
    return CliRunner().invoke(app, ["verify", *map(str, words)])


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    x = rng.random((240, 6)).astype(np.float32)
    x[:120, 2:] = 0
    x[120:] += 5
    np.savez(folder / "mixed.npz", x=x, y=np.arange(240) // 120)
    np.savez(folder / "plain.npz", x=x)
    np.savez(folder / "same.npz", x=np.ones((50, 4), dtype=np.float32), y=np.arange(50) % 2)
    return folder


def test_table_claims_and_verdict_fit_a_terminal(sets):
    result = run("--dataset", sets / "mixed.npz", *QUICK)
    assert result.exit_code == 0, result.output
    for words in ("labels matter", "dimensions differ", "groups separated", "true", "all"):
        assert words in result.output
    assert max(map(len, result.output.splitlines())) <= 80 + len(str(sets))


def test_json_alone_goes_to_standard_output(sets):
    one = json.loads(run("--dataset", sets / "mixed.npz", "--json", *QUICK).stdout)
    assert one["dataset"] == "mixed.npz"
    assert len(one["groups"]) == 2
    for words in (["--dataset", sets / "plain.npz"], [sets / "plain.npz"]):
        both = json.loads(run("--dataset", sets / "mixed.npz", *words, "--json", *QUICK).stdout)
        assert [each["dataset"] for each in both] == ["mixed.npz", "plain.npz"]


def test_out_holds_one_figure_for_all_and_a_folder_for_each(sets, tmp_path):
    result = run("--dataset", sets / "mixed.npz", sets / "plain.npz", "--out", tmp_path, *QUICK)
    assert result.exit_code == 0, result.output
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if path.is_file()}
    for name in ("", "mixed.npz/", "plain.npz/"):
        assert {f"{name}dimension.{kind}" for kind in ("png", "pdf", "svg")} <= found
    assert "mixed.npz/dimension.csv" in found
    single = run("--dataset", sets / "mixed.npz", "--out", tmp_path / "one", "--quiet", *QUICK)
    assert single.output == ""
    assert json.loads((tmp_path / "one/dimension.json").read_text())["n"] == 240  # none held out


def test_saved_labels_and_limits(sets, tmp_path):
    np.save(tmp_path / "mine.npy", np.arange(100) % 4)
    words = ["--by", tmp_path / "mine.npy", "data.limit=100", "--k", "3", "--nulls", "19", "--json"]
    found = json.loads(run("--dataset", sets / "plain.npz", *words).stdout)
    assert (found["n"], found["by"], len(found["groups"])) == (100, "mine.npy", 4)


def test_groups_of_a_clusterer_and_what_they_are_worth(sets):
    words = ["--dataset", sets / "mixed.npz", "--by", "kmeans", *QUICK]
    result = run(*words, "clusters.num_clusters=3")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "kmeans: 3 groups of" in text
    assert "purity 1.000" in text
    assert "no p-value holds as such" in text
    found = json.loads(run(*words, "--json").stdout)
    assert (found["by"], len(found["groups"])) == ("kmeans", 2)
    assert "no p-value" in found["claims"]["labels_matter"]["reason"]
    by_chance = json.loads(
        run(*["--dataset", sets / "mixed.npz", "--by", "random", "--json"], *QUICK).stdout
    )
    assert "no p-value" not in by_chance["verdict"]


def test_a_partition_says_how_it_was_made(sets, tmp_path):
    data = load_data(str(sets / "mixed.npz"), valid_fraction=0.0, test_fraction=0.0)
    save_partition(tmp_path / "partition.npz", data, cluster(data, "kmeans"))
    words = ["--dataset", sets / "mixed.npz", "--by", tmp_path / "partition.npz", "--json", *QUICK]
    assert "no p-value" in json.loads(run(*words).stdout)["verdict"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "which data set"),
        (["--dataset", "mnits"], "unknown data set"),
        (["--dataset", "{}/mixed.npz", "--k", "1"], "k must be at least 2"),
        (["--dataset", "{}/mixed.npz", "--k", "a"], "--k takes whole numbers"),
        (["--dataset", "{}/mixed.npz", "--k", "200"], "no group has the 202 points"),
        (["--dataset", "{}/mixed.npz", "--duplicates", "dorp"], "did you mean 'drop'"),
        (["--dataset", "{}/mixed.npz", "--by", "no.npy"], "no file of labels 'no.npy'"),
        (["--dataset", "{}/mixed.npz", "--by", "kmaens"], "did you mean 'kmeans'"),
        (["--dataset", "{}/mixed.npz", "clusters.num_clusters=3"], "unknown setting 'clusters.num"),
        (["--dataset", "{}/plain.npz", "--by", "kmeans"], "say how many: num_clusters=10"),
        (["--dataset", "{}/mixed.npz", "limit=3"], "unknown setting 'limit'"),
        (["--dataset", "{}/same.npz"], "points are identical, so they have no dimension"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(sets, words, says):
    result = run(*(word.format(sets) for word in words))
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_what_was_left_out_of_a_folder_is_said_and_kept(tmp_path, write_images):
    write_images(tmp_path / "pets", each=30)
    (tmp_path / "pets" / "dog" / "torn.png").write_bytes(b"")
    result = run("--dataset", tmp_path / "pets", *QUICK)
    assert result.exit_code == 2
    assert "cannot decode the image" in result.output
    assert "torn.png" in result.output
    result = run("--dataset", tmp_path / "pets", "--skip-broken", "--out", tmp_path, *QUICK)
    assert result.exit_code == 0, result.output
    note = "1 training image that cannot be decoded left out: "
    assert note in result.output
    assert note in json.loads((tmp_path / "dimension.json").read_text())["notes"][0]


def test_sets_of_one_name_have_folders_of_their_own(sets, tmp_path):
    (tmp_path / "more").mkdir()
    shutil.copy(sets / "plain.npz", tmp_path / "more" / "mixed.npz")
    both = [sets / "mixed.npz", tmp_path / "more" / "mixed.npz"]
    result = run("--dataset", *both, "--out", tmp_path / "out", *QUICK)
    assert result.exit_code == 0, result.output
    for name in ("mixed.npz", "mixed.npz-2"):
        assert (tmp_path / "out" / name / "dimension.json").is_file()


def test_small_groups_are_left_out_and_named(sets, tmp_path):
    x, y = np.random.default_rng(0).random((90, 3)), np.repeat([0, 1, 2], [40, 45, 5])
    np.savez(tmp_path / "small.npz", x=x.astype(np.float32), y=y)
    result = run("--dataset", tmp_path / "small.npz", *QUICK)
    assert result.exit_code == 0, result.output
    assert "The group 2 (5 points) is too small" in " ".join(result.output.split())
    report = json.loads(
        run("--dataset", tmp_path / "small.npz", "--min-group", 41, "--json", *QUICK).stdout
    )
    assert report["left_out"] == {"0": 40, "2": 5}


def test_duplicates_of_groups_that_were_left_out_are_counted(tmp_path):
    x, y = np.random.default_rng(0).random((90, 3)), np.repeat([0, 1, 2], [40, 45, 5])
    copies = [0, 41, 86, 86, 87]  # one of group 0, one of group 1, three of group 2
    x, y = np.concatenate([x, x[copies]]), np.concatenate([y, y[copies]])
    np.savez(tmp_path / "copies.npz", x=x.astype(np.float32), y=y)
    result = run("--dataset", tmp_path / "copies.npz", *QUICK)
    assert "The group 2 (5 points and 3 duplicates) is too small" in " ".join(result.output.split())
    report = json.loads(
        run("--dataset", tmp_path / "copies.npz", "--min-group", 41, "--json", *QUICK).stdout
    )
    assert report["left_out"] == {"0": 40, "2": 5}
    assert report["left_out_duplicates"] == {"0": 1, "2": 3}
    assert "2 groups with 45 points and 4 duplicates in all" in report["notes"][0]
    assert [group["duplicates"] for group in report["groups"]] == [1]


def test_the_time_of_a_long_search_is_said_before_it(sets, monkeypatch):
    monkeypatch.setattr("uomh.neighbours.cost.search_seconds", lambda *_, **__: 300.0)
    said = run("--dataset", sets / "mixed.npz", *QUICK).output
    line = "the neighbour search takes about 5 minutes here; --anchors N"
    assert line in said
    assert said.index(line) < said.index("labels matter")
    assert line not in run("--dataset", sets / "mixed.npz", "--quiet", *QUICK).output
    monkeypatch.setattr("uomh.neighbours.cost.search_seconds", lambda *_, **__: 59.0)
    assert "minutes here" not in run("--dataset", sets / "mixed.npz", *QUICK).output


def test_pieces_by_processes_give_the_file_of_serial(sets, tmp_path):
    for backend in (["serial"], ["processes", "--jobs", 2]):
        out = tmp_path / backend[0]
        words = ("--backend", *backend, "--out", out, "--quiet")
        assert run("--dataset", sets / "mixed.npz", *words, *QUICK).exit_code == 0
    one, other = (tmp_path / name / "dimension.json" for name in ("serial", "processes"))
    assert one.read_bytes() == other.read_bytes()
