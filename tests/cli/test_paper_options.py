"""Every option name of the published commands changes the settings, or says why not."""

import re
from collections import Counter
from functools import cache
from importlib.metadata import entry_points

import pytest

from tests.cli.lines import meaning
from uomh import UomhError, resolve
from uomh.cli.paper import tree
from uomh.cli.paper.clusters import LOOP
from uomh.cli.paper.options import OPTIONS


def names(text):
    return text.split()


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
conditioning conditioning_dimension
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
    "metric_kwargs": "{'gen_samples':50}",
    "norm": "batchnorm",
    "optimizer": "sgd",
    "scheduler_args": "{'betas':[0.5,0.99]}",
    "transform": "autoregressive",
    "transforms": "[{'module':'horizontal_flip','params':{'p':0.5}}]",
    "valid_fraction": 0.25,
}
"""values that change something; of `dims` and `channels` lists, of activations elu"""

MODELS = {
    "gan": "ge_lr lambda clamp wasserstein gradient_penalty num_discriminator_steps "
    "use_ge_lr_scheduler",
    "bigan": "recon_weight",
    "wae": "rec_lr use_rec_lr_scheduler _lambda sigma",
    "avb": "nll_lr use_nll_lr_scheduler noise_dim input_sigma prior_sigma",
    "flow": "transform hidden_units num_layers num_blocks_per_layer do_batchnorm",
    "ebm": "spectral_norm net max_length_buffer ld_steps ld_step_size ld_eps_new ld_sigma "
    "ld_grad_clamp loss_alpha",
    "arm": "hidden_size k_mixture",
}
"""the models that options are of; others are every model's, of a discriminator or of an energy"""

STEPS = {"gae": ("ae", "vae", "avb", "wae", "bigan"), "de": ("vae", "avb", "flow", "ebm")}
"""the published models of each step"""
ENTRY_POINTS = cache(entry_points)
COMMANDS = {
    "single_main": ("config",),
    "single_cluster_main": ("config",),
    "main": ("gae-config", "de-config", "shared-config"),
    "cluster_main": ("gae-config", "de-config", "shared-config"),
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


def model_of(name, step=None):
    """A model that has the option; of those of a step where one of them has it."""
    found = [model for model, of in MODELS.items() if name in of.split()]
    if name.startswith(("disc", "use_disc")):
        found = ["wae", "avb"]
    elif name.startswith("energy_func"):
        found = ["ebm"]
    elif not found:
        found = ["vae"]
    return next((model for model in found if model in STEPS.get(step, found)), found[0])


def line_of(command, flag, name):
    """A command line that the option is added to; its models have it where they can."""
    if command in ("single_main", "single_cluster_main"):
        model = "vae" if flag == "cluster-config" else model_of(name)
        return f"{command} --dataset digits --model {model}"
    first, second = (model_of(name, step) if flag == f"{step}-config" else "vae" for step in STEPS)
    first = first if first in STEPS["gae"] else "vae"
    second = second if second in STEPS["de"] else "vae"
    return f"{command} --dataset digits --gae-model {first} --de-model {second}"


@cache
def base(line):
    return outcome(line)


def outcome(line):
    """What a command line means: settings of its run, shared files, metrics; and what is said."""
    (values, shared, metrics), said = meaning(line)
    values = {**values, "data": {**values["data"], "limit": 100}}
    return (resolve(values=tree.settings(values))[0], shared, metrics), said


def check(command, flag, name, *, more=""):
    """See that an option changes what the line means, or that a sentence about it says why not.

    One of the values of a switch is so by default. An option of another model is refused by name.
    """
    line = f"{line_of(command, flag, name)} {more}"
    meant, said = base(line)
    value = value_of(name, flag)
    for other in (value, not value) if isinstance(value, bool) else (value,):
        try:
            after, lines = outcome(f"{line} --{flag} {name}={other}")
        except UomhError as error:
            if other != value or not re.search(rf"\b{name}\b", str(error)):
                raise
            return "refused"
        if any(
            new.startswith((f"--{flag} {name}: ", f"{name}: ", f"{name}="))
            for new in lines
            if new not in said
        ):
            return "said"
        if after != meant:
            return "changed"
    raise AssertionError(f"{line} --{flag} {name}={value} is silent")


CASES = [
    (command, flag, name)
    for command, flags in COMMANDS.items()
    for flag in flags
    for name in [*MODEL, *(SHARED if flag == "shared-config" else [])]
] + [(command, "cluster-config", name) for command in COMMANDS for name in CLUSTER]


def is_elsewhere(command, flag, name):
    """Whether no published model of that flag has the option; or no labels are left for it."""
    if name == "conditioning":
        return "cluster" in command
    step = flag.removesuffix("-config")
    return step in STEPS and model_of(name, step) not in STEPS[step]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Look through the installed packages once."""
    monkeypatch.setattr("uomh.registry.entry_points", ENTRY_POINTS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_changes_the_settings_or_says_why_not(command):
    found = Counter()
    for of, flag, name in CASES:
        if of == command:
            result = check(command, flag, name)
            assert result != "refused" or is_elsewhere(command, flag, name), (flag, name)
            found[result] += 1
    assert found.total() == sum(of == command for of, _, _ in CASES)
    assert found["changed"] > 90


@pytest.mark.parametrize("turns", ["", "alternate_by_epoch=True"])
def test_every_shared_option_of_training_acts_where_the_steps_take_turns(turns):
    more = f"--shared-config sequential_training=False {turns}"
    for name in LOOP:
        assert check("main", "shared-config", name, more=more) == "changed"


def test_a_planted_silent_option_is_caught(monkeypatch):
    monkeypatch.setitem(OPTIONS, "denoising_sigma", lambda value: {})
    with pytest.raises(AssertionError, match=r"denoising_sigma=\S+ is silent"):
        check("single_main", "config", "denoising_sigma")
