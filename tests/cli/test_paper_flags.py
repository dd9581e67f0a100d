"""Every flag of the published commands changes what is done, or says why not."""

import pytest

from tests.cli.lines import meaning
from uomh.cli import paper
from uomh.cli.paper import running
from uomh.cli.paper.resolving import evaluators

COMMANDS = ("single_main", "single_cluster_main", "main", "cluster_main")
FLAGS = {
    "dataset": "manifold:sphere-2",
    "model": "wae",
    "is-gae": "",
    "gae-model": "ae",
    "de-model": "vae",
    "run-name": "there",
    "gpu-id": "0",
    "load-dir": "RUN",
    "max-epochs-loaded": "5",
    "max-epochs-loaded-gae": "5",
    "max-epochs-loaded-de": "5",
    "load-best-valid-first": "",
    "load-pretrained-gae": "",
    "freeze-pretrained-gae": "",
    "only-test": "",
    "test-ood": "",
}
"""the published flags, and values that change something"""
ALONE = ("max-epochs-loaded", "load-pretrained", "freeze-pretrained")
"""flags that do nothing without --load-dir"""

TWO_STEP = (
    "gae-model",
    "de-model",
    "load-pretrained-gae",
    "freeze-pretrained-gae",
    "max-epochs-loaded-gae",
    "max-epochs-loaded-de",
)
"""flags of the commands of two steps"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    few = ["limit=100", "test_limit=20", "max_epochs=1", "test_metrics=[]", "device=cpu"]
    arguments = ["--dataset", "digits", "--model", "ae", "--run-name", str(folder), "--config"]
    paper.single_main([*arguments, *few])
    return folder


@pytest.fixture
def start(monkeypatch, capsys, run):
    """What a command is about to do, and the lines it says; nothing is trained."""
    done = []

    def train(command, given, options, found, folder):
        metrics = evaluators(command, options)
        done.append(("train", found.values, metrics, given.test_ood, folder))

    def go_on(command, given, options, folder):
        sections = {name: {"max_epochs": 1} for name in ("train", "density_train")}
        done.append(("go on", running._more_epochs(given, sections), given.only_test, folder))

    monkeypatch.setattr(running, "train", train)
    monkeypatch.setattr(running, "go_on", go_on)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("time.strftime", lambda form: "now")

    def started(command, line):
        getattr(paper, command)(line.replace("RUN", str(run)).split())
        return done.pop(), capsys.readouterr().out.splitlines()

    return started


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_changes_what_is_done_or_says_why_not(command, flag, start):
    if f"--{flag}" not in getattr(paper, command).parser().format_help().split():
        assert flag in TWO_STEP
        assert command in ("single_main", "single_cluster_main")
        return
    line = "--dataset digits" + {
        "freeze-pretrained-gae": " --load-dir RUN --load-pretrained-gae",
        "load-pretrained-gae": " --load-dir RUN",
        "only-test": " --run-name RUN",
    }.get(flag, " --load-dir RUN" if flag.startswith("max-epochs") else "")
    before, said = start(command, line)
    after, lines = start(command, f"{line} --{flag} {FLAGS[flag]}")
    new = [text for text in lines if text not in said]
    assert before != after or any(text.startswith(f"--{flag}") for text in new)
    if flag.startswith(ALONE):
        _, alone = start(command, f"--dataset digits --{flag} {FLAGS[flag]}")
        assert f"--{flag}: no effect without --load-dir" in alone


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("main --load-pretrained-gae --freeze-pretrained-gae", "--freeze-pretrained-gae"),
        ("single_main --gpu-id 0", "--gpu-id 0"),
        ("single_main --max-epochs-loaded 5", "--max-epochs-loaded"),
        ("single_main --load-best-valid-first", "--load-best-valid-first"),
        ("main --is-gae", "--is-gae"),
    ],
)
def test_a_flag_without_effect_is_said(line, said, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    values, lines = meaning(f"{line} --dataset digits")
    assert any(each.startswith(said) for each in lines)
    assert values[0]["device"] == "cpu"


def test_no_gpu_id_is_the_first_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert meaning("single_main --dataset digits")[0][0]["device"] == "cuda"
    assert meaning("single_main --dataset digits --gpu-id 1")[0][0]["device"] == "cuda:1"
    line = "single_main --dataset digits --config device=cpu"
    assert meaning(line)[0][0]["device"] == "cpu"
