"""What each option name of the paper's code means here: one table for all models, one for each.

Where an option means something here, the tables say what; where it is no longer needed,
`NOT_NEEDED` says why. An unknown name is an error that names the nearest one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uomh import registry
from uomh.errors import UomhError, unknown
from uomh.cli.paper.metrics import early_stopping, metrics
from uomh.settings import merged, parse_value, place

Values = dict[str, Any]
Meaning = str | Callable[[Any], Values]
"""a dotted key of ours, or a function from the value to nested values of ours"""


def _network(paper: str, ours: str) -> dict[str, Meaning]:
    """Options of one network, ``<paper>_hidden_dims`` and so on, and where it stands here."""
    fields = (
        "net",
        "hidden_dims",
        "hidden_channels",
        "kernel_size",
        "stride",
        "layer_channels",
        "blocks_per_layer",
        "activation",
        "final_activation",
        "norm",
        "spectral_norm",
    )
    return {f"{paper}_{field}": f"model.{ours}.{field}" for field in fields}


def _rate(paper: str, group: str) -> dict[str, Meaning]:
    """The learning rate of a group of parameters, and whether it follows the cosine."""

    def schedule(used: Any) -> Values:
        return {"train": {"groups": {group: {"schedule": "cosine" if used else "constant"}}}}

    return {
        f"{paper}_lr": f"train.groups.{group}.lr",
        f"use_{paper}_lr_scheduler": schedule,
    }


def only(name: str, value: Any, why: str) -> Callable[[Any], Values]:
    """An option of which only one value has a meaning here."""

    def check(given: Any) -> Values:
        if given != value:
            raise UomhError(f"option {name}={given!r} is not offered: {why}")
        return {}

    return check


def _schedule(used: Any) -> Values:
    return {"train": {"schedule": "cosine" if used else "constant"}}


def _scheduler(name: Any) -> Values:
    known = {"cosine": "cosine", "step": "step", None: "constant"}
    if name not in known:
        raise unknown("lr_scheduler", str(name), [str(key) for key in known if key])
    return {"train": {"schedule": known[name]}}


def _scheduler_args(arguments: Any) -> Values:
    names = {"step_size": "lr_step", "gamma": "gamma"}
    if not isinstance(arguments, dict):
        raise UomhError("scheduler_args should be a dictionary such as {'step_size': 30}")
    for name in arguments:
        if name not in names:
            raise unknown("scheduler argument", str(name), names)
    return {"train": {names[name]: value for name, value in arguments.items()}}


def _single_sigma(single: Any) -> Values:
    return {"model": {"decoder_sigma": "single" if single else "per_pixel"}}


def _conditioning(how: Any) -> Values:
    if how in (None, False):
        return {"model": {"conditional": False}}
    known = registry.entries("clusterers")
    if how not in known:
        raise unknown("conditioning", str(how), known)
    clusters = {} if how == "class" else {"clusters": {"name": how}}
    return {"model": {"conditional": True}, **clusters}


def _transforms(names: Any) -> Values:
    known = {"RandomHorizontalFlip", "hflip", "horizontal_flip"}
    for name in names or ():
        if name not in known:
            raise unknown("transform", str(name), known)
    return {"train": {"horizontal_flip": bool(names)}}


def _logit_alpha(value: Any) -> Values:
    return {"model": {"logit_transform_alpha": value}}


def _valid_loader(make: Any) -> Values:
    return {} if make else {"data": {"valid_fraction": 0.0}}


def _prior_components(count: Any) -> Values:
    return {"model": {"prior": {"components": count}}}


def _class_ind(index: Any) -> Values:
    if index in (None, -1):
        return {}
    return {"data": {"class_ind": [index] if isinstance(index, int) else index}}


def _latent_dim(size: Any) -> Values:
    """A number, or the dimension of each cluster, "fitted"."""
    fitted = size in (None, "fitted", "dimension")
    return {"latent_dim": "dimension"} if fitted else {"model": {"latent_dim": size}}


def _max_grad_norm(norm: Any) -> Values:
    return {"train": {"max_grad_norm": norm or None}}


OPTIONS: dict[str, Meaning] = {
    "data_root": "data.data_root",
    "valid_fraction": "data.valid_fraction",
    "make_valid_loader": _valid_loader,
    "limit": "data.limit",
    "class_ind": _class_ind,
    "transforms": _transforms,
    "seed": "seed",
    "device": "device",
    "max_epochs": "train.max_epochs",
    "train_batch_size": "train.batch_size",
    "valid_batch_size": "evaluate.batch_size",
    "test_batch_size": "evaluate.batch_size",
    "optimizer": "train.optimizer",
    "lr": "train.lr",
    "use_lr_scheduler": _schedule,
    "lr_scheduler": _scheduler,
    "lr_scheduler_step": "train.lr_step",
    "lr_scheduler_gamma": "train.gamma",
    "scheduler_args": _scheduler_args,
    "max_grad_norm": _max_grad_norm,
    "early_stopping_metric": early_stopping,
    "max_bad_valid_epochs": "train.patience",
    "valid_metrics": metrics("train", "valid_metrics"),
    "test_metrics": metrics("evaluate", "metrics"),
    "epoch_sample_every": "train.sample_every",
    "latent_dim": _latent_dim,
    "single_sigma": _single_sigma,
    "base_distribution": "model.prior.kind",
    "num_prior_components": _prior_components,
    "num_mixture_components": _prior_components,
    "distribution_mean_spacing": "model.prior.spacing",
    "conditioning": _conditioning,
    "scale_data": "model.scale_data",
    "whitening_transform": "model.whitening_transform",
    "dequantize": "model.dequantize",
    "logit_transform": "model.logit_transform",
    "logit_transform_alpha": _logit_alpha,
    "logit_eps": _logit_alpha,
    "denoising_sigma": "model.denoising_sigma",
    **_network("encoder", "encoder"),
    **_network("decoder", "decoder"),
}
"""What an option means for every model that has the setting."""


def _objective(wasserstein: Any) -> Values:
    return {"model": {"critic": {"objective": "wasserstein" if wasserstein else "logistic"}}}


def _constraint(penalised: Any) -> Values:
    return {"model": {"critic": {"constraint": "penalty" if penalised else "clamp"}}}


def _flow_transform(name: Any) -> Values:
    known = {
        "simple_nsf": "coupling",
        "nsf": "coupling",
        "coupling": "coupling",
        "autoregressive": "autoregressive",
        "multiscale": "multiscale",
    }
    if name not in known:
        raise unknown("transform", str(name), known)
    return {"model": {"transform": known[name]}}


_CRITIC: dict[str, Meaning] = {
    **_network("discriminator", "critic"),
    **_network("disc", "critic"),
    **_rate("disc", "critic"),
    **_rate("ge", "generator"),
    "lambda": "model.critic.penalty",
    "clamp": "model.critic.clamp",
    "wasserstein": _objective,
    "gradient_penalty": _constraint,
    "num_discriminator_steps": "model.critic.steps",
}
_DISCRIMINATOR: dict[str, Meaning] = {
    **_network("discriminator", "discriminator"),
    **_network("disc", "discriminator"),
    **_rate("disc", "discriminator"),
    **_rate("nll", "autoencoder"),
    **_rate("rec", "autoencoder"),
}

BY_MODEL: dict[str, dict[str, Meaning]] = {
    "gan": {
        **_CRITIC,
        **_network("decoder", "generator"),
        "spectral_norm": "model.critic.spectral_norm",
    },
    "bigan": {**_CRITIC, "recon_weight": "model.recon_weight"},
    "wae": {
        **_DISCRIMINATOR,
        "_lambda": "model.lambda_",
        "sigma": only("sigma", 1, "the prior is standard; scale it by model.prior.spacing"),
    },
    "avb": {
        **_DISCRIMINATOR,
        "noise_dim": "model.noise_dim",
        "input_sigma": "model.input_sigma",
        "prior_sigma": only("prior_sigma", 1, "the prior's deviation is 1"),
    },
    "flow": {
        "transform": _flow_transform,
        "hidden_units": "model.hidden_units",
        "num_layers": "model.num_layers",
        "num_blocks_per_layer": "model.num_blocks_per_layer",
    },
    "ebm": {
        **_network("energy_func", "energy"),
        "net": "model.energy.net",
        "spectral_norm": "model.energy.spectral_norm",
        "max_length_buffer": "model.buffer_size",
        "ld_steps": "model.ld_steps",
        "ld_step_size": "model.ld_step_size",
        "ld_eps_new": "model.ld_eps_new",
        "ld_sigma": "model.ld_sigma",
        "ld_grad_clamp": "model.ld_grad_clamp",
        "loss_alpha": "model.loss_alpha",
    },
    "arm": {
        "hidden_size": "model.hidden_size",
        "num_layers": "model.num_layers",
        "k_mixture": "model.k_mixture",
    },
}
"""What an option means for one model, beside or instead of that."""

NOT_NEEDED = {
    "flatten": "each network shapes its input",
    "conditioning_dimension": "it is the number of classes",
    "clamp_samples": "pictures are always brought to grey levels",
    "decoder_variance_lower_bound": "learned deviations are floored at half a grey level",
    "decoder_norm_args": "each normalisation has one form",
    "logdir_root": "it is the folder of runs without a name",
    "discriminator_norm_args": "each normalisation has one form",
    "disc_unflatten": "each network shapes its input",
    "do_batchnorm": "the spline networks have no batch normalisation",
    "x_lims": "the box follows from the grey levels, or from the data",
}
"""Options that are accepted and change nothing, and why."""


def meanings(model: str) -> dict[str, Meaning]:
    """Every option that a model takes, and what it means."""
    return {**OPTIONS, **BY_MODEL.get(model, {})}


def paper_values(options: Sequence[str], model: str, flag: str = "--config") -> Values:
    """Nested values of ``NAME=VALUE`` options of the paper.

    Args:
        options: as typed.
        model: that they are for.
        flag: under which they were given, for the error.

    Raises:
        UomhError: an option is unknown, not of that form, or of another model.

    >>> paper_values(["max_epochs=2", "single_sigma=False"], "vae")
    {'train': {'max_epochs': 2}, 'model': {'decoder_sigma': 'per_pixel'}}
    """
    for option in options:
        name = option.partition("=")[0]
        if name not in meanings(model) and name not in NOT_NEEDED:
            others = [other for other, table in BY_MODEL.items() if name in table]
            if others:
                raise UomhError(f"option {name} is not one of {model}'s, but of {others[0]}'s")
    return read(options, meanings(model), NOT_NEEDED, flag)


def density_values(options: Sequence[str], model: str) -> Values:
    """The same for the second of two steps.

    >>> density_values(["max_epochs=2", "hidden_units=32"], "flow")
    {'density_train': {'max_epochs': 2}, 'density': {'hidden_units': 32}}
    """
    homes = {"model": "density", "train": "density_train"}
    values = paper_values(options, model, "--de-config")
    return {homes.get(key, key): value for key, value in values.items()}


def read(
    options: Sequence[str], known: Mapping[str, Meaning], accepted: Mapping[str, str], flag: str
) -> Values:
    """Nested values of ``NAME=VALUE`` options by a table of meanings."""
    values: Values = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals:
            raise UomhError(f"{flag} {option!r} is not of the form NAME=VALUE")
        if name in known:
            meaning = known[name]
            own: Values = {}
            if isinstance(meaning, str):
                place(own, meaning.split("."), parse_value(text))
            else:
                own = meaning(parse_value(text))
            values = merged(values, own)
        elif name not in accepted:
            raise unknown("option", name, [*known, *accepted])
    return values
