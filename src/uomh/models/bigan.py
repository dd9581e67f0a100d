r"""The bidirectional generative adversarial network.

Beside a generator G: z -> x there is an encoder E: x -> z, and the critic f judges pairs: (x, E(x))
of data against (G(z), z) of the prior. Only where both laws of pairs agree can the critic not tell
them apart, and then E inverts G (Donahue et al. 2017; Dumoulin et al. 2017). With the Wasserstein
game and a reconstruction term that holds the two together,

    min_{G,E} max_f  E f(x, E(x)) - E f(G(z), z) + w E ||x - G(E(x))||^2,

the slope of f in (x, z) jointly bounded by the gradient penalty; `uomh.nn.critics` has the other
games. The critic is trained on every batch, encoder and generator on batches 0, n, 2n, ... with n
of ``critic.steps``, a function of the number of batches seen, so that resuming keeps the rhythm.

The prior is by default uniform on [-1, 1]^d. There is no density in data space. Neither
loss measures quality; the best weights are chosen by the reconstruction error of held-out points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Parameter

from uomh.data.core import DataSpec
from uomh.models.ae import AutoencoderConfig
from uomh.models.codec import CodecModel, usual_latent_dim
from uomh.nn.critics import Critic, CriticSettings
from uomh.nn.nets import nets_by_shape
from uomh.nn.priors import PriorSettings, build_prior
from uomh.registry import register
from uomh.settings import Nested, merged


@register("models", "bigan")
class BiGAN(CodecModel):
    """Bidirectional GAN: generator and encoder against one critic of pairs; no likelihood."""

    paper = "Donahue, Krähenbühl & Darrell 2017; Dumoulin et al. 2017"
    config: Config

    class Config(AutoencoderConfig):
        """Settings of the bidirectional generative adversarial network."""

        critic: CriticSettings = CriticSettings(net="mlp", steps=2)
        """network that scores pairs of point and code, and the game"""
        recon_weight: float = Field(1.0, ge=0)
        """weight of the squared reconstruction error"""
        prior: PriorSettings = PriorSettings(kind="uniform")
        """density of the codes"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data; rates and epochs are the paper's beyond 8x8 pixels."""
            parts = ("encoder", "decoder", "critic", "prior")
            model: dict[str, Any] = {
                name: getattr(cls(), name).model_dump(mode="json") for name in parts
            }
            model["latent_dim"] = usual_latent_dim(spec)
            error = "l2_reconstruction_error"
            choice = {"valid_metrics": [error], "early_stopping_metric": error, "patience": 50}
            train: dict[str, Any] = {"lr": 1e-4, "schedule": "cosine", "max_epochs": 200, **choice}
            if spec.dim <= 64:
                model["latent_dim"] = min(8, model["latent_dim"])
                train |= {"lr": 5e-4, "max_epochs": 300, "batch_size": 64}
            return {"model": merged(model, nets_by_shape(cls(), spec.shape)), "train": train}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.add_networks(config.latent_dim, config.encoder, config.decoder)
        self.critic = Critic(config.critic, spec.shape, config.latent_dim, self.num_classes)
        self.prior = build_prior(config.prior, config.latent_dim)

    def groups(self) -> dict[str, list[Parameter]]:
        """The critic; encoder, generator and prior."""
        parts = (self.encoder, self.decoder, self.prior)
        others = [parameter for part in parts for parameter in part.parameters()]
        return {"critic": list(self.critic.parameters()), "generator": others}

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """The critic's loss on every batch; that of the others on one in ``critic.steps``."""
        y = self.labels_of(y)
        x, _ = self.preprocess(x)
        with torch.no_grad():
            z = self.prior.sample(len(x))
            real, fake = (x, self.encoder(x, y)), (self.decoder(z, y), z)
        yield "critic", self.critic.loss(real, fake, y)
        self.critic.after_step()
        if step % self.config.critic.steps == 0:
            yield "generator", self.generator_loss(x, y)

    def generator_loss(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The loss () of encoder, generator and prior."""
        codes = self.inferred(x, y)
        z, weights = self.prior.sample_weighted(len(x))
        on_data = self.critic.as_fake(self.critic((x, codes), y))
        on_samples = self.critic.as_real(self.critic((self.decoder(z, y), z), y))
        # The gradient in a prior's learned weights; see `uomh.models.gan`.
        by_component = weights * (on_samples - on_samples.mean()).detach()
        error = self.error(x, codes, y)
        loss: Tensor = on_data + on_samples + by_component + self.config.recon_weight * error
        return loss.mean()

    def judged(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The critic's scores of points with their codes, and of as many samples, (B, 2)."""
        y = self.labels_of(y)
        x, _ = self.preprocess(x)
        z = self.prior.sample(len(x))
        pairs = (x, self.encoder(x, y)), (self.decoder(z, y), z)
        return torch.stack([self.critic(pair, y) for pair in pairs], 1)

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Decoded draws of the prior."""
        return self.decode(self.prior.sample(n), y)
