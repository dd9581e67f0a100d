"""How many clusters a disconnected model should have."""

from __future__ import annotations

from uomh.experiments.core import Arm, Experiment
from uomh.experiments.forms import disconnected, vanilla
from uomh.experiments.paper import MEASURED, METRICS, VANILLA
from uomh.experiments.vae import MODEL, SMALL
from uomh.registry import register

NUMBERS = (2, 5, 10, 20, 50)


def by_number(how: str, number: int) -> Arm:
    """A disconnected VAE of so many clusters, of no more parameters than one."""
    more = (f"clusters.num_clusters={number}", "model.match=parameters")
    return disconnected(f"{how} {number}", MODEL, how, SMALL, VANILLA, more)


@register("experiments", "clusters")
class Clusters(Experiment):
    """Disconnected VAEs of 2 to 50 clusters at equal parameters, random clusters as the control."""

    base = MEASURED
    arms = (
        vanilla(VANILLA, MODEL, SMALL),
        *(by_number(how, number) for number in NUMBERS for how in ("agglomerative", "random")),
    )
    metrics = METRICS
    notes = ("all arms have the parameters of the vanilla model at most (model.match=parameters)",)
