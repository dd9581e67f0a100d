r"""The variational autoencoder.

With a prior p(z) on codes, a decoder p(x|z) = N(x; mu(z), sigma^2) and an encoder
q(z|x) = N(m(x), diag s(x)^2), Jensen's inequality bounds the likelihood from below,

    log p(x) >= E_q [ log p(x|z) + log p(z) - log q(z|x) ],

which training maximises with one reparameterised draw z = m + s eps; where the prior is the
standard Gaussian, E_q log q - log p is taken in closed form. With k draws (Burda et al. 2016),

    log p(x) >= E log 1/k sum_i p(x|z_i) p(z_i) / q(z_i|x),

which is tighter in k and converges to the likelihood. Both are in nats in data space: the
log-determinants of the transforms are included.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.codec import usual_latent_dim
from uomh.models.gaussian import LOG_2PI, GaussianDecoderConfig, GaussianDecoderModel
from uomh.nn.nets import encoder, nets_by_shape
from uomh.nn.priors import StandardNormal
from uomh.registry import register
from uomh.settings import Nested


@register("models", "vae")
class VAE(GaussianDecoderModel):
    """Variational autoencoder with Gaussian encoder and decoder."""

    paper = "Kingma & Welling 2014; Burda et al. 2016"
    likelihood = "bound"
    config: Config

    class Config(GaussianDecoderConfig):
        """Settings of the VAE."""

        importance_samples: int = Field(64, ge=1)
        """draws k of the importance-weighted bound that `log_prob` gives"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data."""
            nets = nets_by_shape(cls(), spec.shape)
            return {"model": {"latent_dim": usual_latent_dim(spec), **nets}}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        if config.prior.kind == "uniform":
            raise UomhError(
                "a vae's Gaussian posterior reaches out of the cube of a uniform prior, so that no "
                "bound is finite; choose another prior.kind, or take avb, wae or bigan"
            )
        self.importance_samples = config.importance_samples
        self.encoder = encoder(config.encoder, spec.shape, 2 * config.latent_dim, self.num_classes)
        self.add_decoder()

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Negative evidence lower bound in nats in data space, one draw for each point."""
        y = self.labels_of(y)
        x, log_det = self.preprocess(x)
        mean, log_std = self.posterior(x, y)
        z = mean + log_std.exp() * torch.randn_like(mean)
        return self.divergence(z, mean, log_std) - self.log_decoder(x, z, y) - log_det

    def log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Importance-weighted lower bound of the log-density, in nats in data space, (B,).

        The setting ``importance_samples`` is its number of draws k; 1 gives the ELBO.
        """
        return self.importance_bound(x, y, self.prior.log_prob, self.importance_samples)

    def posterior_sample(self, x: Tensor, y: Tensor | None) -> Tensor:
        """One draw of q(z|x) for each x (B, ...), in the space of the transforms: (B, d)."""
        mean, log_std = self.posterior(x, y)
        return mean + log_std.exp() * torch.randn_like(mean)

    def proposal(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """The posterior itself."""
        return self.posterior(x, y)

    def posterior(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation of q(z|x), each (B, latent_dim)."""
        mean, log_std = self.encoder(x, y).chunk(2, 1)
        # Beyond these bounds exp() would overflow float32 a step or two after a bad start.
        return mean, log_std.clamp(-15, 15)

    def divergence(self, z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
        """E_q log q(z|x) - log p(z), (B,): exact for a Gaussian prior, else at the draw z."""
        if isinstance(self.prior, StandardNormal):
            return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(1)
        noise = (z - mean) * (-log_std).exp()
        log_q = -(0.5 * (noise.square() + LOG_2PI) + log_std).sum(1)
        return log_q - self.prior.log_prob(z)

    def inferred(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Posterior means (B, latent_dim)."""
        return self.posterior(x, y)[0]
