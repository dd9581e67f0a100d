"""Every option name of the published commands, and every form of the published scripts."""

import json

import pytest

from uomh import resolve
from uomh.cli import paper
from uomh.cli.paper.resolving import evaluators, parsed, resolved, said_of_flags


def names(text):
    return text.split()


FLAGS = names("""
dataset model is-gae gae-model de-model run-name gpu-id load-dir max-epochs-loaded
max-epochs-loaded-gae max-epochs-loaded-de load-best-valid-first load-pretrained-gae
freeze-pretrained-gae only-test test-ood
""")

MODEL = names("""
flatten denoising_sigma dequantize scale_data whitening_transform logit_transform logit_eps
logit_transform_alpha clamp_samples optimizer lr disc_lr nll_lr rec_lr ge_lr use_lr_scheduler
use_disc_lr_scheduler use_nll_lr_scheduler use_rec_lr_scheduler use_ge_lr_scheduler lr_scheduler
lr_scheduler_step lr_scheduler_gamma scheduler_args max_epochs max_grad_norm early_stopping_metric
max_bad_valid_epochs make_valid_loader valid_fraction train_batch_size valid_batch_size
test_batch_size valid_metrics test_metrics conditioning conditioning_dimension class_ind
transforms data_root logdir_root latent_dim encoder_net decoder_net encoder_hidden_dims
decoder_hidden_dims encoder_hidden_channels encoder_kernel_size encoder_stride
decoder_hidden_channels decoder_kernel_size decoder_stride encoder_layer_channels
encoder_blocks_per_layer decoder_layer_channels decoder_blocks_per_layer encoder_activation
decoder_activation decoder_final_activation decoder_norm single_sigma decoder_variance_lower_bound
base_distribution num_prior_components num_mixture_components distribution_mean_spacing
discriminator_hidden_dims discriminator_norm disc_net disc_hidden_channels disc_kernel_size
disc_stride disc_layer_channels disc_blocks_per_layer disc_activation disc_unflatten
disc_spectral_norm discriminator_activation discriminator_final_activation discriminator_norm_args
decoder_norm_args energy_func_activation spectral_norm noise_dim input_sigma prior_sigma _lambda
lambda sigma clamp wasserstein gradient_penalty num_discriminator_steps recon_weight transform
hidden_units num_layers num_blocks_per_layer do_batchnorm net energy_func_hidden_dims
energy_func_hidden_channels energy_func_kernel_size energy_func_stride max_length_buffer x_lims
ld_steps ld_step_size ld_eps_new ld_sigma ld_grad_clamp loss_alpha hidden_size k_mixture
epoch_sample_every device norm metric_kwargs dataset model gae density_estimator
generalized_autoencoder data_dim
""")

SHARED = names("""
sequential_training alternate_by_epoch
""")

CLUSTER = names("""
trainer cluster_method num_clusters cluster_norm cluster_partitions_save partitions_save
id_estimates_save id_estimator id_estimate_num_datapoints_per_class max_k id_est_batch_size
n_id_est_workers eval_every_k latent_k pfix metric_dataset_save cluster_id_metric_dataset_save
clustered_id_samples_save memory_efficient module_save_dir valid_metrics test_metrics
""")

NUMBER = 7
"""of a setting that is a number or a size, and has another default"""

OTHER = {
    **dict.fromkeys(["flatten", "clamp_samples", "do_batchnorm", "memory_efficient"], True),
    **dict.fromkeys(["disc_unflatten", "disc_spectral_norm", "spectral_norm", "pfix"], True),
    **dict.fromkeys(["logit_transform", "whitening_transform"], True),
    **dict.fromkeys(["scale_data", "dequantize"], True),
    **dict.fromkeys(["wasserstein", "gradient_penalty", "single_sigma"], False),
    **dict.fromkeys(["make_valid_loader", "sequential_training"], False),
    **dict.fromkeys(["sigma", "prior_sigma"], 1),
    **dict.fromkeys(["encoder_net", "decoder_net", "disc_net", "net"], "residual"),
    **dict.fromkeys(["valid_metrics", "test_metrics"], "[bits_per_dim]"),
    **dict.fromkeys(["dataset"], "digits"),
    **dict.fromkeys(["model", "gae", "density_estimator", "generalized_autoencoder"], "vae"),
    **dict.fromkeys(["id_estimates_save", "partitions_save", "cluster_partitions_save"], "./there"),
    "alternate_by_epoch": True,
    "base_distribution": "mixture_of_gaussians",
    "class_ind": 3,
    "cluster_method": "kmeans",
    "conditioning": "class",
    "data_root": "./there",
    "decoder_norm": "batchnorm",
    "denoising_sigma": 0.5,
    "device": "cuda",
    "discriminator_norm": "instance",
    "early_stopping_metric": "log_likelihood",
    "epoch_sample_every": 3,
    "id_estimator": "mle",
    "ld_eps_new": 0.5,
    "lr_scheduler": "step",
    "metric_kwargs": "{'nearest_k':5}",
    "norm": "batchnorm",
    "optimizer": "sgd",
    "scheduler_args": "{'betas':[0.5,0.99]}",
    "transform": "autoregressive",
    "transforms": "[{'module':'horizontal_flip','params':{'p':0.5}}]",
    "valid_fraction": 0.25,
}
"""values that change something; of `dims` and `channels` lists, of activations elu"""

MODELS = {
    "gan": "disc_lr ge_lr lambda clamp wasserstein gradient_penalty num_discriminator_steps "
    "use_disc_lr_scheduler use_ge_lr_scheduler discriminator_norm_args",
    "bigan": "recon_weight",
    "wae": "rec_lr use_rec_lr_scheduler _lambda sigma",
    "avb": "nll_lr use_nll_lr_scheduler noise_dim input_sigma prior_sigma",
    "flow": "transform hidden_units num_layers num_blocks_per_layer do_batchnorm",
    "ebm": "spectral_norm net max_length_buffer x_lims ld_steps ld_step_size ld_eps_new ld_sigma "
    "ld_grad_clamp loss_alpha",
    "arm": "hidden_size k_mixture",
}


def value_of(name, flag):
    if name in OTHER:
        return OTHER[name]
    if name == "data_dim":
        return 20 if flag == "de-config" else 64
    if name.endswith("activation"):
        return "elu"
    if name.endswith(("_dims", "_channels")):
        return "[7,7]"
    return name.startswith("use_") or NUMBER


def model_of(name):
    for model, names in MODELS.items():
        if name in names.split():
            return model
    if name.startswith("disc"):
        return "wae"
    return "ebm" if name.startswith("energy_func") else "vae"


def meaning(line):
    """The values, and the lines that are said, of a command line."""
    script, *arguments = line.split()
    command = getattr(paper, script)
    given = command.parser().parse_args(arguments)
    options = parsed(command, given)
    found = resolved(command, given, options)
    return (
        (found.values, found.shared, evaluators(command, options)),
        [*said_of_flags(command, given), *found.notes],
    )


def settings(line):
    """The settings of the run of a command line, as its folder would have them."""
    config, _ = resolve(values=meaning(line)[0][0])
    return json.loads(json.dumps(config.model_dump(mode="json")))


def has_effect(base, flag, name):
    """One value at least has an effect, or a line: the other may be what is so by default."""
    before, said_before = meaning(base)
    value = value_of(name, flag)
    for other in (value, not value) if isinstance(value, bool) else (value,):
        after, said = meaning(f"{base} --{flag} {name}={other}")
        if before != after or any(name in line for line in said if line not in said_before):
            return
    raise AssertionError(f"{name}={value}")


@pytest.mark.parametrize("name", MODEL)
def test_every_option_of_a_model_has_an_effect_or_a_line(name):
    base = f"single_main --dataset digits --model {model_of(name)}"
    has_effect(base, "config", name)


@pytest.mark.parametrize("name", MODEL)
def test_every_option_of_a_step_has_an_effect_or_a_line(name):
    first = model_of(name)
    if first in ("vae", "avb", "wae", "bigan"):
        has_effect(f"main --dataset digits --gae-model {first} --de-model vae", "gae-config", name)
    if first in ("vae", "avb", "flow", "ebm"):
        has_effect(f"main --dataset digits --gae-model vae --de-model {first}", "de-config", name)


@pytest.mark.parametrize("turns", [True, False])
@pytest.mark.parametrize("name", [*MODEL, *SHARED])
def test_every_shared_option_has_an_effect_or_a_line(name, turns):
    if model_of(name) == "vae" and (turns or name != "alternate_by_epoch"):
        base = "main --dataset digits --gae-model vae --de-model vae"
        shared = "--shared-config sequential_training=False" if not turns else ""
        if name != "sequential_training" or turns:
            has_effect(f"{base} {shared}", "shared-config", name)


@pytest.mark.parametrize("command", ["single_main", "main", "single_cluster_main", "cluster_main"])
@pytest.mark.parametrize("name", [*CLUSTER, "conditioning", "conditioning_dimension"])
def test_every_option_of_clustering_is_accepted_by_all_commands(name, command):
    if name == "conditioning" and "cluster" in command:
        return  # of parts, which have no labels left
    has_effect(f"{command} --dataset digits", "cluster-config", name)


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_known(flag):
    of_steps = ("gae-model", "de-model", "load-pretrained", "freeze-", "loaded-gae", "loaded-de")
    command = paper.main if any(part in flag for part in of_steps) else paper.single_main
    assert f"--{flag}" in command.parser().format_help()


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


def holds(found, wanted, where=""):
    for key, value in wanted.items():
        if isinstance(value, dict):
            holds(found[key], value, f"{where}{key}.")
        else:
            assert found[key] == value, f"{where}{key}"


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
            {"train": {"groups": {g: {"lr": 5e-4} for g in ("critic", "generator")}}},
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
