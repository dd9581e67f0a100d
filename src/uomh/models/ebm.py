r"""The energy-based model, trained by contrastive divergence with a replay buffer.

p(x|y) = exp(-E(x, y)) / Z(y) on a box, with a network E. The gradient of the log-likelihood is

    d log p(x) = -d E(x) + E_{x' ~ p} d E(x'),

and x' comes from Langevin chains that live on in a buffer between steps (Du & Mordatch 2019):

    x' <- x' + sigma eps - step * clamp(dE/dx', +-c),    kept in the box,

a few of them begun anew from noise each time. Energies are kept near zero by a small penalty on
their squares. The chains need the gradient in x' alone, so no graph of the parameters is built. The
buffer is part of the model's state, so a resumed run goes on with the same chains.

What the network gives is *unnormalised*: `unnormalised_log_prob`. A likelihood needs Z, which
`estimate_log_partition` estimates by annealed importance sampling, with an interval; a training
step changes Z, and so drops the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from uomh.data.core import Data, DataSpec
from uomh.errors import UomhError
from uomh.models.core import Likelihood
from uomh.models.inputs import checked_count
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.nn.ais import LogPartition, ais_log_partition
from uomh.nn.layers import NetSettings
from uomh.nn.nets import encoder, nets_by_shape
from uomh.nn.transforms import centred
from uomh.registry import register
from uomh.settings import Nested
from uomh.sizes import at_once, is_large


@register("models", "ebm")
class EBM(Model):
    """Energy-based model with Langevin chains in a replay buffer."""

    paper = "Du & Mordatch 2019; Neal 2001"
    likelihood: Likelihood | None = "estimate"
    low: Tensor
    high: Tensor
    replay: Tensor
    replay_labels: Tensor
    replayed: Tensor
    log_partition: Tensor
    config: Config

    class Config(ModelConfig):
        """Settings of the energy-based model."""

        energy: NetSettings = NetSettings(
            hidden_dims=(256, 256), hidden_channels=(64, 64, 32, 32), activation="swish"
        )
        """network from points to energies"""
        buffer_size: int = Field(8192, ge=1)
        """Langevin chains that are kept"""
        ld_steps: int = Field(60, ge=1)
        """Langevin steps of each training step"""
        ld_step_size: float = Field(10.0, gt=0)
        """size of a Langevin step"""
        ld_sigma: float = Field(0.005, ge=0)
        """deviation of the noise of a Langevin step"""
        ld_grad_clamp: float = Field(0.03, gt=0)
        """largest derivative of the energy that a Langevin step follows"""
        ld_eps_new: float = Field(0.05, ge=0, le=1)
        """share of chains that begin anew from noise"""
        loss_alpha: float = Field(0.1, ge=0)
        """weight of the penalty on squared energies"""
        sample_from: Literal["buffer", "noise"] = "buffer"
        """where the chains of samples begin"""
        sample_steps: int = Field(256, ge=0)
        """Langevin steps from noise to a sample; from the buffer it takes ld_steps"""
        ais_chains: int = Field(0, ge=0)
        """chains that estimate the normalising constant when a likelihood is asked for; 0: none"""
        ais_temperatures: int = Field(500, ge=1)
        """temperatures that each of these chains goes through"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data."""
            if is_large(spec.dim):
                buffer = {"buffer_size": at_once(cls().buffer_size, spec.dim)}
                return {"model": buffer, "train": {"batch_size": at_once(128, spec.dim)}}
            nested: Nested = {"model": nets_by_shape(cls(), spec.shape)}
            return nested | ({"train": {"max_epochs": 60}} if spec.dim <= 64 else {})

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.likelihood = "estimate" if config.ais_chains else None
        self.boxed = spec.is_image and not (config.logit_transform or config.whitening_transform)
        if self.boxed:
            self.transform = centred(self.transform, spec, 1.0)
        self.energy_net = encoder(config.energy, spec.shape, 1, self.num_classes)
        self.register_buffer("low", torch.full(spec.shape, -1.0))
        self.register_buffer("high", torch.full(spec.shape, 1.0))
        self.register_buffer("replay", torch.zeros(config.buffer_size, *spec.shape))
        self.register_buffer("replay_labels", torch.zeros(config.buffer_size, dtype=torch.long))
        self.register_buffer("replayed", torch.zeros((), dtype=torch.long))
        self.register_buffer("log_partition", torch.full((max(self.num_classes, 1),), math.inf))

    def prepare(self, data: Data) -> None:
        """Fit the transforms; the box of vectors is a tenth wider at each end than the data."""
        super().prepare(data)
        if self.boxed:
            return
        parts = [self.preprocess(x)[0] for x, _ in data.train.batches(4096)]
        low = torch.stack([part.amin(0) for part in parts]).amin(0)
        high = torch.stack([part.amax(0) for part in parts]).amax(0)
        margin = 0.1 * (high - low).clamp_min(1e-3)
        self.low.copy_(low - margin)
        self.high.copy_(high + margin)

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """Contrast of energies between data and chains, and the penalty on their squares."""
        del step
        self.log_partition.fill_(math.inf)  # the step changes it
        chains, labels = self.advanced(len(x))
        z, _ = self.preprocess(x)
        real, drawn = self.energy(z, self.labels_of(y)), self.energy(chains, labels)
        penalty = real.square().mean() + drawn.square().mean()
        yield "model", real.mean() - drawn.mean() + self.config.loss_alpha * penalty

    def advanced(self, n: int) -> tuple[Tensor, Tensor | None]:
        """Points (n, ...) and labels of n chains of the buffer, or new ones, after Langevin steps.

        They are kept in the buffer, in place of the oldest.
        """
        size = len(self.replay)
        filled = self.replayed.clamp(1, size)
        rows = (torch.rand(n, device=self.device) * filled).long()
        new = torch.rand(n, device=self.device) < self.config.ld_eps_new
        new = new | (self.replayed == 0)
        x = torch.where(self.per_point(new), self.noise(n), self.replay[rows])
        labels = self.replay_labels[rows]
        if self.num_classes:
            fresh = torch.multinomial(self.label_weights, n, replacement=True)
            labels = torch.where(new, fresh, labels)
        x = self.langevin(x, self.labels_of(labels), self.config.ld_steps)
        places = (self.replayed + torch.arange(n, device=self.device)) % size
        kept = min(n, size)
        self.replay[places[-kept:]] = x[-kept:]
        self.replay_labels[places[-kept:]] = labels[-kept:]
        self.replayed += n
        return x, self.labels_of(labels)

    def langevin(self, x: Tensor, y: Tensor | None, steps: int) -> Tensor:
        """Langevin steps from points x of the box."""
        config = self.config
        with frozen(self.energy_net):
            for _ in range(steps):
                x = x + config.ld_sigma * torch.randn_like(x)
                x = torch.clamp(x, self.low, self.high)
                slope = self.slope(x, y).clamp(-config.ld_grad_clamp, config.ld_grad_clamp)
                x = torch.clamp(x - config.ld_step_size * slope, self.low, self.high)
        return x

    def slope(self, x: Tensor, y: Tensor | None) -> Tensor:
        """dE/dx."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.energy(x, y).sum(), x)
        return slope

    def energy(self, z: Tensor, y: Tensor | None) -> Tensor:
        """E, (B,), of points of the box."""
        values: Tensor = self.energy_net(z, y)[:, 0].float()
        return values

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Points of data space: chains of the buffer, or new ones from noise, taken further."""
        x, steps = self.noise(n), self.config.sample_steps
        if self.config.sample_from == "buffer":
            steps = self.config.ld_steps
            places = torch.arange(len(self.replay), device=self.device)
            usable = (places < self.replayed).expand(n, -1)
            if y is not None:
                usable = usable & (self.replay_labels == y[:, None])
            # A random usable chain for each point; noise where there is none.
            rank = torch.where(usable, torch.rand(usable.shape, device=self.device), -1.0)
            best = rank.max(1)
            x = torch.where(self.per_point(best.values >= 0), self.replay[best.indices], x)
        return self.transform.inverse(self.langevin(x, y, steps))

    def noise(self, n: int) -> Tensor:
        """Uniform points of the box."""
        uniform = torch.rand(n, *self.spec.shape, device=self.device, dtype=self.low.dtype)
        return self.low + (self.high - self.low) * uniform

    def per_point(self, flags: Tensor) -> Tensor:
        """Flags (B,) in the shape (B, 1, ...) that chooses between points."""
        return flags.reshape(-1, *(1,) * len(self.spec.shape))

    def unnormalised_log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """-E in nats in data space, (B,): log-density up to a constant for each label.

        Raises:
            UomhError: x and y are not of the data that the model is for, or the model is
                conditional and there are no labels.
        """
        x, y = self.checked(x, y)
        if self.num_classes and y is None:
            raise UomhError("this model is conditional; give it labels")
        if not len(x):
            return self.like.new_empty(0)
        return self.within_reach(x, y, self._unnormalised)

    def _unnormalised(self, x: Tensor, y: Tensor | None) -> Tensor:
        z, log_det = self.preprocess(x)
        inside = ((z >= self.low) & (z <= self.high)).flatten(1).all(1)
        return torch.where(inside, -self.energy(z, self.labels_of(y)) + log_det, -math.inf)

    def estimate_log_partition(self, chains: int = 256) -> LogPartition:
        """Estimate log Z of every label by annealed importance sampling, and keep it.

        Args:
            chains: for each label.

        Returns:
            estimates with 95% intervals, (K,), or (1,) without labels.

        Raises:
            UomhError: chains is not a whole number of at least one.
        """
        if not checked_count(chains, "chains"):
            raise UomhError("an estimate of the normalising constant needs at least one chain")
        groups = len(self.log_partition)
        labels = torch.arange(groups, device=self.device).repeat_interleave(chains)
        with frozen(self.energy_net):
            estimate = ais_log_partition(
                lambda z: self.energy(z, self.labels_of(labels)),
                self.low,
                self.high,
                chains,
                groups,
                self.config.ais_temperatures,
            )
        self.log_partition.copy_(estimate.value)
        self.likelihood = "estimate"
        return estimate

    def log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Estimated log-density in nats in data space, (B,): -E - log Z.

        Raises:
            UomhError: Z is not known, and the setting ``ais_chains`` does not allow for it.
        """
        if self.log_partition.isinf().any():
            if not self.config.ais_chains:
                raise UomhError(
                    "an energy-based model has no likelihood until its normalising constant is "
                    "estimated: set model.ais_chains=256, or call estimate_log_partition()"
                )
            self.estimate_log_partition(self.config.ais_chains)
        constant = self.log_partition[0 if y is None else y]
        return self._unnormalised(x, y) - constant


@contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Within it the weights are constants, and the network is in evaluation mode.

    So gradients in the input build no graph of the weights.
    """
    learned = [parameter for parameter in net.parameters() if parameter.requires_grad]
    training = net.training
    net.eval()
    for parameter in learned:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        net.train(training)
        for parameter in learned:
            parameter.requires_grad_(True)
