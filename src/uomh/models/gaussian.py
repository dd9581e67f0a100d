r"""Models whose decoder is a Gaussian: p(x|z) = N(x; mu(z), sigma^2), with a prior p(z) on codes.

The variational and the adversarial way to fit them share the decoder, its deviation, and samples.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from uomh.data.core import Data, DataSpec
from uomh.models.ae import AutoencoderConfig
from uomh.models.codec import CodecModel
from uomh.nn.annealed import annealed_log_integral
from uomh.nn.nets import decoder
from uomh.nn.priors import PriorSettings, build_prior
from uomh.nn.transforms import Cells

LOG_2PI = math.log(2 * math.pi)


class GaussianDecoderConfig(AutoencoderConfig):
    """Settings of models with a Gaussian decoder."""

    decoder_sigma: Literal["unit", "single", "per_pixel"] = "single"
    """deviation of the decoder: 1, one learned number, or an output of the decoder by pixel"""
    prior: PriorSettings = PriorSettings()
    """density of the codes"""
    sample_means: bool = True
    """samples are the decoder's means; false: draws from the decoder's Gaussian"""


class GaussianDecoderModel(CodecModel):
    """A prior and a Gaussian decoder; a subclass says how codes are inferred."""

    config: GaussianDecoderConfig
    log_floor: Tensor

    def __init__(self, config: GaussianDecoderConfig, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.latent_dim = config.latent_dim

    def add_decoder(self) -> None:
        """Build decoder, prior and deviation; called once the encoder is built.

        The order of building decides which initial weights a seed gives.
        """
        config, spec = self.config, self.spec
        maps = 2 if config.decoder_sigma == "per_pixel" else 1
        self.decoder = decoder(
            config.decoder, config.latent_dim, spec.shape, self.num_classes, maps
        )
        self.prior = build_prior(config.prior, config.latent_dim)
        self.register_buffer("log_floor", torch.full(spec.shape, math.log(1e-3)))
        if config.decoder_sigma == "single":
            self.log_sigma = nn.Parameter(torch.zeros(()))

    def log_decoder(self, x: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """Log N(x; mu(z), sigma^2), (B,), in the space of the transforms."""
        mean, log_sigma = self.likelihood_of(z, y)
        standard = ((x - mean) * (-log_sigma).exp()).flatten(1)
        spread = log_sigma.expand_as(mean).flatten(1).sum(1)
        return -0.5 * (standard.square().sum(1) + self.spec.dim * LOG_2PI) - spread

    @abstractmethod
    def proposal(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation, each (B, latent_dim), of a Gaussian of codes near those of x.

        x stands in the space of the transforms.
        """

    @abstractmethod
    def posterior_sample(self, x: Tensor, y: Tensor | None) -> Tensor:
        """One draw of q(z|x) for each x (B, ...), in the space of the transforms: (B, d)."""

    def importance_bound(
        self, x: Tensor, y: Tensor | None, log_prior: Callable[[Tensor], Tensor], draws: int
    ) -> Tensor:
        """Importance-weighted bound of log of the integral of p(x|z) p(z), (B,), in data space.

        E log 1/k sum_i p(x|z_i) p(z_i) / q(z_i), z_i of the proposal q (Burda et al. 2016); it
        grows with k towards the log-density, also where p(z_i) is an unbiased estimate itself.

        Args:
            x: points of data space (B, ...).
            y: their labels, or None.
            log_prior: log p of codes (B, latent_dim): (B,).
            draws: k.
        """
        x, log_det = self.preprocess(x)
        mean, log_std = self.proposal(x, y)
        log_weights = []
        for _ in range(draws):
            noise = torch.randn_like(mean)
            z = mean + log_std.exp() * noise
            log_q = -(0.5 * (noise.square() + LOG_2PI) + log_std).sum(1)
            log_weights.append(self.log_decoder(x, z, y) + log_prior(z) - log_q)
        return torch.logsumexp(torch.stack(log_weights), 0) - math.log(draws) + log_det

    def annealed_bound(self, x: Tensor, y: Tensor | None, chains: int, temperatures: int) -> Tensor:
        """Bound of the log-density by annealed importance sampling, (B,), in data space.

        Args:
            x: points of data space (B, ...).
            y: their labels, or None.
            chains: for each point.
            temperatures: steps between the proposal and the posterior.
        """
        x, log_det = self.preprocess(x)
        labels = None if y is None else y.repeat_interleave(chains)
        wide = x.repeat_interleave(chains, 0)

        def log_joint(z: Tensor) -> Tensor:
            density: Tensor = self.log_decoder(wide, z, labels) + self.prior.log_prob(z)
            return density

        found = annealed_log_integral(log_joint, *self.proposal(x, y), chains, temperatures)
        return found + log_det

    def likelihood_of(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean (B, ...) and log-deviation (B, ...) or () of the decoder at codes z."""
        match self.config.decoder_sigma:
            case "unit":
                return self.decoder(z, y), z.new_zeros(())
            case "single":
                return self.decoder(z, y), self.floored(self.log_sigma)
            case "per_pixel":
                mean, log_sigma = self.decoder(z, y).chunk(2, 1)
                return mean, self.floored(log_sigma)

    def floored(self, log_sigma: Tensor) -> Tensor:
        """Keep a learned deviation above half a grey level (1e-3 for vectors).

        Below it, a Gaussian would earn density from the grid of grey levels, without limit on
        pixels that never change. The floor is smooth, so that gradients survive it.
        """
        return self.log_floor + nn.functional.softplus(log_sigma - self.log_floor)

    def prepare(self, data: Data) -> None:
        """Fit the transforms; set the floor of deviations, and where the learned one begins.

        The floor is half a grey level at mid-grey, seen through the transforms. The single
        deviation begins at that of the data, the best one for a decoder that has learned nothing.
        """
        super().prepare(data)
        if self.config.decoder_sigma == "single":
            x, _ = self.transform(Cells(dequantize=False)(data.train.x[:4096]))
            deviation = (x - x.mean(0)).square().mean().sqrt().clamp_min(1e-3)
            self.log_sigma.data.copy_(deviation.log())
        if self.spec.levels is not None:
            middle = torch.full((1, *self.spec.shape), self.spec.levels / 2)
            low, high = (self.transform(middle + step)[0][0] for step in (-0.25, 0.25))
            self.log_floor.copy_((high - low).log())

    def restored(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Decoder means (B, ...) in the space of the transforms."""
        return self.likelihood_of(z, y)[0]

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Points (n, ...) of data space; see the setting ``sample_means``."""
        mean, log_sigma = self.likelihood_of(self.prior.sample(n), y)
        if not self.config.sample_means:
            mean = mean + log_sigma.exp() * torch.randn_like(mean)
        return self.transform.inverse(mean)
