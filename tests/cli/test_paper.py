"""The paper's commands with its option names, on a few digits."""

import json

import pytest

from uomh.cli import paper
from uomh.cli.paper import tree
from uomh.cli.paper.clusters import cluster_meant, shared_meant
from uomh.cli.paper.metrics import measure_other_data
from uomh.training.folder import read_config_file

FEW = ["limit=200", "test_limit=60", "device=cpu"]
ONE = ["max_epochs=1"]
STEPS = ["--gae-config", *ONE, "--de-config", *ONE, "--shared-config", *FEW]


def metrics(run):
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def config(run):
    return tree.sections(read_config_file(run).asked)


def epochs(run, path="model"):
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return max(line["epoch"] for line in found if line.get("path", path) == path)


@pytest.fixture
def start(tmp_path):
    def command(name, *arguments, run="run", dataset=True):
        place = ["--dataset", "digits", "--run-name", str(tmp_path / run)] if dataset else []
        getattr(paper, name)([*place, *arguments])
        return tmp_path / run

    return command


def test_the_readme_s_examples(start):
    run = start("single_cluster_main", "--model", "vae", "--config", "scale_data=True", *FEW, *ONE)
    assert config(run)["clusters"]["name"] == "class"
    assert metrics(run)["bits_per_dim"]["kind"] == "bound"
    paths = ["--cluster-config", "clustered_id_samples_save=./save_here", "num_clusters=2"]
    rate = ["--gae-config", "use_lr_scheduler=True"]
    run = start("cluster_main", "--model", "wae", *paths, *rate, *STEPS, run="second")
    assert config(run)["density"]["name"] == "flow"
    assert config(run)["train"]["schedule"] == "cosine"
    assert config(run)["data"]["class_ind"] == [0, 1]
    assert metrics(run)["bits_per_dim"]["value"] is None


@pytest.mark.parametrize(
    ("option", "alternate"),
    [
        ([], None),
        (["sequential_training=False"], "step"),
        (["alternate_by_epoch=True", "sequential_training=False"], "epoch"),
        (["alternate_by_epoch=True"], None),
        (["alternate_by_epoch=True", "sequential_training=True"], None),
    ],
)
def test_two_steps_one_after_the_other_or_in_turns(start, option, alternate):
    models = ["--gae-model", "vae", "--de-model", "vae", "--de-config", "latent_dim=3"]
    run = start("main", *models, *STEPS, *option, *ONE)
    assert config(run)["two_step"]["alternate"] == alternate
    assert config(run)["density"]["latent_dim"] == 3
    assert metrics(run)["low_dim_log_likelihood"]["value"] is not None


def test_fitted_sizes_by_class_and_files_that_commands_share(start, tmp_path, capsys):
    files = [
        f"{name}={tmp_path / name}" for name in ("cluster_partitions_save", "id_estimates_save")
    ]
    by = ["--cluster-config", "cluster_method=kmeans", "num_clusters=3", "id_estimator=mle"]
    by += ["latent_k=5", *files]
    models = ["--gae-model", "ae", "--de-model", "vae"]
    run = start("cluster_main", *models, *by, *STEPS)
    said = capsys.readouterr().out
    assert said.count("written, ") == 2
    parts = read_config_file(run).config.model.parts
    ids = json.loads((tmp_path / "id_estimates_save").read_text())["dimensions"]
    assert len(parts) == 3
    assert all(part.model.autoencoder.latent_dim == -(-ids[part.name] // 1) for part in parts)
    second = start("cluster_main", *models, *by, *STEPS, run="second")
    assert capsys.readouterr().out.count("read, ") == 2
    for name in ("config.json", "partition.npz"):
        assert (second / name).read_bytes() == (run / name).read_bytes()
    # Of other data nothing fits, and both are made anew; of another method, the file is refused.
    fewer = ["limit=150", "test_limit=60"]
    start("cluster_main", *models, *by, *STEPS, *fewer, run="third")
    assert capsys.readouterr().out.count("written, ") == 2
    other = ["--cluster-config", "cluster_method=random", files[0]]
    with pytest.raises(SystemExit):
        start("single_cluster_main", *other, "--config", *fewer, *ONE, run="fourth")
    assert "3 groups by kmeans" in capsys.readouterr().err
    assert not (tmp_path / "fourth").exists()
    (tmp_path / "id_estimates_save").write_text("3")
    with pytest.raises(SystemExit):
        start("cluster_main", *models, *by, *STEPS, *fewer, run="fifth")
    assert "holds no dimensions as uomh writes them" in capsys.readouterr().err


def test_a_run_is_tested_and_given_more_epochs(start, capsys):
    run = start("single_main", "--model", "ae", "--config", *FEW, *ONE)
    (run / "metrics.json").unlink()
    load = ["--load-dir", str(run)]
    start("single_main", *load, "--only-test", "--test-ood", dataset=False)
    assert metrics(run)["l2_reconstruction_error"]["value"] is not None
    assert "--test-ood: the paper tells no other data apart from digits" in capsys.readouterr().out
    start("single_main", *load, "--max-epochs-loaded", "3", dataset=False)
    assert epochs(run) == 3
    with pytest.raises(SystemExit):
        start("main", *load, "--max-epochs-loaded-gae", "9", dataset=False)
    frozen = [*load, "--load-pretrained-gae", "--freeze-pretrained-gae", "--de-model", "vae"]
    second = start("main", *frozen, "--de-config", *ONE, run="second", dataset=False)
    assert not second.exists()
    capsys.readouterr()


@pytest.mark.parametrize(("dataset", "other"), [("mnist", "fashion-mnist"), ("cifar10", "svhn")])
def test_other_data_are_those_of_the_paper(dataset, other, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("uomh.cli.runs.evaluate", lambda *a, **kw: asked.append((a, kw)))
    measure_other_data(tmp_path, dataset, two_step=True, root="there")
    names = (
        "likelihood_id_ood_acc,likelihood_ood_acc,likelihood_ood_acc_low_dim,"
        "neighbour_ood_acc,reconstruction_ood_acc"
    )
    assert asked == [(([tmp_path], names), {"ood": other, "data_root": "there"})]


def test_what_a_run_has_already_is_said_and_not_taken(start, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    run = start("single_main", "--model", "ae", "--config", *FEW, *ONE)
    record = (run / "config.json").read_bytes()
    capsys.readouterr()
    typed = ["--config", "lr=0.5", "latent_dim=3", "--cluster-config", "num_clusters=3"]
    start("single_main", "--only-test", "--gpu-id", "0", "--model", "vae", *typed)
    said = capsys.readouterr().out
    for line in (
        "--dataset",
        "--model",
        "--config lr, latent_dim",
        "--cluster-config num_clusters",
    ):
        assert f"{line}: no effect; the run that is there has its settings" in said
    assert "--gpu-id 0: there is no CUDA here" in said
    assert (run / "config.json").read_bytes() == record
    with pytest.raises(SystemExit):
        start("single_main", "--only-test", "--config", "learning_rate=0.5")
    assert "unknown option 'learning_rate'" in capsys.readouterr().err


def test_a_run_that_exists_goes_on_to_more_epochs_and_is_tested_by_its_name(start, capsys):
    arguments = ["--model", "ae", "--config", *FEW]
    run = start("single_main", *arguments, "max_epochs=1")
    start("single_main", *arguments, "max_epochs=2")
    assert epochs(run) == 2
    before = (run / "config.json").read_bytes()
    with pytest.raises(SystemExit):  # another setting is refused, and leaves the record alone
        start("single_main", *arguments, "max_epochs=3", "lr=0.5")
    assert (run / "config.json").read_bytes() == before
    (run / "metrics.json").unlink()
    start("single_main", "--only-test", "--config", "test_metrics=[l2_reconstruction_error]")
    assert set(metrics(run)) == {"l2_reconstruction_error"}
    capsys.readouterr()


def test_a_pretrained_autoencoder_brings_its_data_and_its_settings(start, tmp_path, capsys):
    of_run = ["--model", "ae", "--is-gae", "--config", *FEW, *ONE, "latent_dim=5"]
    first = start("single_main", *of_run, "encoder_hidden_dims=[16]")
    load = ["--load-dir", str(first), "--load-pretrained-gae", "--freeze-pretrained-gae"]
    second = ["--run-name", str(tmp_path / "second"), "--de-model", "vae", "--de-config", *ONE]
    start("main", *load, *second, "--dataset", "mnist", dataset=False)
    found = config(tmp_path / "second")
    assert found["two_step"] | {"autoencoder_run": str(first), "freeze": True} == found["two_step"]
    assert found["data"] == config(first)["data"]
    assert found["model"] == config(first)["model"]
    assert "--dataset mnist: it is digits" in capsys.readouterr().out


def test_three_evaluators(start, capsys):
    lists = [
        *("--gae-config", "test_metrics=[l2_reconstruction_error,fid]"),
        *("--de-config", "test_metrics=[log_likelihood,null_metric]"),
        *("--shared-config", "test_metrics=[low_dim_log_likelihood]"),
    ]
    run = start("main", "--gae-model", "ae", "--de-model", "vae", *STEPS, *lists)
    found = metrics(run)
    assert set(found) == {
        "low_dim_log_likelihood",
        "gae/l2_reconstruction_error",
        "gae/fid",
        "de/log_likelihood",
        "de/null_metric",
    }
    assert found["de/null_metric"]["value"] == 0
    assert found["gae/fid"]["value"] is None
    assert found["de/log_likelihood"]["value"] == pytest.approx(
        found["low_dim_log_likelihood"]["value"], abs=1
    )
    whole = ["--cluster-config", "num_clusters=2", "test_metrics=[bits_per_dim]"]
    run = start("single_cluster_main", *whole, "--config", *FEW, *ONE, "test_metrics=[loss]",
                "scale_data=True", run="clusters")  # fmt: skip
    found = {name for name, value in metrics(run).items() if value["value"] is not None}
    names = ("bits_per_dim", "loss")
    assert found == {"bits_per_dim", *(f"{name}[{k}]" for name in names for k in (0, 1))}
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
        ("cluster_main", ["--cluster-config", "num_clusters=11"], "has 10 classes"),
        ("cluster_main", ["--cluster-config", "id_estimator=twonn"], "is not offered"),
        ("single_main", ["--config", "single_sigma=True", "--model", "wae"], "nothing to wae"),
        ("single_main", ["--config", "lr=None"], "has one learning rate"),
        ("single_main", ["--config", "test_metrics=[fidd]"], "unknown metric 'fidd'"),
        ("main", ["--gae-config", "test_metrics=[fidd]"], "unknown metric 'fidd'"),
        (
            "single_main",
            ["--config", "whitening_transform=True", "scale_data=True"],
            "exclude each other",
        ),
        ("single_main", ["--config", "encoder_blocks_per_layer=[2,3]"], "repeat one"),
        ("single_main", ["--config", "encoder_norm=batchnorms"], "did you mean 'batchnorm'"),
        ("single_main", ["--config", "transforms=[rotation]"], "unknown transform"),
        ("single_main", ["--config", "scheduler_args={'beta':1}"], "did you mean 'betas'"),
        ("single_main", ["--config", "data_dim=784"], "this run has 64"),
        ("single_main", ["--config", "model=wae"], "this run has 'vae'"),
        ("single_main", ["--only-test"], "no run in"),
        ("single_main", ["--load-dir", "nowhere"], "no run in 'nowhere'"),
    ],
)
def test_bad_input_is_one_sentence(start, capsys, name, arguments, sentence):
    with pytest.raises(SystemExit) as ended:
        start(name, *arguments)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_partitions_are_named_by_their_file():
    given = {"cluster_method": "id", "partitions_save": "./mine.npz"}
    found = cluster_meant(given, "cluster_main.py", clustered=True, fits_codes=True)
    assert found.values == {"clusters": {"name": "saved", "file": "./mine.npz"}}


def test_shared_training_options_act_where_the_steps_take_turns():
    given = {"max_epochs": 2, "data_root": "./here", "lr": 0.1}
    found = shared_meant(given)
    assert found.values == {"data": {"data_root": "./here"}}
    assert [note.split(":")[0] for note in found.notes] == [
        "--shared-config max_epochs",
        "--shared-config lr",
    ]
    found = shared_meant({**given, "sequential_training": False})
    assert found.values["train"] == {"max_epochs": 2}
