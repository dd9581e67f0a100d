"""Every form of the published scripts and of the README means the published settings."""

import pytest

from tests.cli.lines import holds, meaning, settings
from uomh.cli.paper.defaults import published
from uomh.data.core import DataSpec

VAE = {"model": {"name": "vae", "latent_dim": 20, "scale_data": False}}
VAE["train"] = {"schedule": "cosine", "patience": 30, "max_epochs": 100, "lr": 1e-3}
WAE = {"model": {"name": "wae", "latent_dim": 20, "lambda_": 10.0, "slope_penalty": 0.0}}
WAE["train"] = {"betas": [0.9, 0.999], "max_epochs": 300, "batch_size": 128}
WAE["train"]["groups"] = {"autoencoder": {"lr": 1e-3, "schedule": "constant"}}
WAE["train"]["groups"]["discriminator"] = {"lr": 5e-4, "schedule": "constant"}
STEPS = {"model": {"name": "vae", "latent_dim": 20, "scale_data": True}}
STEPS["train"] = {"schedule": "constant", "patience": None, "max_epochs": 100, "batch_size": 128}
STEPS["density"] = {"name": "flow", "tail_bound": 1.0, "hidden_units": 64, "num_layers": 4}
STEPS["density_train"] = {"schedule": "constant", "patience": None, "max_epochs": 100}
SAVE = "--cluster-config metric_dataset_save=./there"
BY = "--cluster-config cluster_method"
CLASSES = {"disconnected": True, "clusters": {"name": "class"}}
WARD = {"disconnected": True, "clusters": {"name": "agglomerative", "num_clusters": None}}

FORMS = [
    ("single_main --model vae " + SAVE, VAE),
    ("single_main --model wae " + SAVE, WAE),
    ("single_main --model vae --config conditioning=class", VAE | {"clusters": None}),
    (
        "single_main --model vae --config conditioning=agglomerative " + SAVE,
        VAE | {"clusters": {"name": "agglomerative"}, "disconnected": False},
    ),
    (
        "single_main --model wae --cluster-config conditioning=agglomerative "
        "conditioning_dimension=5",
        WAE | {"clusters": {"name": "agglomerative", "num_clusters": 5}},
    ),
    (
        "single_main --model wae --config base_distribution=learned_mixture_of_gaussians "
        "distribution_mean_spacing=3 " + SAVE,
        WAE,
    ),
    (f"single_cluster_main --model vae --config base_distribution=None {BY}=class", VAE | CLASSES),
    (
        f"single_cluster_main --model wae --config base_distribution=None {BY}=agglomerative",
        WAE | WARD,
    ),
    (
        f"single_cluster_main --model vae --config base_distribution=None {BY}=random",
        VAE | {"clusters": {"name": "random"}},
    ),
    ("main --gae-model vae --de-model flow --load-pretrained-gae", STEPS),
    (
        f"cluster_main --gae-model vae --de-model flow {BY}=class",
        STEPS | CLASSES | {"latent_dim": "model"},
    ),
    (
        f"cluster_main --gae-model vae --de-model flow {BY}=agglomerative id_estimator=mle",
        STEPS | WARD | {"latent_dim": "dimension", "latent_k": 10},
    ),
    (
        f"cluster_main --gae-model vae --de-model flow {BY}=agglomerative id_estimator=None",
        STEPS | WARD | {"latent_dim": "model"},
    ),
    (
        "single_main --model flow --run-name runs/flow_mnist_run",
        {
            "model": {"scale_data": True, "tail_bound": 1.0, "num_blocks_per_layer": 3},
            "train": STEPS["density_train"],
        },
    ),
    (
        "single_cluster_main --model vae --run-name runs/flow_svhn_cluster_run/1 "
        "--config scale_data=True",
        VAE | CLASSES | {"model": {"scale_data": True}},
    ),
    (
        "cluster_main --model wae --cluster-config clustered_id_samples_save=./save_here "
        "--gae-config use_lr_scheduler=True",
        CLASSES
        | {
            "train": {
                "groups": {
                    "autoencoder": {"lr": 1e-3, "schedule": "cosine"},
                    "discriminator": {"lr": 5e-4, "schedule": "cosine"},
                }
            },
            "density": STEPS["density"],
        },
    ),
]
"""each distinct form of the published scripts and of the README, and the published settings"""


@pytest.mark.parametrize(("line", "wanted"), FORMS)
def test_published_scripts_resolve_to_the_published_settings(line, wanted):
    metric = "shared-config" if "main --gae-model" in line else "config"
    line = f"{line} --dataset digits"
    if "cluster" not in line.split()[0]:
        line += f" --{metric} test_metrics=[fid]"
    holds(settings(line), wanted)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "single_main --model vae --is-gae",
            {"model": {"scale_data": True}, "train": {"schedule": "constant", "patience": None}},
        ),
        (
            "single_main --model avb",
            {"model": {"noise_dim": 128, "encoder": {"net": "mlp"}}, "train": {"max_epochs": 50}},
        ),
        ("single_main --model avb --is-gae", {"model": {"noise_dim": 256, "input_sigma": 3.0}}),
        ("single_main --model ae", {"model": {"encoder": {"hidden_dims": [200, 200]}}}),
        (
            "single_main --model gan",
            {
                "model": {"latent_dim": 100, "critic": {"activation": "relu", "steps": 5}},
                "train": {
                    "betas": [0.5, 0.99],
                    "patience": 50,
                    "groups": {"critic": {"lr": 1e-3, "schedule": "cosine"}},
                },
            },
        ),
        (
            "single_main --model bigan",
            {
                "model": {"critic": {"steps": 2, "penalty": 10.0}, "prior": {"kind": "uniform"}},
                "train": {"max_epochs": 200, "groups": {"generator": {"lr": 1e-4}}},
            },
        ),
        ("single_main --model ebm", {"train": {"max_epochs": 100, "schedule": "constant"}}),
        ("single_main --model arm", {"model": {"hidden_size": 256}, "train": {"patience": 10}}),
        (
            "main --de-model vae",
            {
                "density": {"latent_dim": 20, "whitening_transform": None},
                "density_train": {"schedule": "cosine"},
            },
        ),
        (
            "main --de-model avb",
            {
                "density": {"latent_dim": 20, "noise_dim": 128},
                "density_train": {"max_epochs": 50, "batch_size": 128},
            },
        ),
        ("main --de-model ebm", {"density_train": {"max_epochs": 100}}),
    ],
)
def test_the_published_defaults(line, wanted):
    holds(settings(f"{line} --dataset digits"), wanted)


@pytest.mark.parametrize(
    ("model", "options", "wanted"),
    [
        (
            "vae",
            "base_distribution=None denoising_sigma=None",
            {"model": {"prior": {"kind": "gaussian"}, "denoising_sigma": 0.0}},
        ),
        ("gan", "lr=None", {"train": {"groups": {"critic": {"lr": 1e-3}}}}),
        (
            "gan",
            "lr=5e-4",
            {"train": {"groups": {key: {"lr": 0.0005} for key in ["critic", "generator"]}}},
        ),
        (
            "gan",
            "lr=5e-4 ge_lr=1e-5",
            {"train": {"groups": {"critic": {"lr": 5e-4}, "generator": {"lr": 1e-5}}}},
        ),
        (
            "vae",
            "encoder_norm=batchnorm decoder_norm=instance",
            {"model": {"encoder": {"norm": "batch"}, "decoder": {"norm": "instance"}}},
        ),
        (
            "vae",
            "encoder_blocks_per_layer=[2,2,2] decoder_blocks_per_layer=3 norm=batchnorm",
            {
                "model": {
                    "encoder": {"blocks_per_layer": 2, "norm": "batch"},
                    "decoder": {"blocks_per_layer": 3},
                }
            },
        ),
        (
            "vae",
            "transforms=[{'module':'horizontal_flip','params':{'p':0.5}}]",
            {"train": {"horizontal_flip": True}},
        ),
        (
            "vae",
            'scheduler_args={"betas":[0.5,0.99]} epoch_sample_every=inf',
            {"train": {"betas": [0.5, 0.99], "sample_every": None}},
        ),
        (
            "gan",
            "encoder_hidden_channels=[8,8] encoder_kernel_size=3",
            {"model": {"critic": {"hidden_channels": [8, 8], "kernel_size": 3}}},
        ),
        ("vae", "decoder_sigma=unit", {"model": {"decoder_sigma": "unit"}}),
        ("vae", "lr_scheduler=step use_lr_scheduler=True", {"train": {"schedule": "step"}}),
        ("vae", "use_lr_scheduler=True lr_scheduler=step", {"train": {"schedule": "step"}}),
        ("vae", "lr_scheduler=step use_lr_scheduler=False", {"train": {"schedule": "constant"}}),
        (
            "avb",
            "use_disc_lr_scheduler=False lr_scheduler=step",
            {
                "train": {
                    "groups": {
                        "discriminator": {"schedule": "constant"},
                        "autoencoder": {"schedule": "step"},
                    }
                }
            },
        ),
        ("vae", "make_valid_loader=False valid_fraction=0.2", {"data": {"valid_fraction": 0.0}}),
        ("vae", "valid_fraction=0.2 make_valid_loader=False", {"data": {"valid_fraction": 0.0}}),
        ("vae", "early_stopping_metric=None max_bad_valid_epochs=3", {"train": {"patience": None}}),
        ("vae", "test_metrics=[null_metric]", {"evaluate": {"metrics": []}}),
        ("vae", "test_metrics=[]", {"evaluate": {"metrics": []}}),
        (
            "flow",
            "whitening_transform=True",
            {"model": {"whitening_transform": True, "scale_data": None}},
        ),
        ("vae", "dataset=digits model=vae density_estimator=vae data_dim=64", VAE),
        (
            "vae",
            "conditioning=kmeans conditioning_dimension=3",
            {"clusters": {"name": "kmeans", "num_clusters": 3}, "model": {"conditional": True}},
        ),
    ],
)
def test_values_that_are_accepted(model, options, wanted):
    holds(settings(f"single_main --dataset digits --model {model} --config {options}"), wanted)


def test_no_validation_says_that_nothing_stops_early():
    said = meaning("single_main --dataset digits --config make_valid_loader=False")[1]
    assert any("early_stopping_metric and max_bad_valid_epochs cannot act" in line for line in said)


GREY, COLOUR, VECTORS = (
    DataSpec((1, 28, 28), 256, 10),
    DataSpec((3, 32, 32), 256, 10),
    DataSpec((6,), None, 2),
)


def test_published_defaults_by_the_shape_of_the_images():
    assert published("avb", {}, GREY, autoencoder=True)["max_epochs"] == 50
    assert published("avb", {}, COLOUR, autoencoder=True)["max_epochs"] == 100
    critic = published("gan", {}, COLOUR, autoencoder=False)["disc_hidden_channels"]
    assert critic == [64, 128, 256, 10]
    assert "disc_hidden_channels" not in published("gan", {}, GREY, autoencoder=False)
    assert published("vae", {}, VECTORS, autoencoder=False) == {}
    assert "scale_data" not in published("flow", {}, None, autoencoder=False)  # of codes


def test_what_is_typed_takes_the_place_of_defaults_of_another_name():
    typed = {"lr": 1e-5, "encoder_activation": "elu"}
    found = published("gan", typed, COLOUR, autoencoder=False)
    assert not {"disc_lr", "ge_lr", "disc_activation"} & set(found)
    assert published("gan", {"lr": None}, COLOUR, autoencoder=False)["ge_lr"] == 1e-3
