"""Disconnected against vanilla at equal parameters: what the paper's comparison lacks."""

from __future__ import annotations

from uomh.experiments.core import Experiment
from uomh.experiments.forms import disconnected, vanilla
from uomh.experiments.paper import MEASURED, METRICS, VANILLA
from uomh.experiments.vae import MODEL, SMALL
from uomh.registry import register

MATCHED = ("model.match=parameters",)


@register("experiments", "matched")
class Matched(Experiment):
    """Disconnected VAEs against one VAE at equal parameters, random partitions as the control."""

    base = MEASURED
    arms = (
        vanilla(VANILLA, MODEL, SMALL),
        *(
            disconnected(f"{how}, {size}", MODEL, how, SMALL, VANILLA, more)
            for how in ("class", "agglomerative", "random")
            for size, more in (("equal parameters", MATCHED), ("parts as large", ()))
        ),
    )
    metrics = (*METRICS, "training_tflop")
    notes = (
        "equal parameters: the widths of the parts are shrunk until all parts together have no "
        "more parameters than the vanilla model",
        "every arm sees as many training images: parts share the epochs by their points; training "
        "seconds and TFLOP are of one thread",
    )
