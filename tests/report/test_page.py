"""The page as text: what it shows, whatever is missing, and how it is made."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

import uomh
from tests.report import folders
from uomh.cli import app
from uomh.dimension.details import Details
from uomh.dimension.result import DimensionReport
from uomh.dimension.values import Learned
from uomh.errors import UomhError
from uomh.metrics.values import Value
from uomh.report.compare import Column, ComparedNumber, differing, model_of
from uomh.report.page import page, write_page
from uomh.report.records import RunRecord
from uomh.report.sheets import EXTREMES, PAIRS, Sheet
from uomh.report.sources import found

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Strict(HTMLParser):
    """Reads HTML and keeps what is wrong with it, its ids, and its text."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.ids, self.targets, self.text = [], [], [], [], []
        self.links = []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        values = dict(attributes)
        if len(set(names)) < len(names):
            self.wrong.append(f"an attribute twice: {self.get_starttag_text()[:80]}")
        if tag == "img" and "alt" not in values:
            self.wrong.append("an image without alt")
        if "id" in values:
            self.ids.append(values["id"])
        if values.get("href", "").startswith("#"):
            self.targets.append(values["href"][1:])
        self.links += [values[name] for name in ("href", "src", "action") if name in values]
        self.targets += values.get("aria-labelledby", "").split()
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing at {self.getpos()}")

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(text):
    parser = Strict()
    parser.feed(text)
    parser.close()
    assert parser.wrong == []
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert set(parser.targets) <= set(parser.ids)
    return parser


def words(text):
    return " ".join(" ".join(read(text).text).split())


def states(text, chart):
    content = re.search(rf'id="{chart}-states">(.*?)</script>', text, re.DOTALL).group(1)
    return json.loads(content)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return folders.results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def text(results):
    return page([results])


def test_the_page_is_sound_html_and_holds_plotly_once(text):
    assert text.count("plotly.js v") == 1
    assert all(link.startswith(("#", "data:")) for link in read(text).links)
    assert "default-src 'none'" in text


def test_the_verdict_comes_first_then_each_claim_with_its_numbers(text, results):
    report = DimensionReport.load(results / "v" / "clouds")
    shown = words(text)
    assert shown.index(report.verdict) < shown.index("Claim by claim")
    for claim in report.claims.by_name().values():
        assert claim.status in shown
    test = report.claims.labels_matter.k[5]
    assert f"{test.rho:.4g}" in shown
    assert f"{test.p_value:.4g}" in shown


def test_a_claim_says_of_which_k_its_numbers_are(text, results):
    report = DimensionReport.load(results / "v" / "clouds")
    assert f"At k = 3, 5: {report.claims.labels_matter.row()}" in words(text)


def test_the_charts_have_the_numbers_of_the_report(text, results):
    report = DimensionReport.load(results / "v" / "clouds")
    bands = states(text, "set1-bands")
    assert set(bands) == {"mle:3", "mle:5", "twonn:2"}
    drawn = bands["mle:5"]["data"][-1]["x"]
    assert drawn == sorted(group.k[5].dimension for group in report.groups)
    assert bands["mle:5"]["layout"]["yaxis"]["tickvals"] == [0, 1, 2]
    nulls = states(text, "set1-nulls")["mle:5"]["data"]
    assert sum(nulls[0]["y"]) == 19
    assert nulls[1]["x"][0] == report.claims.labels_matter.k[5].statistic
    assert set(states(text, "set1-scales")) == {
        f"{state}|{axis}" for state in bands for axis in ("radius", "k")
    }


def test_names_are_escaped_wherever_they_stand(text):
    assert folders.SCRIPT not in text.replace("&lt;", "\0")
    assert folders.SCRIPT in words(text)
    ticks = states(text, "set1-bands")["mle:5"]["layout"]["yaxis"]["ticktext"]
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in ticks  # plotly reads tags and entities


def test_details_are_kept_beside_the_report_and_read_again(results):
    details = Details.load(results / "v" / "clouds")
    assert details.groups[0].label == "flat"
    assert all(group.own > group.chance for group in details.groups)
    assert {k: len(v) for k, v in details.spreads.items()} == {3: 19, 5: 19}
    for group in details.groups:
        low = [point.dimension for point in group.lowest]
        high = [point.dimension for point in group.highest]
        assert low == sorted(low)
        assert high == sorted(high, reverse=True)
        assert low[-1] <= high[-1]
    sheet = Sheet.load(results / "v" / "clouds" / EXTREMES)
    assert sheet.cells.shape == (3, 16, 4, 4, 3)
    assert sheet.fingerprint == details.fingerprint
    assert Sheet.load(results / "v" / "clouds" / PAIRS).cells.shape[:2] == (12, 2)


def test_runs_are_compared_with_the_best_marked(text):
    table = text[text.index("Metrics on the test split") : text.index("is marked among runs")]
    assert table.count('class="best"') == 1
    assert re.search(r'class="best" data-value="3.0".*?best', table)
    assert re.search(r"</a><small>vae</small></th>.*</a><small>flow</small></th>", table, re.DOTALL)
    shown = words(text)
    assert "uomh train --model flow seed=1 --run-dir 'a b'" in shown
    assert "model.latent_dim" in shown
    assert "<mark>flow</mark>" in text


def test_the_dimension_of_samples_stands_beside_that_of_the_data(text):
    data = states(text, "run1-dimension")[""]["data"]
    assert {trace["name"]: trace["x"] for trace in data} == {"data": [5, 5], "samples": [4, 4]}


def test_a_remark_on_a_whole_column_stands_at_its_head():
    one, two, none = (
        ComparedNumber(Value(1.0), note=1),
        ComparedNumber(Value(2.0), note=2),
        ComparedNumber(Value(3.0)),
    )
    columns = [Column("id", "", cells) for cells in ((one, one), (one, two), (one, none))]
    assert [column.note for column in columns] == [1, None, None]


def test_an_experiment_is_a_table_with_what_failed(text):
    shown = words(text)
    assert "One model or several." in shown
    assert "20.25" in shown
    assert "difference -10.2, p = 0.01" in shown
    assert "no room" in shown
    assert "not the paper's numbers" in shown
    assert "fid lower is better" in shown


def test_an_experiments_classes_are_a_table(text):
    table = text[text.index("digits: class by class") :]
    rows = re.findall(r"<tr>(.*?)</tr>", table[: table.index("</tbody>")], re.DOTALL)
    assert [re.findall(r"<td>(.*?)</td>", row) for row in rows[1:]] == [
        ["three", "7.5 (7.25 to 8)", "0.5", "0.625", "1,200"],
        ["four", "7.5 (7.25 to 8)", "0.75", "n/a", "1,200"],
    ]


def test_a_value_whose_interval_meets_the_best_is_level_with_it(tmp_path):
    folder = folders.experiment(tmp_path / "e")
    content = json.loads((folder / "experiment.json").read_text())
    content["cells"][0] |= {"value": 21.5, "low": 21.0, "high": 22.0}
    (folder / "experiment.json").write_text(json.dumps(content))
    shown = words(page([folder]))
    assert "21.5 21 to 22 over 3 seeds level with best" in shown


def test_several_sets_share_the_papers_figure(results, tmp_path):
    folders.verification(tmp_path / "more", names=("a", "b"), name="more")
    text = page([results / "v" / "clouds", tmp_path / "more"])
    notes = states(text, "all-sets")[""]["layout"]["annotations"]
    assert [note["text"] for note in notes] == ["clouds", "more"]


@pytest.mark.parametrize("piece", ["details.json", EXTREMES, PAIRS])
def test_a_verification_without_a_piece_says_what_is_missing(piece, tmp_path):
    folders.verification(tmp_path)
    (tmp_path / piece).unlink()
    shown = words(page([tmp_path]))
    assert ("What is missing" in shown) == (piece == "details.json")
    assert "Claim by claim" in shown


@pytest.mark.parametrize("damage", [b"", b"{}", b"\x00"])
@pytest.mark.parametrize("piece", ["details.json", EXTREMES, PAIRS])
def test_a_damaged_piece_is_one_that_is_missing(piece, damage, tmp_path):
    folders.verification(tmp_path, names=("a", "b"))
    (tmp_path / piece).write_bytes(damage)
    assert "Claim by claim" in words(page([tmp_path]))


def test_details_of_another_verification_are_left_out(tmp_path):
    folders.verification(tmp_path, names=("a", "b"))
    folders.verification(tmp_path / "other", names=("a", "c"))
    for name in ("details.json", EXTREMES, PAIRS):
        (tmp_path / "other" / name).rename(tmp_path / name)
    (tmp_path / "other" / "dimension.json").unlink()
    assert "is of another verification" in words(page([tmp_path]))


PIECES = ("config.json", "metrics.json", "metrics.jsonl", "samples.png", "command.txt")


@pytest.mark.parametrize("piece", PIECES)
def test_a_run_without_a_piece_says_what_is_missing(piece, tmp_path):
    run = folders.run(tmp_path / "run")
    (run / piece).unlink()
    shown = words(page([run]))
    said = {"samples.png": "Samples", "command.txt": "Its command was not kept"}
    assert said.get(piece, f"{piece} is missing") in shown


@pytest.mark.parametrize("damage", [b"", b"[]", b"\x00\xff"])
@pytest.mark.parametrize("piece", PIECES)
def test_a_run_with_a_damaged_piece_has_a_page(piece, damage, tmp_path):
    run = folders.run(tmp_path / "run")
    (run / piece).write_bytes(damage)
    assert "Runs" in words(page([run]))


def test_vectors_and_unlabelled_data_have_a_page(tmp_path):
    import uomh

    x = np.random.default_rng(0).random((60, 3))
    uomh.verify(x, k=(3,), name="plain").save(tmp_path / "plain")
    shown = words(page([tmp_path / "plain"]))
    assert "plain has no groups to compare" in shown
    assert "Rows of the data and, in brackets, the dimension there" in shown


def test_runs_of_the_same_name_are_told_apart(tmp_path):
    for place in ("a", "b"):
        folders.run(tmp_path / place / "run")
    assert [run.name for run in found([tmp_path]).runs] == ["a/run", "b/run"]


def test_a_path_with_nothing_is_refused(tmp_path):
    with pytest.raises(UomhError, match="there is no folder"):
        page([tmp_path / "none"])
    with pytest.raises(UomhError, match="holds no verification, run or experiment"):
        page([tmp_path])
    (tmp_path / "dimension.json").write_text("{}")
    with pytest.raises(UomhError, match="no report of uomh verify"):
        page([tmp_path])


def test_the_command_writes_a_page_and_refuses_other_files(results, tmp_path):
    target = tmp_path / "new" / "report.html"
    done = CliRunner().invoke(app, ["report", str(results), "--out", str(target)])
    assert done.exit_code == 0, done.output
    assert target.stat().st_size < 15e6
    for bad in ("report.pdf", "new.html"):
        (tmp_path / "new.html").mkdir(exist_ok=True)
        done = CliRunner().invoke(app, ["report", str(results), "--out", str(tmp_path / bad)])
        assert done.exit_code == 2


def test_ten_runs_make_a_page_under_15_mb(tmp_path):
    from PIL import Image

    noise = np.random.default_rng(0)
    for i in range(10):
        run = folders.run(tmp_path / f"run{i}", seed=i, epochs=400)
        for name in ("samples", "between"):
            pixels = noise.integers(0, 256, (420, 420, 3), dtype=np.uint8)  # as large as they come
            Image.fromarray(pixels).save(run / f"{name}.png", compress_level=0)
    file = write_page([tmp_path], tmp_path / "report.html")
    assert file.stat().st_size < 15e6
    assert "left out, for the page would be too large" in file.read_text(encoding="utf-8")


def test_no_torch_is_needed(results, tmp_path):
    code = (
        "import sys; from uomh.cli import main; sys.argv = ['uomh', 'report', "
        f"{str(results)!r}, '--out', {str(tmp_path / 'report.html')!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "report.html").is_file()


def test_a_command_is_kept_as_it_was_typed(tmp_path):
    run = tmp_path / "run"
    words = ["train", "--dataset", "digits", "--model", "ae", "--run-dir", str(run), "--quiet"]
    words += ["data.limit=80", "data.class_ind=[0, 1]", "train.max_epochs=1"]
    words += ["model.encoder.hidden_dims=[4]", "model.decoder.hidden_dims=[4]"]
    for _ in range(2):
        assert CliRunner().invoke(app, words).exit_code == 0
    (line,) = (run / "command.txt").read_text(encoding="utf-8").splitlines()
    assert line.startswith("uomh train --dataset digits --model ae --run-dir ")
    assert "'data.class_ind=[0, 1]'" in line
    assert found([run]).runs[0].exact


def test_settings_that_differ_are_found_and_the_odd_one_marked():
    differ, partial = differing([{"a": 1, "b": {"c": 1}}, {"a": 2, "b": {"c": 1}}, {"a": 1}])
    assert [(s.key, s.values, s.odd) for s in differ] == [
        ("a", ("1", "2", "1"), (False, True, False))
    ]
    assert [s.key for s in partial] == ["b.c"]


VAE = {"name": "vae", "prior": {"kind": "gaussian"}}
TWO = {"name": "two_step", "autoencoder": VAE, "density": {"name": "flow"}, "conditional": True}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": VAE, "clusters": None}, "vae"),
        ({"model": VAE | {"prior": {"kind": "mixture_of_gaussians"}}}, "mixture-prior vae"),
        (
            {"model": VAE | {"conditional": True}, "clusters": {"name": "ward"}},
            "conditional vae by ward",
        ),
        ({"model": TWO}, "conditional vae + flow"),
        (
            {"model": {"name": "disconnected", "part": TWO | {"conditional": False}}},
            "disconnected vae + flow",
        ),
        ({"model": "vae"}, ""),
        ({}, ""),
    ],
)
def test_a_run_says_what_it_trains(settings, words):
    assert model_of(settings) == words


def marks(tmp_path, *values, **more):
    from uomh.report.compare import compared

    records = []
    for i, value in enumerate(values):
        own = {key: v[i] if isinstance(v, tuple) else v for key, v in more.items()}
        one = folders.measured("score", value, **{"higher": True, **own})
        run = folders.run(tmp_path / str(i), metrics={"score": one})
        records.append(RunRecord.read(run))
    (column,) = compared(records).columns
    return [cell.mark for cell in column.cells]


@pytest.mark.parametrize(
    ("kinds", "expected"), [(("bound", "bound"), "bound"), (("bound", "exact"), "")]
)
def test_a_column_of_one_kind_says_so_once(kinds, expected):
    cells = tuple(ComparedNumber(Value(1.0, kind=kind)) for kind in kinds)
    assert Column("score", "", (*cells, ComparedNumber(None))).kind == expected


@pytest.mark.parametrize(
    ("values", "more", "expected"),
    [
        ((1.0, 5.0, 4.5), {}, ["", "best", "level"]),
        ((1.0, 5.0, 4.5), {"higher": False}, ["best", "", ""]),
        ((1.0, 5.0), {"higher": None}, ["", ""]),
        ((5.0, 5.0), {}, ["best", "best"]),
        ((1.0, 5.0), {"basis": ("VAE", "Flow")}, ["", ""]),  # as losses of unlike models are
    ],
)
def test_the_best_is_marked_by_its_direction(values, more, expected, tmp_path):
    assert marks(tmp_path, *values, **more) == expected


def test_what_measuring_left_is_shown(tmp_path):
    run = folders.run(tmp_path / "run")
    content = folders.arrays(run)
    text = page([run])
    shown = words(text)
    assert "Nearest training images" in shown
    assert "Between the manifolds" in shown
    samples, training, line = states(text, "run1-ood-ood-svhn-lowdim_False")[""]["data"]
    assert sum(samples["y"]) == pytest.approx(1)
    assert sum(training["y"]) == pytest.approx(1)
    assert line["x"] == [1.5, 1.5]
    names = [trace.get("name") for trace in states(text, "run1-pointwise")[""]["data"]]
    assert names[:2] == ["training points", "samples"]
    middle = float(np.median(content["pointwise_id"]["samples"]))
    assert f"half of samples are below {middle:.3f}" in shown
    assert "uomh evaluate --ood D writes them" not in shown


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"[]"])
@pytest.mark.parametrize("name", ["closest_pairs", "between", "pointwise_id", "ood_svhn"])
def test_damaged_arrays_are_left_out(name, damage, tmp_path):
    run = folders.run(tmp_path / "run")
    folders.arrays(run)
    for file in (run / "arrays" / name).iterdir():
        file.write_bytes(damage)
    assert "Runs" in words(page([run]))


def test_samples_by_group_say_so_and_are_not_missed_where_there_are_none(tmp_path):
    run = folders.run(tmp_path / "run")
    assert "Samples by group" not in page([run])
    (run / "samples.png").rename(run / "samples_by_group.png")
    shown = words(page([run]))
    assert "Samples by group a row of samples for each group" in shown
    assert "Samples: a model of images that can be sampled" in shown


def test_images_of_pairs_are_at_full_pixels_each_above_its_like():
    from uomh.report.kept import _in_rows

    rng = np.random.default_rng(0)
    above, below = rng.integers(0, 256, (2, 10, 5, 4, 3), dtype=np.uint8)
    sheet = _in_rows(above, below)
    assert sheet.shape == (2 * (2 * 6 + 4) - 5, 8 * 5 - 1, 3)
    assert (sheet[:5, 5:9] == above[1]).all()
    assert (sheet[6:11, 5:9] == below[1]).all()
    assert (sheet[16:21, :4] == above[8]).all()


def test_learned_dimensions_stand_in_the_table_and_in_the_chart(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1200, 6))
    points[600:, 3:] = 9
    report = uomh.verify(points, np.arange(1200) // 600, nulls=19, name="two")
    report.save(tmp_path / "two")
    text = page([tmp_path / "two"])
    low, high = (group.known for group in report.groups[::-1])
    for known in (low, high):
        factor = known.ends()[1] / known.dimension
        assert f"<td>{known.dimension:.2f}</td><td>{factor:.2f}</td>" in text
    assert "learned true dimension, two standard errors" in text
    strange = [replace(g, learned=Learned(3.0, np.inf)) for g in report.groups]
    replace(report, groups=tuple(strange)).save(tmp_path / "two")
    text = page([tmp_path / "two"])
    assert "<td>n/a</td><td>n/a</td>" in text
    assert "learned true dimension, two standard errors" not in text
    assert "learned true dimension not known" in text
