"""The last door: one sentence and an exit code for whatever is raised, and help without torch."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.cli.faults import mendable, sentences
from uomh.config import RunConfig
from uomh.devices import checked_device
from uomh.errors import UomhError
from uomh.files import replacing, write_json

ROOT = Path(__file__).parents[2]
MAIN = "from uomh.cli import main; main()"


def command(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def raised(error, capsys):
    """Exit code and sentence of a command that raises this."""

    def fail():
        raise error

    with pytest.raises(SystemExit) as exit_:
        sentences(fail)()
    return exit_.value.code, capsys.readouterr().err


def full_disk(path):
    with replacing(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UomhError("give more points"), "uomh: give more points"),
        (MemoryError("Unable to allocate 7 GiB"), "not enough memory (Unable to allocate 7 GiB)"),
        (torch.OutOfMemoryError("CUDA out of memory."), "not enough memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] can't allocate memory"), "lower train."),
        (OSError(errno.ENOSPC, "No space left on device", "a/last.pt"), "a/last.pt: No space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "a/last.pt"), "free space there"),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos"),
            "checkpoint",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "a.json"), "a.json: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "a.json"), "choose another place"),
        (ConnectionError("the Hub is away"), "the Hub is away"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence_and_exit_2(error, words, capsys):
    code, told = raised(error, capsys)
    assert code == 2
    assert words in told
    assert told.count("\n") == 1


def test_what_is_ours_says_so_and_saves_its_traceback(capsys):
    code, told = raised(KeyError("[red]\nnonsense"), capsys)
    assert code == 1
    assert f"this is a fault of uomh {uomh.__version__}" in told
    assert told.count("\n") == 1
    saved = Path(told.split("is saved in ")[1].split(";")[0])
    text = saved.read_text(encoding="utf-8")
    saved.unlink()
    for words in ("command: ", "torch: ", "Traceback", "in fail", "KeyError"):
        assert words in text


def test_a_fault_is_told_in_full_where_nothing_can_be_saved(capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    code, told = raised(ZeroDivisionError("oh"), capsys)
    assert code == 1
    assert "Traceback" in told
    assert "stands above" in told


def test_ctrl_c_is_130(capsys):
    assert raised(KeyboardInterrupt(), capsys)[0] == 130


def test_a_full_disk_is_named_with_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(OSError, match=r"settings\.json") as caught:
        full_disk(tmp_path / "settings.json")
    assert mendable(caught.value).startswith(f"{tmp_path / 'settings.json'}: No space left")
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match=r"a\.json'$"):
        write_json(tmp_path / "no folder" / "a.json", {})


@pytest.mark.parametrize(
    "line", ["verify digits", "reproduce dimension --datasets digits", "report {run}"]
)
def test_a_place_that_cannot_be_written_is_told_before_any_work(line, tmp_path):
    file, run = tmp_path / "file", tmp_path / "run"
    file.write_text("mine")
    run.mkdir()
    write_json(run / "config.json", {})
    page = "page.html" if line.startswith("report") else ""
    result = command(*line.format(run=run).split(), "--out", file / "results" / page)
    assert result.exit_code == 2
    assert f"cannot write to '{file}" in result.stderr
    assert "choose another --out" in result.stderr
    assert "searching" not in result.stderr
    assert file.read_text() == "mine"


@pytest.mark.parametrize("name", ["foo", "meta", "cuda:-1", "cuda:7", "", "cpu:x", 7.5])
def test_devices_that_are_not_there_are_a_sentence(name):
    with pytest.raises(UomhError, match="device"):
        checked_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "--dataset", "digits", "--device", "cuda"],
        ["train", "--dataset", "digits", "--device", "cuda:7"],
        ["train", "--dataset", "digits", "device=cuda"],
        ["evaluate", "nowhere", "--device", "cuda"],
        ["sample", "nowhere", "--out", "a.npz", "--device", "cuda"],
    ],
)
def test_every_command_checks_its_device_before_any_work(arguments):
    result = command(*arguments)
    assert result.exit_code == 2
    assert "finds none on this machine" in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_python_checks_the_device_too(vectors):
    with pytest.raises(UomhError, match="finds none"):
        uomh.verify(vectors.train.x, device="cuda")
    with pytest.raises(UomhError, match="finds none"):
        uomh.resolve(values={"device": "cuda"})
    config = RunConfig.of({"model": {"name": "vae"}, "device": "cuda"})
    with pytest.raises(UomhError, match="finds none"):
        uomh.fit(uomh.build(config, vectors), vectors, config)


@pytest.mark.parametrize("name", ["verify", "train", "evaluate"])
@pytest.mark.parametrize("threads", [-1, 0, 10**9, "two"])
def test_every_command_checks_its_threads(name, threads):
    result = command(name, "digits", "--threads", threads)
    assert result.exit_code == 2
    assert "--threads" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"a: [1", "neither JSON nor YAML"),
        (b"\xff\xfe\x00", "neither JSON nor YAML"),
        (b"", "should hold a mapping"),
        (b"- 1", "should hold a mapping"),
        (b"model: flow", "model should be a mapping of settings, not 'flow'"),
        (b"data: 2020-01-01", "data should be a mapping of settings"),
        (b"train: {lr: .inf}", "train.lr"),
    ],
)
def test_settings_of_a_file_that_is_none_are_a_sentence(content, words, tmp_path):
    file = tmp_path / "settings.yaml"
    if content is not None:
        file.write_bytes(content)
    result = command("train", "--config", file)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr", "not of the form key=value"),
        ("=3", "unknown setting ''"),
        ("train.lr=1e999", "finite number"),
        ("seed=" + "[" * 3000, "setting seed="),
        ("data=3", "setting data should be a mapping"),
        ("tarin.lr=3", "did you mean 'train.lr'?"),
    ],
)
def test_settings_that_are_none_are_a_short_sentence(text, words):
    result = command("train", text)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr) < 2100


def test_a_misspelt_command_names_the_nearest_one():
    result = command("tarin")
    assert result.exit_code == 2
    assert "train" in result.stderr
    assert command("train", "--dateset", "digits").exit_code == 2


def test_a_reader_who_leaves_is_met_with_silence():
    # `head -c 1` leaves after a byte; the shell sees its code, and stderr what uomh says.
    line = f'"{sys.executable}" -c "{MAIN}" train --help | head -c 1 >&2'
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert len(done.stderr) == 1


def test_the_package_is_the_command():
    done = subprocess.run([sys.executable, "-m", "uomh", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "Usage: python -m uomh" in done.stdout


COMMANDS = ("verify", "train", "evaluate", "sample", "classify", "report", "reproduce", "list")
HELP = [(name, "--help") for name in COMMANDS]
HELP += [("--help",), *(("list", kind) for kind in ("models", "datasets", "metrics", "extractors"))]
PAPER = ("main", "single_main", "cluster_main", "single_cluster_main")
HELP += [(f"{name}.py", "--help") for name in PAPER]


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_and_lists_import_nothing_heavy_and_are_quick(arguments):
    script = arguments[0].endswith(".py")
    run = "from uomh.cli import main; main()"
    if script:
        name = arguments[0].removesuffix(".py")
        run = f"from uomh.cli import paper; paper.{name}()"
    code = (
        "import atexit, os, sys\n"
        "def check():\n"
        "    heavy = {'torch', 'datasets', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "    if heavy: os._exit(77)\n"
        f"atexit.register(check)\n{run}"
    )
    before = os.times()
    shown = arguments[1:] if script else arguments
    done = subprocess.run([sys.executable, "-c", code, *shown], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    # 0.6 s is asked for on a quiet machine; here its processor time, for others share it.
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 1.5
