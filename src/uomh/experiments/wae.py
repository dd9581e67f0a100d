"""The paper's comparison of Wasserstein autoencoders."""

from __future__ import annotations

from uomh.experiments.core import Experiment
from uomh.experiments.paper import MEASURED, METRICS, NOTES, seven
from uomh.registry import register

MODEL = ("name=wae", "latent_dim=20")
SMALL = ("encoder.net=mlp", "decoder.net=mlp", "train.max_epochs=600")


@register("experiments", "wae")
class WAEs(Experiment):
    """The paper's seven forms of the WAE: which partition of the data helps."""

    base = MEASURED
    arms = seven(MODEL, SMALL)
    metrics = METRICS
    notes = NOTES
