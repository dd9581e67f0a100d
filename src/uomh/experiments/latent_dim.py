"""Whether the intrinsic dimension of the data is the right size of codes."""

from __future__ import annotations

from uomh.experiments.core import Arm, Experiment
from uomh.experiments.forms import vanilla
from uomh.experiments.vae_flow import MODEL, SMALL
from uomh.registry import register

SWEEP = (2, 5, 8, 11, 14, 17, 20, 30, 50)
FITTED = "fitted"


def sweep() -> tuple[Arm, ...]:
    """The fitted size, and every one of the sweep against it."""
    sizes = ((f"{size}", f"{size}") for size in SWEEP)
    fixed = [vanilla(name, (*MODEL, f"autoencoder.latent_dim={n}"), SMALL) for name, n in sizes]
    return (
        vanilla(FITTED, (*MODEL, "autoencoder.latent_dim=dimension"), SMALL),
        *(Arm(arm.name, arm.settings, arm.small, FITTED) for arm in fixed),
    )


@register("experiments", "latent_dim")
class LatentDim(Experiment):
    """VAE + flow with codes of the data's intrinsic dimension, against a sweep of sizes."""

    base = (
        "evaluate.metrics=[fid,precision_recall_density_coverage,bits_per_dim,"
        "l2_reconstruction_error,low_dim_log_likelihood,between,id,clustered_id]",
    )
    arms = sweep()
    metrics = (
        "fid",
        *("precision", "recall", "coverage"),
        "bits_per_dim",
        "l2_reconstruction_error",
        *("between", "id_difference", "clustered_id"),
        *("parameters", "training_seconds"),
    )
    notes = (
        "an arm is called by the size of its codes; fitted: ceil of the intrinsic dimension of the "
        "training points at k = 10",
    )
