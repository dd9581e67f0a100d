"""What each option name of the paper's code means here: one table for all models, one for each.

Where an option means something here, the tables say what; where it is no longer needed,
`NOT_NEEDED` says why. An unknown name is an error that names the nearest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uomh.cli.paper import tree
from uomh.cli.paper import values as v
from uomh.cli.paper.metrics import EVALUATED, early_stopping, metric_settings, patience
from uomh.cli.paper.reading import (
    Given,
    Meaning,
    Meant,
    Together,
    Values,
    only,
    parse,
    read,
    without_effect,
)
from uomh.errors import UomhError
from uomh.settings import merged

GROUPS = {
    "gan": {"disc": "critic", "ge": "generator"},
    "bigan": {"disc": "critic", "ge": "generator"},
    "wae": {"disc": "discriminator", "rec": "autoencoder"},
    "avb": {"disc": "discriminator", "nll": "autoencoder"},
}
"""groups of parameters with a rate of their own: how the paper's options begin, and our name"""

OPTIONS: dict[str, Meaning] = {
    "data_root": "data.data_root",
    "valid_fraction": Together(v.valid_fraction),
    "make_valid_loader": Together(v.valid_loader),
    "limit": "data.limit",
    "test_limit": "data.test_limit",
    "class_ind": v.class_ind,
    "transforms": v.transforms,
    "seed": "seed",
    "threads": "threads",
    "device": "device",
    "max_epochs": "train.max_epochs",
    "train_batch_size": "train.batch_size",
    "valid_batch_size": "evaluate.batch_size",
    "test_batch_size": "evaluate.batch_size",
    "optimizer": "train.optimizer",
    **v.rates({}),
    "lr_scheduler_step": "train.lr_step",
    "lr_scheduler_gamma": "train.gamma",
    "scheduler_args": v.scheduler_args,
    "max_grad_norm": v.max_grad_norm,
    "early_stopping_metric": early_stopping,
    "max_bad_valid_epochs": Together(patience),
    **EVALUATED,
    "metric_kwargs": metric_settings,
    "epoch_sample_every": v.sample_every,
    "latent_dim": v.latent_dim,
    "single_sigma": v.single_sigma,
    "decoder_sigma": "model.decoder_sigma",
    "base_distribution": v.base_distribution,
    "num_prior_components": "model.prior.components",
    "num_mixture_components": "model.prior.components",
    "distribution_mean_spacing": "model.prior.spacing",
    "conditioning": Together(v.conditioning),
    "conditioning_dimension": Together(v.conditioning_dimension),
    "scale_data": "model.scale_data",
    "whitening_transform": Together(v.whitening),
    "dequantize": "model.dequantize",
    "logit_transform": "model.logit_transform",
    "logit_transform_alpha": "model.logit_transform_alpha",
    "logit_eps": "model.logit_transform_alpha",
    "denoising_sigma": v.denoising_sigma,
    **v.network("encoder", "encoder"),
    **v.network("decoder", "decoder"),
    "norm": v.setting("model.encoder.norm", "normalisation", v.NORMS),
}
"""What an option means for every model that has the setting."""

_CRITIC: dict[str, Meaning] = {
    **v.network("encoder", "critic"),
    **v.network("discriminator", "critic"),
    **v.network("disc", "critic"),
    "lambda": "model.critic.penalty",
    "clamp": "model.critic.clamp",
    "wasserstein": v.objective,
    "gradient_penalty": v.constraint,
    "num_discriminator_steps": "model.critic.steps",
}
_DISCRIMINATOR: dict[str, Meaning] = {
    **v.network("discriminator", "discriminator"),
    **v.network("disc", "discriminator"),
}

BY_MODEL: dict[str, dict[str, Meaning]] = {
    "gan": {
        **_CRITIC,
        **v.rates(GROUPS["gan"]),
        **v.network("decoder", "generator"),
        "spectral_norm": "model.critic.spectral_norm",
        "norm": v.setting("model.critic.norm", "normalisation", v.NORMS),
    },
    "bigan": {
        **_CRITIC,
        **v.network("encoder", "encoder"),
        **v.rates(GROUPS["bigan"]),
        "recon_weight": "model.recon_weight",
    },
    "wae": {
        **_DISCRIMINATOR,
        **v.rates(GROUPS["wae"]),
        "_lambda": "model.lambda_",
        "slope_penalty": "model.slope_penalty",
        "sigma": only("sigma", 1, "the prior is standard; spread it by distribution_mean_spacing"),
    },
    "avb": {
        **_DISCRIMINATOR,
        **v.rates(GROUPS["avb"]),
        "noise_dim": "model.noise_dim",
        "input_sigma": "model.input_sigma",
        "prior_sigma": only("prior_sigma", 1, "the prior's deviation is 1"),
    },
    "flow": {
        "transform": v.setting("model.transform", "transform", v.FLOWS),
        "hidden_units": "model.hidden_units",
        "num_layers": "model.num_layers",
        "num_blocks_per_layer": "model.num_blocks_per_layer",
        "tail_bound": "model.tail_bound",
    },
    "ebm": {
        **v.network("energy_func", "energy"),
        "net": "model.energy.net",
        "norm": v.setting("model.energy.norm", "normalisation", v.NORMS),
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
    "clamp_samples": "pictures are always brought to grey levels",
    "decoder_variance_lower_bound": "learned deviations are floored at half a grey level",
    "decoder_norm_args": "each normalisation has one form",
    "logdir_root": "it is the folder of runs, no setting of the model",
    "discriminator_norm_args": "each normalisation has one form",
    "disc_unflatten": "each network shapes its input",
    "do_batchnorm": "the spline networks have no batch normalisation",
    "x_lims": "the box follows from the grey levels, or from the data",
}
"""Options that are accepted and change nothing, and why."""

FACTS = ("dataset", "model", "gae", "density_estimator", "generalized_autoencoder", "data_dim")
"""options that repeat what the flags or the data say; `uomh.cli.paper` checks that they agree"""


def meanings(model: str) -> dict[str, Meaning]:
    """Every option that a model takes, and what it means."""
    return {**OPTIONS, **BY_MODEL.get(model, {})}


def meant(
    given: Given,
    model: str,
    flag: str = "--config",
    typed: Given | None = None,
    flags: Mapping[str, str] | None = None,
) -> Meant:
    """What options of one model mean.

    Args:
        given: values by name, the published defaults among them where they are wanted.
        model: that they are for.
        flag: under which they were typed.
        typed: those that were; the others cause no line on what has no effect. None: all.
        flags: by name, of those that were typed under another flag.

    Raises:
        UomhError: an option is unknown, or of another model, or has a value that is not offered.
    """
    known, values, notes, flags = meanings(model), Values(), [], flags or {}
    for name in given:
        if name not in known and name not in NOT_NEEDED and name not in FACTS:
            others = [other for other, table in BY_MODEL.items() if name in table]
            if others:
                raise UomhError(f"option {name} is not one of {model}'s, but of {others[0]}'s")
    for name, value, means in read(given, known, [*NOT_NEEDED, *FACTS]):
        if name in FACTS:
            continue
        if means is None:
            notes.append(without_effect(flag, name, NOT_NEEDED[name]))
            continue
        _check_setting(name, value, means.values, model)
        values = merged(values, means.values)
        if typed is None or name in typed:
            notes += [without_effect(flags.get(name, flag), name, why) for why in means.notes]
    return Meant(values, tuple(notes))


def _check_setting(name: str, value: Any, values: Values, model: str) -> None:
    """See that the model has what an option sets, and say so by the option's name if not."""
    for key in _leaves(values.get("model", {}), "model."):
        try:
            tree.has_setting(model, key)
        except UomhError:
            raise UomhError(
                f"option {name}={value} means nothing to {model}, which has no {key}"
            ) from None


def _leaves(values: Mapping[str, Any], where: str) -> list[str]:
    found = []
    for key, value in values.items():
        below = _leaves(value, f"{where}{key}.") if isinstance(value, dict) else [where + key]
        found += below
    return found


def paper_values(options: Sequence[str], model: str, flag: str = "--config") -> Values:
    """Nested values of ``NAME=VALUE`` options of the paper, without its defaults.

    Args:
        options: as typed.
        model: that they are for.
        flag: under which they were given, for the error.

    Raises:
        UomhError: an option is unknown, not of that form, or of another model.

    >>> paper_values(["max_epochs=2", "single_sigma=False"], "vae")
    {'train': {'max_epochs': 2}, 'model': {'decoder_sigma': 'per_pixel'}}
    """
    return meant(parse(options, flag), model, flag).values


def of_density(values: Values) -> Values:
    """Values of a model as those of the second of two steps.

    >>> of_density(paper_values(["max_epochs=2", "hidden_units=32"], "flow"))
    {'density_train': {'max_epochs': 2}, 'density': {'hidden_units': 32}}
    """
    homes = {"model": "density", "train": "density_train"}
    return {homes.get(key, key): value for key, value in values.items()}
