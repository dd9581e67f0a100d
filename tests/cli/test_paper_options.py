"""Every option name of the published commands changes the settings, or says why not."""

import pytest

from tests.cli.lines import meaning
from uomh.cli import paper


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
    line = "single_main --dataset digits --config device=cpu"
    assert meaning(line)[0][0]["device"] == "cpu"
