r"""Generative adversarial networks.

A generator G maps draws z of a prior to points; a critic f scores points, high for data and low for
samples G(z). The critic is trained to tell them apart, the generator to be scored as data are
(Goodfellow et al. 2014). By default the game is the Wasserstein-1 distance with gradient penalty,

    min_G max_f  E f(x) - E f(G(z)) - lambda E (||grad f(u)|| - 1)^2

(Arjovsky et al. 2017, Gulrajani et al. 2017); `uomh.nn.critics` has the others. The critic is
trained on every batch, with fresh draws; the generator after it on batches 0, n, 2n, ..., where n
is ``critic.steps``. The number of batches seen, which every checkpoint has, decides, so that a
resumed run goes on in the same rhythm.

The critic takes images in [-1, 1], the range of tanh, with which the generator ends: -1 and 1 are
the ends of data space, seen through the transforms. A GAN gives samples without a density:
`log_prob` refuses, and neither loss says how good the samples are, so by default no loss is
validated and the last weights are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Parameter

from uomh.data.core import Data, DataSpec
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.nn.critics import Critic, CriticSettings
from uomh.nn.layers import NetSettings
from uomh.nn.nets import convolves, decoder, nets_by_shape
from uomh.nn.priors import PriorSettings, build_prior
from uomh.registry import register
from uomh.settings import Nested, merged


@register("models", "gan")
class GAN(Model):
    """Generative adversarial network: Wasserstein or logistic; samples, no likelihood."""

    paper = "Goodfellow et al. 2014; Arjovsky et al. 2017; Gulrajani et al. 2017"
    centre: Tensor
    reach: Tensor
    config: Config

    class Config(ModelConfig):
        """Settings of the generative adversarial network."""

        latent_dim: int = Field(100, ge=1)
        """dimension of the prior"""
        generator: NetSettings = NetSettings(
            hidden_dims=(256, 256), hidden_channels=(256, 128, 64), kernel_size=4, stride=2
        )
        """network from draws of the prior to points"""
        critic: CriticSettings = CriticSettings()
        """network that scores points, and the game"""
        prior: PriorSettings = PriorSettings()
        """density of the generator's input"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data: the paper's on images of more than 8x8 pixels."""
            generator, critic = (getattr(cls(), name) for name in ("generator", "critic"))
            model: dict[str, Any] = {
                "generator": generator.model_dump(mode="json"),
                "critic": critic.model_dump(mode="json"),
            }
            optimizer = {"lr": 1e-3, "betas": [0.5, 0.99], "schedule": "cosine"}
            train: dict[str, Any] = {**optimizer, "max_epochs": 200, "valid_metrics": []}
            if spec.is_image:
                model["generator"]["final_activation"] = "tanh"
            nets = (generator, critic)
            if spec.dim > 64 and all(convolves(net, spec.shape) for net in nets):
                for net in model.values():
                    net |= {"net": "cnn", "norm": "instance"}
            else:
                model["latent_dim"] = min(20, 2 * spec.dim)
                model["critic"]["steps"] = 2
                train |= {"max_epochs": 300, "batch_size": 64}
                model = merged(model, nets_by_shape(cls(), spec.shape))
            return {"model": model, "train": train}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.latent_dim = config.latent_dim
        self.generator = decoder(config.generator, self.latent_dim, spec.shape, self.num_classes)
        self.critic = Critic(config.critic, spec.shape, 0, self.num_classes)
        self.prior = build_prior(config.prior, self.latent_dim)
        self.register_buffer("centre", torch.zeros(spec.shape))
        self.register_buffer("reach", torch.ones(spec.shape))

    def groups(self) -> dict[str, list[Parameter]]:
        """The critic, and the generator with its prior."""
        generator = [*self.generator.parameters(), *self.prior.parameters()]
        return {"critic": list(self.critic.parameters()), "generator": generator}

    def prepare(self, data: Data) -> None:
        """Fit the transforms; find the ends of data space in the space of the transforms."""
        super().prepare(data)
        if self.spec.levels is not None:
            ends = torch.zeros(2, *self.spec.shape, device=self.centre.device)
            ends[1] = self.spec.levels
            low, high = self.transform(ends)[0]
            self.centre.copy_((low + high) / 2)
            self.reach.copy_((high - low) / 2)

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """The critic's loss on every batch; the generator's on one in ``critic.steps``."""
        y = self.labels_of(y)
        real = self.as_seen(x)
        with torch.no_grad():
            fake = self.generator(self.prior.sample(len(x)), y)
        yield "critic", self.critic.loss((real,), (fake,), y)
        self.critic.after_step()
        if step % self.config.critic.steps == 0:
            z, weights = self.prior.sample_weighted(len(x))
            losses = self.critic.as_real(self.critic((self.generator(z, y),), y))
            # Weights are one and pass a gradient to the prior's learned weights. It has less
            # variance where the mean is taken off the losses, and the same expectation.
            by_component = (weights * (losses - losses.mean()).detach()).mean()
            yield "generator", losses.mean() + by_component

    def as_seen(self, x: Tensor) -> Tensor:
        """Points of data space as the critic takes them, images in [-1, 1]."""
        return (self.preprocess(x)[0] - self.centre) / self.reach

    def judged(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The critic's scores of points, and of as many samples given the same labels, (B, 2)."""
        y = self.labels_of(y)
        fake = self.generator(self.prior.sample(len(x)), y)
        return torch.stack([self.critic((points,), y) for points in (self.as_seen(x), fake)], 1)

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Generated points of data space."""
        points = self.generator(self.prior.sample(n), y)
        return self.transform.inverse(points * self.reach + self.centre)
