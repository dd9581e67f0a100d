"""The paper's commands: their flags and option names, mapped to our settings in one table.

``--config NAME=VALUE`` takes every option of the published code. Where it means something here,
`OPTIONS` says what; where it is no longer needed, why. An unknown name is an error.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from uomh.cli.console import prepare_process, say, sentences
from uomh.cli.train import run
from uomh.errors import UomhError, unknown
from uomh.settings import merged, parse_value, place

Values = dict[str, Any]
Meaning = str | Callable[[Any], Values]
"""a dotted key of ours, or a function from the value to nested values of ours"""


def _network(part: str) -> dict[str, Meaning]:
    """Options of one network: ``<part>_hidden_dims`` and so on."""
    fields = {
        "net": "net",
        "hidden_dims": "hidden_dims",
        "hidden_channels": "hidden_channels",
        "kernel_size": "kernel_size",
        "stride": "stride",
        "layer_channels": "layer_channels",
        "blocks_per_layer": "blocks_per_layer",
        "activation": "activation",
        "final_activation": "final_activation",
    }
    return {f"{part}_{paper}": f"model.{part}.{ours}" for paper, ours in fields.items()}


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
    if how not in (None, False, "class"):
        raise UomhError(f"conditioning={how} is not known; use class, or leave it out")
    return {"model": {"conditional": how == "class"}}


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
    "early_stopping_metric": "train.early_stopping_metric",
    "max_bad_valid_epochs": "train.patience",
    "valid_metrics": "train.valid_metrics",
    "test_metrics": "evaluate.metrics",
    "epoch_sample_every": "train.sample_every",
    "latent_dim": "model.latent_dim",
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
    **_network("encoder"),
    **_network("decoder"),
    "decoder_norm": "model.decoder.norm",
    "spectral_norm": "model.encoder.spectral_norm",
}
"""What each option of ``--config`` means here."""

NOT_NEEDED = {
    "flatten": "each network shapes its input",
    "conditioning_dimension": "it is the number of classes",
    "clamp_samples": "pictures are always brought to grey levels",
    "decoder_variance_lower_bound": "learned deviations are floored at half a grey level",
    "decoder_norm_args": "each normalisation has one form",
    "logdir_root": "it is the folder of runs without a name",
}
"""Options that are accepted and change nothing, and why."""


def paper_values(options: Sequence[str]) -> Values:
    """Nested values of ``NAME=VALUE`` options of the paper.

    Raises:
        UomhError: an option is unknown or not of that form.

    >>> paper_values(["max_epochs=2", "single_sigma=False"])
    {'train': {'max_epochs': 2}, 'model': {'decoder_sigma': 'per_pixel'}}
    """
    values: Values = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals:
            raise UomhError(f"--config {option!r} is not of the form NAME=VALUE")
        if name in NOT_NEEDED:
            continue
        meaning = OPTIONS.get(name)
        if meaning is None:
            raise unknown("option", name, [*OPTIONS, *NOT_NEEDED])
        if isinstance(meaning, str):
            own: Values = {}
            place(own, meaning.split("."), parse_value(text))
        else:
            own = meaning(parse_value(text))
        values = merged(values, own)
    return values


def single_main(arguments: Sequence[str] | None = None) -> None:
    """``single_main.py``: train one model, in one piece."""
    prepare_process()
    parser = argparse.ArgumentParser(
        prog="single_main.py", description="Train a single, non-disconnected model."
    )
    parser.add_argument("--dataset", default="mnist", help="see `uomh list datasets`")
    parser.add_argument("--model", default="vae", help="see `uomh list models`")
    parser.add_argument("--run-name", help="folder of the run")
    parser.add_argument("--is-gae", action="store_true", help="accepted and not needed")
    parser.add_argument("--gpu-id", type=int, help="use this GPU")
    parser.add_argument(
        "--config", action="append", default=[], metavar="NAME=VALUE", help="one option"
    )
    given = parser.parse_args(arguments)
    _train(given)


@sentences
def _train(given: argparse.Namespace) -> None:
    values = merged(
        {"data": {"dataset": given.dataset}, "model": {"name": given.model}},
        paper_values(given.config),
    )
    if given.gpu_id is not None:
        values["device"] = f"cuda:{given.gpu_id}"
    root = dict(option.partition("=")[::2] for option in given.config).get("logdir_root", "runs")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = given.run_name or f"{root}/{given.dataset}_{given.model}_{stamp}"
    say(f"run: {name}")
    run(values, [], None, Path(name), quiet=False)
