r"""The Wasserstein autoencoder.

A decoder G: R^d -> R^D maps a prior p(z) to a model of the data. Its optimal-transport cost to the
data, with squared distance, is the least E ||x - G(z)||^2 over all couplings, that is, over all
random maps x -> z whose codes have in total the distribution p (Tolstikhin et al. 2018). With a
deterministic encoder E, and the constraint relaxed to a penalty,

    minimise  E ||x - G(E(x))||^2 + lambda D(q, p),      q the distribution of the codes E(x).

``penalty=adversarial``: D is the game of a discriminator T between draws of the prior (high) and
codes (low); it minimises E softplus(-T(z_p)) + E softplus(T(z_q)), the encoder softplus(-T(z_q)).
The game of two players circles its solution; the ``slope_penalty`` r/2 E ||grad T||^2 at codes and
draws makes it settle there (Mescheder et al. 2018).
``penalty=mmd``: D is the maximum mean discrepancy (`uomh.nn.mmd`). There is no discriminator then,
and no game. A conditional model matches the codes of every label with the prior.

A prior with learned parameters is pulled towards the codes by the same penalty. The model's law is
that of G(z), on a manifold of d dimensions in R^D: it has no density in data space.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.functional import softplus

from uomh.data.core import DataSpec
from uomh.models.codec import CodecModel, CodesConfig, usual_latent_dim
from uomh.nn.critics import logistic_loss
from uomh.nn.layers import NetSettings
from uomh.nn.mmd import mmd
from uomh.nn.nets import convolves, encoder, nets_by_shape
from uomh.nn.priors import PriorSettings, build_prior
from uomh.registry import register
from uomh.settings import Nested, merged


@register("models", "wae")
class WAE(CodecModel):
    """Wasserstein autoencoder: codes matched with a prior, adversarially or by MMD."""

    paper = "Tolstikhin, Bousquet, Gelly & Schölkopf 2018"
    compared_together = 256
    config: Config

    class Config(CodesConfig):
        """Settings of the Wasserstein autoencoder."""

        encoder: NetSettings = NetSettings(hidden_dims=(256, 128), hidden_channels=(64, 64, 32, 32))
        """network from points to codes"""
        decoder: NetSettings = NetSettings(hidden_dims=(128, 256), hidden_channels=(32, 32, 64, 64))
        """network from codes to points"""
        discriminator: NetSettings = NetSettings(net="mlp", hidden_dims=(256, 256))
        """network that tells codes from draws of the prior"""
        penalty: Literal["adversarial", "mmd"] = "adversarial"
        """how the distribution of the codes is held to the prior"""
        lambda_: float = Field(10.0, ge=0)
        """weight of the penalty"""
        slope_penalty: float = Field(0.0, ge=0)
        """adversarial: weight of the squared slope of the discriminator; the paper has none"""
        prior: PriorSettings = PriorSettings()
        """density that the codes are to have"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data: the paper's on images of more than 8x8 pixels."""
            model: dict[str, Any] = {
                name: getattr(cls(), name).model_dump(mode="json")
                for name in ("encoder", "decoder")
            }
            groups = {"autoencoder": {"lr": 1e-3}, "discriminator": {"lr": 5e-4}}
            # Momentum makes the two players circle: with 0.9, codes of digits never settle.
            train: dict[str, Any] = {"groups": groups, "betas": [0.5, 0.999], "max_epochs": 300}
            nets = (cls().encoder, cls().decoder)
            if spec.dim > 64 and all(convolves(net, spec.shape) for net in nets):
                model["encoder"]["net"] = model["decoder"]["net"] = "cnn"
            else:
                model = merged(model, nets_by_shape(cls(), spec.shape))
                model |= {"latent_dim": usual_latent_dim(spec, 8)}
                model |= {"lambda_": 1.0, "slope_penalty": 0.3}
                groups["discriminator"]["lr"] = 1e-3
                train |= {"schedule": "cosine", "max_epochs": 200, "batch_size": 64}
            return {"model": model, "train": train}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.add_networks(config.latent_dim, config.encoder, config.decoder)
        self.prior = build_prior(config.prior, config.latent_dim)
        self.learned_prior = any(True for _ in self.prior.parameters())
        self.discriminator = None
        if config.penalty == "adversarial":
            settings, shape = config.discriminator, (config.latent_dim,)
            self.discriminator = encoder(settings, shape, 1, self.num_classes)

    def groups(self) -> dict[str, list[Parameter]]:
        """The autoencoder with its prior, and the discriminator (empty with ``penalty=mmd``)."""
        parts = (self.encoder, self.decoder, self.prior)
        discriminator = self.discriminator
        return {
            "autoencoder": [parameter for part in parts for parameter in part.parameters()],
            "discriminator": [] if discriminator is None else list(discriminator.parameters()),
        }

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """The discriminator's loss, then the autoencoder's against the stepped discriminator."""
        del step
        y = self.labels_of(y)
        x, _ = self.preprocess(x)
        codes = self.inferred(x, y)
        if self.discriminator is not None:
            yield "discriminator", self.discriminator_loss(self.discriminator, codes, y)
        if self.discriminator is None:
            penalty = self.mmd_penalty(codes, y)
        else:
            penalty = self.adversarial_penalty(self.discriminator, codes, y)
        yield "autoencoder", (self.error(x, codes, y) + self.config.lambda_ * penalty).mean()

    def discriminator_loss(
        self, discriminator: nn.Module, codes: Tensor, y: Tensor | None
    ) -> Tensor:
        """The discriminator's logistic loss, and the penalty on its squared slope."""
        inputs = [self.prior.sample(len(codes)).detach(), codes.detach()]
        weight = self.config.slope_penalty
        if not weight:
            return logistic_loss(*(discriminator(points, y) for points in inputs))
        scores = [discriminator(points.requires_grad_(), y) for points in inputs]
        total = sum(score.sum() for score in scores)
        slopes = torch.autograd.grad(total, inputs, create_graph=True)
        steepness = torch.stack([slope.square().sum(1).mean() for slope in slopes]).sum()
        return logistic_loss(*scores) + weight / 2 * steepness

    def adversarial_penalty(
        self, discriminator: nn.Module, codes: Tensor, y: Tensor | None
    ) -> Tensor:
        """The encoder's loss in the game, (B,), with that of the prior where it is learned."""
        penalty = softplus(-discriminator(codes, y)).squeeze(1)
        if not self.learned_prior:
            return penalty
        draws, weights = self.prior.sample_weighted(len(codes))
        return penalty + weights * softplus(discriminator(draws, y)).squeeze(1)

    def mmd_penalty(self, codes: Tensor, y: Tensor | None) -> Tensor:
        """Each code's share, (B,), of the maximum mean discrepancy between codes and prior."""
        draws, weights = self.prior.sample_weighted(len(codes))
        return mmd(codes, draws, y, weights)

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Reconstruction error and lambda times the maximum mean discrepancy of the codes, (B,).

        The adversarial penalty would measure the discriminator more than the codes: it is lowest
        before the discriminator has learned anything.
        """
        y = self.labels_of(y)
        x, _ = self.preprocess(x)
        codes = self.inferred(x, y)
        return self.error(x, codes, y) + self.config.lambda_ * self.mmd_penalty(codes, y)

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Decoded draws of the prior."""
        return self.decode(self.prior.sample(n), y)
