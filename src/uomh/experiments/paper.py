"""The seven arms of the paper for a model with a prior, and what is measured of them."""

from __future__ import annotations

from uomh.experiments.core import Arm
from uomh.experiments.forms import Texts, conditional, disconnected, vanilla

GROUPS = ("class", "agglomerative")
VANILLA = "vanilla"
MIXTURE = (
    "prior.kind=mixture_of_gaussians",
    "prior.components=10",
    "prior.spacing=3",
)
MEASURED = (
    "evaluate.metrics=[fid,precision_recall_density_coverage,log_likelihood,bits_per_dim,"
    "l2_reconstruction_error,between,id,clustered_id,memorisation]",
)
METRICS = (
    "fid",
    *("precision", "recall", "density", "coverage"),
    "bits_per_dim",
    "l2_reconstruction_error",
    *("between", "between_pixels", "between_unplaced"),
    *("id_difference", "clustered_id"),
    *("parameters", "training_seconds"),
)
NOTES = (
    "fid in features of a classifier that is trained on the data set, in place of the Inception "
    "network's: --features inception where its weights are (evaluate.features=inception)",
    "parts of a disconnected model are as large as the vanilla model, as in the paper: "
    "`matched` compares at equal parameters",
)


def seven(model: Texts, small: Texts) -> tuple[Arm, ...]:
    """Vanilla, conditional, with a mixture prior, disconnected, and its random control.

    Args:
        model: settings of the vanilla model.
        small: settings of its scaled form.
    """
    mixture = vanilla("mixture prior", (*model, *MIXTURE), small)
    return (
        vanilla(VANILLA, model, small),
        *(conditional(f"conditional {how}", model, how, small, VANILLA) for how in GROUPS),
        Arm(mixture.name, mixture.settings, mixture.small, VANILLA),
        *(
            disconnected(f"disconnected {how}", model, how, small, VANILLA)
            for how in (*GROUPS, "random")
        ),
    )
