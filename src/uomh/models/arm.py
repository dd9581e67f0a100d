r"""An autoregressive model: a recurrent network over coordinates, a Gaussian mixture at each.

The chain rule makes the likelihood exact,

    log p(x) = sum_t log p(x_t | x_1 .. x_{t-1}),   p(x_t | ...) = sum_k w_k N(x_t; m_k, s_k^2),

with weights, means and deviations read off an LSTM that has seen the coordinates before t. Images
are read in raster order, the channels of a pixel one after the other. Training feeds the data
themselves (one pass over the sequence); sampling feeds back what was drawn, one step at a time for
a whole batch, and keeps the state.

Nearly all time goes into the recurrent products, 2 x 256 units over 784 steps being 3.7 GFLOP an
image forward and backward, so training takes them in bfloat16 where ``train_precision`` says so,
with float32 weights, mixtures and gradients. Mixtures are computed with the components as the first
axis: sums over a last axis of ten do not vectorise.

Sequences longer than those of 32x32 colour images are read in segments, each from the state in
which the one before ended, and the graph of a segment is made anew when its gradient is due (Chen
et al. 2016). Densities and gradients are those of the whole; memory is that of one segment.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.nn.transforms import centred
from uomh.registry import register
from uomh.settings import Nested, Width
from uomh.sizes import at_once, is_large

State = tuple[Tensor, Tensor]
"""hidden and cell states of the recurrent layers, each (L, B, H)"""

SEGMENT = 1024
"""coordinates of a segment of a long sequence"""

LOG_FLOOR = math.log(1e-3)
"""of deviations, in the space of the transforms; an eighth of a cell of 256 grey levels"""


@register("models", "arm")
class ARM(Model):
    """Autoregressive model: an LSTM over coordinates with Gaussian mixture outputs."""

    paper = "Hochreiter & Schmidhuber 1997; van den Oord, Kalchbrenner & Kavukcuoglu 2016"
    likelihood = "exact"
    config: Config

    class Config(ModelConfig):
        """Settings of the autoregressive model."""

        hidden_size: Annotated[int, Width()] = Field(256, ge=1)
        """units of each recurrent layer"""
        num_layers: int = Field(2, ge=1)
        """recurrent layers"""
        k_mixture: int = Field(10, ge=1)
        """components of the mixture at each coordinate"""
        train_precision: Literal["float32", "bfloat16"] = "float32"
        """of recurrent products in training; likelihoods and samples are always in float32"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data: the paper's sizes; less for images as small as 8x8.

            Images larger than the paper's take the smaller network too: it reads every coordinate
            one after the other, so that an epoch of the paper's takes ten times as long.
            """
            small = spec.dim <= 64
            model: Nested = {"hidden_size": 128, "num_layers": 1}
            train: Nested = {"schedule": "cosine", "patience": 10}
            if spec.is_image and not small:
                model = {"hidden_size": 256, "num_layers": 2, "train_precision": "bfloat16"}
            if small:
                train |= {"max_epochs": 40, "batch_size": 32, "lr": 5e-3}
            if is_large(spec.dim):
                model |= {"hidden_size": 128, "num_layers": 1}
                train["batch_size"] = at_once(256, spec.dim)
            return {"model": model, "train": train}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        if spec.is_image and not (config.logit_transform or config.whitening_transform):
            self.transform = centred(self.transform, spec, 1.0)
        inputs = 1 + self.num_classes
        self.lstm = nn.LSTM(inputs, config.hidden_size, config.num_layers, batch_first=True)
        self.head = nn.Linear(config.hidden_size, 3 * config.k_mixture)
        _, means, log_stds = self.head.bias.data.chunk(3)
        means.copy_(torch.linspace(-1, 1, config.k_mixture))
        log_stds.fill_(math.log(2 / config.k_mixture))

    def log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Exact log-density in nats in data space, (B,)."""
        x, log_det = self.preprocess(x)
        sequence = self.sequence(x)
        before = functional.pad(sequence[:, :-1], (1, 0))
        if not is_large(self.spec.dim):
            return self.segment(sequence, before, y, None)[0] + log_det
        total, state = log_det, None
        for part, shifted in zip(sequence.split(SEGMENT, 1), before.split(SEGMENT, 1), strict=True):
            if torch.is_grad_enabled():
                log_prob, state = checkpoint(
                    self.segment, part, shifted, y, state, use_reentrant=False
                )
            else:
                log_prob, state = self.segment(part, shifted, y, state)
            total = total + log_prob
        return total

    def segment(
        self, sequence: Tensor, before: Tensor, y: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Log-density (B,) of coordinates (B, T) after those before; the state that they leave.

        Args:
            sequence: coordinates in the space of the transforms.
            before: the coordinate before each of them.
            y: labels, where the model is conditional.
            state: of the network before these coordinates; None: at the beginning.
        """
        narrow = self.training and self.config.train_precision == "bfloat16"
        with torch.autocast(sequence.device.type, torch.bfloat16) if narrow else nullcontext():
            hidden, state = self.lstm(self.inputs(before, y), state)
        mixture = self.mixture(hidden.flatten(0, 1))
        log_prob = mixture_log_prob(sequence.flatten(), mixture).reshape(sequence.shape)
        return log_prob.sum(1), state

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Points of data space, coordinate by coordinate; all n at once."""
        x = torch.zeros(n, 1, device=self.device, dtype=self.head.weight.dtype)
        state: State | None = None
        drawn = []
        for _ in range(self.spec.dim):
            hidden, state = self.lstm(self.inputs(x, y), state)
            logits, means, log_stds = self.mixture(hidden[:, 0])
            k = torch.multinomial(logits.softmax(0).t(), 1).t()
            mean, log_std = means.gather(0, k)[0], log_stds.gather(0, k)[0]
            x = (mean + log_std.exp() * torch.randn_like(mean))[:, None]
            drawn.append(x)
        return self.transform.inverse(self.unsequence(torch.cat(drawn, 1)))

    def sequence(self, x: Tensor) -> Tensor:
        """Coordinates (B, T) in the order of reading: channels vary fastest."""
        return x.movedim(1, -1).flatten(1)

    def unsequence(self, sequence: Tensor) -> Tensor:
        """Points (B, ...) of sequences (B, T)."""
        channels, *pixels = self.spec.shape
        return sequence.reshape(len(sequence), *pixels, channels).movedim(-1, 1)

    def inputs(self, before: Tensor, y: Tensor | None) -> Tensor:
        """What the network reads at each step, (B, T, 1 + K): the coordinate before, the label."""
        inputs = before[..., None]
        if not self.num_classes:
            return inputs
        if y is None:
            raise UomhError("this model is conditional; give it labels")
        labels = functional.one_hot(y, self.num_classes).to(inputs.dtype)
        return torch.cat([inputs, labels[:, None].expand(-1, before.shape[1], -1)], 2)

    def mixture(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, means and log-deviations, each (K, N), of states (N, H)."""
        # Means must resolve grey levels, which the eight bits of bfloat16 do not.
        with torch.autocast(hidden.device.type, enabled=False):
            weight, bias = self.head.weight, self.head.bias
            raw = torch.addmm(bias[:, None], weight, hidden.to(weight.dtype).t())
        logits, means, log_stds = raw.chunk(3)
        return logits, means, LOG_FLOOR + functional.softplus(log_stds - LOG_FLOOR)


def mixture_log_prob(x: Tensor, mixture: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Log-density in nats of x (N,) under one-dimensional Gaussian mixtures.

    Args:
        x: points.
        mixture: logits, means and log-deviations, each (K, N).
    """
    logits, means, log_stds = mixture
    standard = (x - means) * torch.exp(-log_stds)
    joint = logits - log_stds - 0.5 * standard.square()
    constant = 0.5 * math.log(2 * math.pi)
    return torch.logsumexp(joint, 0) - torch.logsumexp(logits, 0) - constant
