"""The published defaults, in the paper's own option names.

Its code has two files of them: of autoencoders (``--is-gae``, and the first of two steps), and of
densities (every other single model, and the second step). They are laid beneath what is typed by
the paper's commands alone; `uomh train` keeps ours. What ours are, and where the published ones do
not work, is told by `docs/paper-commands.md`.
"""

from __future__ import annotations

from typing import Any

from uomh.cli.paper.reading import Given
from uomh.data.core import DataSpec

COMMON: dict[str, Any] = {
    "optimizer": "adam",
    "lr": 1e-3,
    "train_batch_size": 128,
    "max_grad_norm": 10.0,
    "max_epochs": 100,
    "max_bad_valid_epochs": None,
    "use_lr_scheduler": False,
}
TWO_RATES: dict[str, Any] = {
    name: value for name, value in COMMON.items() if name not in ("lr", "use_lr_scheduler")
}
AVB: dict[str, Any] = {
    **TWO_RATES,
    "disc_lr": 1e-3,
    "nll_lr": 1e-3,
    "use_disc_lr_scheduler": True,
    "use_nll_lr_scheduler": True,
    "latent_dim": 20,
    "input_sigma": 3.0,
}
CRITIC: dict[str, Any] = {
    **TWO_RATES,
    "max_epochs": 200,
    "max_bad_valid_epochs": 50,
    "use_disc_lr_scheduler": True,
    "use_ge_lr_scheduler": True,
    "lambda": 10.0,
}

AUTOENCODERS: dict[str, dict[str, Any]] = {
    "ae": {**COMMON, "latent_dim": 20, "scale_data": True},
    "vae": {**COMMON, "latent_dim": 20, "scale_data": True, "early_stopping_metric": "loss"},
    "avb": {**AVB, "noise_dim": 256},
    "wae": {
        **TWO_RATES,
        "disc_lr": 5e-4,
        "rec_lr": 1e-3,
        "use_disc_lr_scheduler": False,
        "use_rec_lr_scheduler": False,
        "scheduler_args": {"betas": [0.9, 0.999]},
        "max_epochs": 300,
        "latent_dim": 20,
        "_lambda": 10.0,
        "slope_penalty": 0.0,
    },
    "bigan": {
        **CRITIC,
        "disc_lr": 1e-4,
        "ge_lr": 1e-4,
        "early_stopping_metric": "l2_reconstruction_error",
        "latent_dim": 20,
        "num_discriminator_steps": 2,
        "recon_weight": 1.0,
    },
}
"""Defaults of autoencoders."""

DENSITIES: dict[str, dict[str, Any]] = {
    "vae": {
        **COMMON,
        "latent_dim": 20,
        "scale_data": False,
        "use_lr_scheduler": True,
        "early_stopping_metric": "loss",
        "max_bad_valid_epochs": 30,
    },
    "avb": {
        **AVB,
        "max_epochs": 50,
        "noise_dim": 128,
        "encoder_net": "mlp",
        "decoder_net": "mlp",
    },
    "gan": {
        **CRITIC,
        "disc_lr": 1e-3,
        "ge_lr": 1e-3,
        "scheduler_args": {"betas": [0.5, 0.99]},
        "latent_dim": 100,
        "num_discriminator_steps": 5,
        "disc_activation": "relu",
        "disc_hidden_channels": [64, 128, 256, 10],
    },
    "flow": {
        **COMMON,
        "scale_data": True,
        "dequantize": True,
        "num_layers": 4,
        "num_blocks_per_layer": 3,
        "hidden_units": 64,
        "tail_bound": 1.0,
    },
    "ebm": {**COMMON},
    "arm": {
        **COMMON,
        "use_lr_scheduler": True,
        "early_stopping_metric": "loss",
        "max_bad_valid_epochs": 10,
        "hidden_size": 256,
        "num_layers": 2,
        "k_mixture": 10,
    },
}
"""Defaults of densities."""

OF_CODES: dict[str, dict[str, Any]] = {"arm": {"hidden_size": 128, "num_layers": 1}}
"""defaults of densities that differ on codes"""

OF_PIXELS = ("scale_data", "dequantize")
"""defaults of densities that are for images, not for codes"""

TAKES_PLACE = {
    "lr": ("disc_lr", "nll_lr", "rec_lr", "ge_lr"),
    "use_lr_scheduler": tuple(f"use_{name}_lr_scheduler" for name in ("disc", "nll", "rec", "ge")),
    "whitening_transform": ("scale_data",),
    "discriminator_hidden_channels": ("disc_hidden_channels",),
    "encoder_hidden_channels": ("disc_hidden_channels",),
    "discriminator_activation": ("disc_activation",),
    "encoder_activation": ("disc_activation",),
}
"""defaults that what is typed takes the place of, where another name says the same"""


def published(model: str, typed: Given, spec: DataSpec | None, *, autoencoder: bool) -> Given:
    """The published defaults with what was typed over them.

    Args:
        model: name.
        typed: options of the model.
        spec: of the images that the model is for; None: of codes. Vectors have no published
            defaults.
        autoencoder: whether they are those of autoencoders, where there are any.
    """
    if spec is not None and not spec.is_image:
        return typed
    first, second = (AUTOENCODERS, DENSITIES) if autoencoder else (DENSITIES, AUTOENCODERS)
    defaults = dict(first.get(model) or second.get(model) or {})
    if spec is None:
        defaults |= OF_CODES.get(model, {})
        for name in OF_PIXELS:
            defaults.pop(name, None)
    elif model == "avb" and autoencoder and spec.shape[0] == 1:
        defaults["max_epochs"] = 50
    elif model == "gan" and min(spec.shape[1:]) < 32:
        # Its fourth layer would leave one pixel, which instance normalisation makes zero.
        del defaults["disc_hidden_channels"]
    for name, value in typed.items():
        says_nothing = value is None or (name == "whitening_transform" and not value)
        for other in () if says_nothing else TAKES_PLACE.get(name, ()):
            defaults.pop(other, None)
    return {**defaults, **typed}
