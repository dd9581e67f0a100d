"""Settings and options: each has its effect or is refused in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import uomh
from tests.fuzz.checks import attempt, command, fuzz

KEYS = ("seed", "threads", "device", "data.dataset", "data.limit", "data.valid_fraction")
KEYS += ("data.test_fraction", "data.class_ind", "data.resize", "data.label_column", "model.name")
KEYS += ("model.latent_dim", "model.encoder.hidden_dims", "model.encoder.net", "model", "train")
KEYS += ("train.lr", "train.max_epochs", "train.groups.model.lr", "train.valid_metrics", "densty")
KEYS += (
    "train.early_stopping_metric",
    "model.density.name",
    "clusters.name",
    "clusters.num_clusters",
)
KEYS += ("model.match", "model.part.name", "model.alternate", "evaluate.metrics", "", "density")
KEYS += (
    "model.autoencoder_run",
    "model.freeze",
    "model.part",
    "model.train.lr",
    "cluster_codes",
    "model.no.such.key",
)
VALUES = ("", "1", "0", "-1", "1e99", "nan", "inf", "null", "true", "[]", "[1,1]", "[2,2]", "{}")
VALUES += ("vae", "kmeans", "no_such", "file.py:Class", "parameters", "dimension", "[loss]", "'")
VALUES += ("[[1]]", "{a: 1}", "999999999999999999999", "é", "[", "cuda", "mnist", "digits", "0.5")
GOOD = ("seed=3", "data.valid_fraction=0", "data.class_ind=[1,3]", "model.latent_dim=dimension")
GOOD += (
    "model.name=flow",
    "train.groups.model.lr=1e-2",
    "clusters.name=kmeans",
    "model.name=disconnected",
)
GOOD += ("train.early_stopping_metric=bits_per_dim", "model.name=two_step", "train.max_epochs=7")


@fuzz(130)
@given(
    texts=st.lists(
        st.one_of(
            st.sampled_from(GOOD),
            st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)).map("=".join),
            st.text(max_size=12),
        ),
        min_size=1,
        max_size=2,
    )
)
def test_key_value_texts(texts):
    made = attempt(uomh.resolve, overrides=["data.limit=40", *texts])
    if made is not None:
        config, data = made
        assert len(data.train) > 0
        assert config.train.max_epochs >= 1


WORDS = (
    ("--threads", "-1"),
    ("--threads", "0"),
    ("--threads", "many"),
    ("--device", "foo"),
    ("--device", "cuda:99"),
    ("--seed", "1.5"),
    ("--k", "3,x"),
    ("--k", ""),
    ("--k", "1"),
    ("--nulls", "-5"),
    ("--nulls", "20.5"),
    ("--duplicates", "no"),
    ("--by", "no_such"),
    ("--by", "missing.csv"),
    ("--estimator", "mel"),
    ("--resize", "0"),
    ("--resize", "4"),
    ("--data-root", "/dev/null"),
    ("--out", "/dev/null/x"),
    ("data.limit=0",),
    ("data.limit=1",),
    ("data.limit=x",),
    ("data.class_ind=[2,2]",),
    ("data.class_ind=[99]",),
    ("data.class_ind=[]",),
    ("model.name=vae",),
    ("clusters.num_clusters=3",),
    ("no=1",),
    ("=",),
    ("--no-such-option",),
    ("--label", "3"),
)


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_options_of_verify(words):
    command("verify", "--dataset", "digits", "--nulls", "19", "--json", "data.test_limit=5", *words)


DOORS = (
    ("--model", "vea"),
    ("--density", "flwo"),
    ("--density", "ae"),
    ("--model", "flow", "--density", "flow"),
    ("--disconnected", "class", "--conditional", "class"),
    ("--disconnected", "no.csv"),
    ("--backend", "cloud"),
    ("--jobs", "2"),
    ("--jobs", "0", "--backend", "processes"),
    ("--backend", "processes"),
    ("--config", "missing.yaml"),
    ("--run-dir", "/dev/null"),
    ("--run-dir", "/proc/none/run"),
    ("--device", "cuda:99"),
    ("--threads", "-1"),
    ("--dataset", "no_such"),
    ("--dataset", "manifold:none"),
    ("--dataset", ""),
    ("train.max_epochs=0",),
    ("train.lr=-1",),
    ("evaluate.metrics=[nothing]",),
    ("--density", "flow", "model.freeze=true"),
)


@pytest.mark.parametrize("words", DOORS, ids=" ".join)
def test_options_of_train_that_are_refused(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = [] if "--dataset" in words else ["--dataset", "digits"]
    assert command("train", *dataset, "data.limit=40", *words).exit_code == 2
