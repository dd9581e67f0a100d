"""The paper's comparison of variational autoencoders."""

from __future__ import annotations

from uomh.experiments.core import Experiment
from uomh.experiments.paper import MEASURED, METRICS, NOTES, seven
from uomh.registry import register

MODEL = ("name=vae", "latent_dim=20", "train.schedule=cosine", "train.patience=30")
SMALL = (
    *("encoder.net=mlp", "encoder.hidden_dims=[512,512]"),
    *("decoder.net=mlp", "decoder.hidden_dims=[512,512]"),
    "train.max_epochs=600",
)


@register("experiments", "vae")
class VAEs(Experiment):
    """The paper's seven forms of the VAE: which partition of the data helps."""

    base = MEASURED
    arms = seven(MODEL, SMALL)
    metrics = METRICS
    notes = (
        *NOTES,
        "the decoder has one learned deviation; the paper's runs fix it to one "
        "(model.decoder_sigma=unit, model.part.decoder_sigma=unit)",
    )
