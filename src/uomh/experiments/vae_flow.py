"""The paper's comparison of latent sizes: a flow on the codes of a VAE."""

from __future__ import annotations

from uomh.experiments.core import Experiment
from uomh.experiments.forms import disconnected, vanilla
from uomh.experiments.paper import GROUPS, METRICS, NOTES
from uomh.registry import register

MODEL = ("name=two_step", "autoencoder.name=vae", "density.name=flow")
FIXED = (*MODEL, "autoencoder.latent_dim=20")
FITTED = (*MODEL, "autoencoder.latent_dim=dimension")
SMALL = (
    *("autoencoder.encoder.net=mlp", "autoencoder.decoder.net=mlp"),
    *("autoencoder.train.max_epochs=400", "density.train.max_epochs=400"),
)


@register("experiments", "vae_flow")
class VAEFlow(Experiment):
    """VAE + flow, whole and by cluster, with codes of 20 numbers or of the cluster's dimension."""

    base = (
        "evaluate.metrics=[fid,precision_recall_density_coverage,log_likelihood,bits_per_dim,"
        "l2_reconstruction_error,low_dim_log_likelihood,between,id,clustered_id,memorisation]",
    )
    arms = (
        vanilla("baseline", FIXED, SMALL),
        *(
            disconnected(f"{size} {how}", model, how, SMALL, "baseline")
            for how in GROUPS
            for size, model in (("constant", FIXED), ("fitted", FITTED))
        ),
    )
    metrics = METRICS
    notes = (
        *NOTES,
        "fitted: ceil of the cluster's intrinsic dimension at k = 10 (the published code, told "
        "latent_k=10, takes k = 12)",
    )
