"""The published defaults by the images' shape, and the table of the docs that tells them."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.lines import holds, meaning, settings
from tests.cli.test_paper_options import CLUSTER, MODEL, SHARED, line_of, value_of
from uomh import UomhError, resolve
from uomh.cli.paper import tree
from uomh.config import RunConfig, differences
from uomh.settings import resolve_key

ADAM = {"optimizer": "adam", "batch_size": 128, "max_grad_norm": 10.0}
CONSTANT = {**ADAM, "lr": 1e-3, "schedule": "constant", "betas": [0.9, 0.999], "max_epochs": 100,
            "patience": None}  # fmt: skip
CNN = {"hidden_channels": [32, 32, 16, 16], "kernel_size": 3, "stride": 1}


def players(one, other, lr, rate, schedule):
    """The rates of two groups of parameters."""
    return {one: {"lr": lr, "schedule": schedule}, other: {"lr": rate, "schedule": schedule}}


PUBLISHED = {
    "ae": {
        "model": {"latent_dim": 20, "scale_data": True, "encoder": {"hidden_dims": [200, 200]}},
        "train": CONSTANT,
    },
    "vae": {
        "model": {
            "latent_dim": 20,
            "scale_data": False,
            "encoder": {**CNN, "hidden_dims": [256]},
            "decoder": {**CNN, "hidden_dims": [256], "hidden_channels": [16, 16, 32, 32]},
            "prior": {"kind": "gaussian", "components": 10},
            "sample_means": True,
        },
        "train": CONSTANT
        | {"schedule": "cosine", "patience": 30, "early_stopping_metric": "loss"},
    },
    "vae --is-gae": {"model": {"latent_dim": 20, "scale_data": True}, "train": CONSTANT},
    "avb": {
        "model": {
            "latent_dim": 20,
            "noise_dim": 128,
            "input_sigma": 3.0,
            "encoder": {"net": "mlp", "hidden_dims": [256]},
            "discriminator": {"hidden_dims": [256, 256]},
        },
        "train": ADAM
        | {
            "max_epochs": 50,
            "groups": players("discriminator", "autoencoder", 1e-3, 1e-3, "cosine"),
        },
    },
    "avb --is-gae": {"model": {"noise_dim": 256, "encoder": {"net": None}}},
    "wae": {
        "model": {
            "latent_dim": 20,
            "encoder": {"net": "cnn", "hidden_channels": [64, 64, 32, 32]},
            "penalty": "adversarial",
            "lambda_": 10.0,
            "discriminator": {"hidden_dims": [256, 256]},
        },
        "train": ADAM
        | {
            "max_epochs": 300,
            "betas": [0.9, 0.999],
            "groups": players("discriminator", "autoencoder", 5e-4, 1e-3, "constant"),
        },
    },
    "bigan": {
        "model": {
            "latent_dim": 20,
            "recon_weight": 1.0,
            "prior": {"kind": "uniform"},
            "critic": {"objective": "wasserstein", "constraint": "penalty", "penalty": 10.0}
            | {"clamp": 0.01, "steps": 2},
        },
        "train": ADAM
        | {
            "max_epochs": 200,
            "early_stopping_metric": "l2_reconstruction_error",
            "groups": players("critic", "generator", 1e-4, 1e-4, "cosine"),
        },
    },
    "gan": {
        "model": {
            "latent_dim": 100,
            "generator": {"hidden_channels": [256, 128, 64], "kernel_size": 4, "stride": 2}
            | {"norm": "instance", "final_activation": "tanh"},
            "critic": {"kernel_size": 4, "stride": 2, "norm": "instance", "penalty": 10.0}
            | {"activation": "relu", "steps": 5},
        },
        "train": ADAM
        | {
            "max_epochs": 200,
            "betas": [0.5, 0.99],
            "patience": 50,
            "groups": players("critic", "generator", 1e-3, 1e-3, "cosine"),
        },
    },
    "flow": {
        "model": {"num_layers": 4, "num_blocks_per_layer": 3, "hidden_units": 64, "bins": 8}
        | {"tail_bound": 1.0, "dequantize": True, "scale_data": True, "transform": "coupling"},
        "train": CONSTANT,
    },
    "ebm": {
        "model": {"buffer_size": 8192, "ld_steps": 60, "ld_step_size": 10.0, "ld_sigma": 0.005}
        | {"ld_grad_clamp": 0.03, "ld_eps_new": 0.05, "loss_alpha": 0.1}
        | {"energy": {"hidden_dims": [256, 256], "hidden_channels": [64, 64, 32, 32]}
           | {"activation": "swish"}},
        "train": CONSTANT,
    },
    "arm": {
        "model": {"hidden_size": 256, "num_layers": 2, "k_mixture": 10},
        "train": CONSTANT
        | {"schedule": "cosine", "patience": 10, "early_stopping_metric": "loss"},
    },
}  # fmt: skip
"""what the paper's code has by default, of one model on images"""

BY_SHAPE = {
    ("avb --is-gae", "grey"): {"train": {"max_epochs": 50}},
    ("avb --is-gae", "colour"): {"train": {"max_epochs": 100}},
    # A fourth layer would leave one pixel of 28x28.
    ("gan", "grey"): {"model": {"critic": {"hidden_channels": [64, 128, 256]}}},
    ("gan", "colour"): {"model": {"critic": {"hidden_channels": [64, 128, 256, 10]}}},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name, shape in (("grey", (1, 28, 28)), ("colour", (3, 32, 32))):
        x = rng.integers(0, 256, (30, *shape), dtype=np.uint8)
        np.savez(folder / f"{name}.npz", x=x, y=np.arange(30) % 10, x_test=x[:5], y_test=range(5))
    return folder


@pytest.mark.parametrize("shape", ["grey", "colour"])
@pytest.mark.parametrize("model", PUBLISHED)
def test_the_published_defaults_on_images_of_the_published_shapes(images, shape, model):
    found = settings(f"single_main --dataset {images}/{shape}.npz --model {model}")
    holds(found, PUBLISHED[model])
    holds(found, BY_SHAPE.get((model, shape), {}))


@pytest.mark.parametrize(
    ("second", "wanted", "train"),
    [
        ("flow", {"tail_bound": 1.0, "hidden_units": 64, "bins": 8}, {"max_epochs": 100}),
        ("vae", {"latent_dim": 20}, {"schedule": "cosine", "patience": 30}),
        ("avb", {"latent_dim": 20, "noise_dim": 128}, {"max_epochs": 50}),
        ("ebm", {"ld_steps": 60}, {"max_epochs": 100, "schedule": "constant"}),
        ("arm", {"hidden_size": 128, "num_layers": 1}, {"patience": 10}),
    ],
)
def test_the_published_defaults_of_the_second_step(images, second, wanted, train):
    for shape in ("grey", "colour"):
        line = f"main --dataset {images}/{shape}.npz --gae-model vae --de-model {second}"
        found = settings(line)
        holds(found["density"], wanted)
        holds(found["density_train"], ADAM | train)
        holds(found, PUBLISHED["vae --is-gae"])


def rows():
    """Of the table in the docs: option, the settings that it sets, and what is said of it."""
    path = Path(__file__).parents[2] / "docs" / "paper-commands.md"
    table = path.read_text(encoding="utf-8").split("## Option by option")[1].split("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \|(.*?)\|(.*)\|$", table, re.MULTILINE)
    return {name: (re.findall(r"`([\w.]+)`", sets), text.strip()) for name, sets, text in found}


def test_the_docs_have_every_option_once():
    assert sorted(rows()) == sorted({*MODEL, *SHARED, *CLUSTER})
    assert all(sets or text for sets, text in rows().values())


# A device is only taken where there is one; values of clusters are in test_paper_published.py.
TRIED = [name for name, (sets, _) in rows().items() if sets and name in MODEL and name != "device"]


@pytest.mark.parametrize("name", TRIED)
def test_an_option_sets_what_the_docs_say(name):
    line = line_of("single_main", "config", name)
    if name == "conditioning_dimension":
        line += " --config conditioning=kmeans"
    value = value_of(name, "config")
    before, after = settings(line), None
    for other in (value, not value) if isinstance(value, bool) else (value,):
        after = settings(f"{line} --config {name}={other}")
        if after != before:
            break
    changed = [key for key, _, _ in differences(before, after)]
    assert set(rows()[name][0]) <= set(changed)


def flat(nested, where=""):
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from flat(value, f"{where}{key}.")
        else:
            yield where + key, value


def tree_of(line):
    """The settings of a run as `uomh train` names them, those of its models as of one model."""
    config, _ = resolve(values=tree.settings(meaning(line)[0][0]))
    steps = re.compile(r"(?<=model)(\.part|\.autoencoder|\.density)+(?=\.)")
    return {
        steps.sub("", key).replace("model.train.", "train."): value
        for key, value in flat(config.model_dump(mode="json"))
    }


TWO = "main --gae-model vae --de-model flow"
BY_CLUSTER = "cluster_main --gae-model vae --de-model flow --cluster-config cluster_method=kmeans"


@pytest.mark.parametrize(
    ("name", "line", "options"),
    [
        ("sequential_training", TWO, "--shared-config sequential_training=False"),
        (
            "alternate_by_epoch",
            f"{TWO} --shared-config sequential_training=False",
            "alternate_by_epoch=True",
        ),
        ("cluster_method", BY_CLUSTER, "cluster_method=random"),
        ("num_clusters", BY_CLUSTER, "num_clusters=3"),
        ("num_clusters", "cluster_main --gae-model vae", "--cluster-config num_clusters=3"),
        ("id_estimator", BY_CLUSTER, "id_estimator=mle"),
        ("latent_k", BY_CLUSTER, "latent_k=4"),
    ],
)
def test_options_of_steps_and_clusters_set_what_the_docs_say(name, line, options):
    before = tree_of(f"{line} --dataset digits")
    after = tree_of(f"{line} {options} --dataset digits")
    changed = {key for key in after if before.get(key) != after[key]}
    assert changed & set(rows()[name][0])


def test_every_setting_of_the_docs_table_is_one_of_a_run():
    models = ["two_step", "disconnected", *{model for model in PUBLISHED if " " not in model}]
    for name, (sets, _) in rows().items():
        for key in sets:
            group = re.sub(r"groups\.\w+", "groups.model", key)
            assert any(known(group, model) for model in models), f"{name}: {key}"


def known(key, model):
    names = {"model": model, "clusters": "kmeans"}
    try:
        return bool(resolve_key(RunConfig, key, names))
    except UomhError:
        return False
