"""The paper's commands with its option names, on a few digits."""

import json

import pytest

from uomh.cli import paper
from uomh.cli.paper.clusters import cluster_values, shared_values

FEW = ["limit=200", "max_epochs=1", "device=cpu"]


def metrics(run):
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def config(run):
    return json.loads((run / "config.json").read_text(encoding="utf-8"))["config"]


@pytest.fixture
def start(tmp_path):
    def command(name, *arguments, run="run", dataset=True):
        place = ["--dataset", "digits", "--run-name", str(tmp_path / run)] if dataset else []
        getattr(paper, name)([*place, *arguments])
        return tmp_path / run

    return command


def test_the_readme_s_examples(start):
    run = start("single_cluster_main", "--model", "vae", "--config", "scale_data=True", *FEW)
    assert config(run)["clusters"]["name"] == "agglomerative"
    assert metrics(run)["bits_per_dim"]["kind"] == "bound"
    few = ["--shared-config", *FEW]
    paths = ["--cluster-config", "clustered_id_samples_save=./save_here", "num_clusters=2"]
    rate = ["--gae-config", "use_lr_scheduler=True"]
    run = start("cluster_main", "--model", "wae", *paths, *rate, *few, run="second")
    assert config(run)["density"]["name"] == "flow"
    assert config(run)["train"]["schedule"] == "cosine"
    assert metrics(run)["bits_per_dim"]["value"] is None


@pytest.mark.parametrize(
    ("option", "alternate"),
    [
        ([], None),
        (["sequential_training=False"], "step"),
        (["alternate_by_epoch=True", "sequential_training=False"], "epoch"),
    ],
)
def test_two_steps_one_after_the_other_or_in_turns(start, option, alternate):
    models = ["--gae-model", "vae", "--de-model", "vae", "--de-config", "latent_dim=3"]
    run = start("main", *models, "--shared-config", *FEW, *option)
    assert config(run)["two_step"]["alternate"] == alternate
    assert config(run)["density"]["latent_dim"] == 3
    assert metrics(run)["low_dim_log_likelihood"]["value"] is not None


def test_fitted_sizes_by_class(start):
    fitted = ["--gae-config", "latent_dim=fitted", "--de-model", "vae"]
    few = ["--shared-config", "limit=400", "max_epochs=1"]
    by = ["--cluster-config", "cluster_method=class", "num_clusters=10", "latent_k=5"]
    run = start("cluster_main", "--model", "ae", *fitted, *few, *by)
    parts = json.loads((run / "plan.json").read_text(encoding="utf-8"))["parts"]
    sizes = {part["changes"]["model"]["latent_dim"] for part in parts}
    assert len(parts) == 10
    assert len(sizes) > 1


def test_a_run_is_tested_and_given_more_epochs(start, capsys):
    run = start("single_main", "--model", "ae", "--config", *FEW)
    (run / "metrics.json").unlink()
    load = ["--load-dir", str(run)]
    start("single_main", *load, "--only-test", "--test-ood", dataset=False)
    assert metrics(run)["l2_reconstruction_error"]["value"] is not None
    assert "not measured" in metrics(run)["likelihood_ood_acc"]["reason"]
    start("single_main", *load, "--max-epochs-loaded", "3", dataset=False)
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert max(json.loads(line)["epoch"] for line in lines) == 3
    with pytest.raises(SystemExit):
        start("main", *load, "--max-epochs-loaded-gae", "9", dataset=False)
    frozen = [*load, "--load-pretrained-gae", "--freeze-pretrained-gae", "--de-model", "vae"]
    second = start("main", "--gae-model", "ae", *frozen, "--shared-config", *FEW, run="second")
    assert config(second)["two_step"]["freeze"]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("main", ["--gae-model", "gan"], "has no codes"),
        ("main", ["--gae-config", "latent_dims=3"], "did you mean 'latent_dim'"),
        ("cluster_main", ["--cluster-config", "num_cluster=3"], "did you mean 'num_clusters'"),
        ("cluster_main", ["--cluster-config", "cluster_method=kmean"], "did you mean 'kmeans'"),
        ("cluster_main", ["--cluster-config", "cluster_method=id"], "partitions_save"),
        ("cluster_main", ["--cluster-config", "pfix=False"], "normaliser"),
        ("single_main", ["--only-test"], "--load-dir"),
        ("main", ["--freeze-pretrained-gae"], "needs --load-pretrained-gae"),
        ("single_main", ["--load-dir", "nowhere"], "no run in 'nowhere'"),
    ],
)
def test_bad_input_is_one_sentence(start, capsys, name, arguments, sentence):
    with pytest.raises(SystemExit) as ended:
        start(name, *arguments)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_partitions_are_named_by_their_file():
    values = cluster_values(["cluster_method=id", "partitions_save=./mine.npz"])
    assert values == {"clusters": {"name": "saved", "file": "./mine.npz"}}
    assert cluster_values(["partitions_save=./mine.npz"]) == {"clusters": {"name": "agglomerative"}}


def test_shared_options_stand_for_both_steps():
    values = shared_values(["max_epochs=2", "data_root=./here"])
    assert values["train"] == values["density_train"] == {"max_epochs": 2}
    assert values["data"] == {"data_root": "./here"}
