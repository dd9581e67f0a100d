"""The paper's classifiers, their losses plain and weighted by dimension."""

from __future__ import annotations

from uomh.experiments.core import Arm, Experiment
from uomh.registry import register

NETWORKS = ("resnet18", "resnet34", "vgg19")
NARROW = ("model.width=8",)
"""a scaled run's, an eighth of the published width: it trains on processors"""


def both(network: str) -> tuple[Arm, Arm]:
    """A network trained by either loss."""
    settings = ("model.name=classifier", f"model.network={network}")
    weighted = (*settings, "model.weight_by_dimension=true")
    return (
        Arm(f"{network} plain", settings, NARROW),
        Arm(f"{network} weighted", weighted, NARROW, f"{network} plain"),
    )


@register("experiments", "classifier")
class Classifiers(Experiment):
    """Classifiers whose loss is weighted by the dimension of classes, against plain ones."""

    datasets = ("cifar100",)
    arms = tuple(arm for network in NETWORKS for arm in both(network))
    metrics = (
        *("accuracy", "right_probability", "calibration_error", "loss"),
        *("dimension_correlation", "dimension_pearson"),
        *("parameters", "training_seconds"),
    )
    notes = (
        "dimension_correlation is Spearman's, of the accuracy of a class with the dimension of its "
        "training points; in the table its interval is over seeds, in the lines below over classes",
    )
