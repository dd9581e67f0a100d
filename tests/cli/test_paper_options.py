"""Every option name of the published commands changes the settings, or says why not."""

import re
from collections import Counter
from functools import cache
from importlib.metadata import entry_points

import pytest

from tests.cli.lines import meaning
from uomh import UomhError, resolve
from uomh.cli import paper
from uomh.cli.paper import running, tree
from uomh.cli.paper.clusters import LOOP
from uomh.cli.paper.options import OPTIONS
from uomh.cli.paper.resolving import evaluators


def names(text):
    return text.split()


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
TWO_STEP = (
    "gae-model",
    "de-model",
    "load-pretrained-gae",
    "freeze-pretrained-gae",
    "max-epochs-loaded-gae",
    "max-epochs-loaded-de",
)
"""flags of the commands of two steps"""
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
        metrics = evaluators(command, options).missing(given.test_ood, command.two_step)
        done.append(("train", found.values, metrics, folder))

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
