r"""Critics: networks that tell data from samples, and the game that is played with them.

A critic f is trained to score data high and samples low. Its opponent, which makes the samples, is
trained so that they are scored like data. There are two games:

- Wasserstein: the critic maximises E f(real) - E f(fake), which over all f with slopes of at most
  one is the Wasserstein-1 distance (Arjovsky et al. 2017). Its slope is kept near one by the
  penalty lambda E (||grad f(u)|| - 1)^2, u uniform between a real and a fake point (Gulrajani et
  al. 2017), or bounded by clamping every weight after each step.
- Logistic: the critic minimises E softplus(-f(real)) + E softplus(f(fake)), so that f tends to
  log p_real - log p_fake; the other side minimises softplus(-f(fake)) (Goodfellow et al. 2014, the
  form that does not saturate).

The penalty needs second derivatives. It is a term of the critic's one loss, so that a single
backward pass computes all gradients.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from uomh.errors import UomhError
from uomh.nn.layers import Activation, NetSettings
from uomh.nn.nets import encoder
from uomh.nn.pairs import PairNet
from uomh.settings import Width


class CriticSettings(NetSettings):
    """The critic's network and game."""

    hidden_dims: Annotated[tuple[int, ...], Width()] = (256, 256)
    """mlp: widths of the hidden layers"""
    hidden_channels: Annotated[tuple[int, ...], Width()] = (64, 128, 256)
    """cnn: channels of the layers"""
    kernel_size: int | tuple[int, ...] = 4
    """cnn: size of the kernels"""
    stride: int | tuple[int, ...] = 2
    """cnn: strides"""
    activation: Activation = "leaky_relu"
    """nonlinearity between layers"""
    objective: Literal["wasserstein", "logistic"] = "wasserstein"
    """the game: for the Wasserstein-1 distance, or with the classical logistic loss"""
    constraint: Literal["penalty", "clamp"] = "penalty"
    """wasserstein: how the slope is bounded, by the gradient penalty or by clamping the weights"""
    penalty: float = Field(10.0, ge=0)
    """weight lambda of the gradient penalty"""
    clamp: float = Field(0.01, gt=0)
    """bound of the weights where they are clamped"""
    steps: int = Field(5, ge=1)
    """batches on which the critic is trained for every one on which its opponent is"""


class Critic(nn.Module):
    """A network from a point, or a point and its code, to a score.

    Args:
        settings: network and game.
        shape: of one point.
        code_dim: size of the code that is judged with a point; 0 for none.
        num_classes: of labels; 0 where the critic takes none.
    """

    def __init__(
        self, settings: CriticSettings, shape: tuple[int, ...], code_dim: int, num_classes: int
    ) -> None:
        super().__init__()
        self.settings = settings
        self.wasserstein = settings.objective == "wasserstein"
        self.penalised = self.wasserstein and settings.constraint == "penalty"
        if self.penalised and settings.norm == "batch":
            raise UomhError(
                "norm=batch in the critic makes a score depend on the whole batch, so that the "
                "gradient penalty has no meaning; use norm=instance or constraint=clamp"
            )
        if code_dim:
            self.net: nn.Module = PairNet(settings, shape, code_dim, 1, num_classes)
        else:
            self.net = encoder(settings, shape, 1, num_classes)
        if self.wasserstein:
            self._drop_constant()

    def _drop_constant(self) -> None:
        """Only differences of scores count, so the last layer's bias would never be trained."""
        last = [layer for layer in self.net.modules() if isinstance(layer, nn.Linear)][-1]
        if self.settings.final_activation is None:
            last.register_parameter("bias", None)

    def forward(self, inputs: tuple[Tensor, ...], y: Tensor | None) -> Tensor:
        """Scores (B,) of points, or of points and codes, given labels."""
        scores: Tensor = self.net(*inputs, y)
        return scores.squeeze(1)

    def loss(self, real: tuple[Tensor, ...], fake: tuple[Tensor, ...], y: Tensor | None) -> Tensor:
        """What the critic minimises, (); labels y (B,) belong to real and fake points alike."""
        if self.settings.norm == "batch":
            on_real, on_fake = self(real, y), self(fake, y)
        else:
            both = tuple(torch.cat(pair) for pair in zip(real, fake, strict=True))
            on_real, on_fake = self(both, None if y is None else y.repeat(2)).chunk(2)
        if not self.wasserstein:
            return logistic_loss(on_real, on_fake)
        distance: Tensor = on_real.mean() - on_fake.mean()
        if not self.penalised:
            return -distance
        return self.settings.penalty * self.slope_error(real, fake, y) - distance

    def slope_error(
        self, real: tuple[Tensor, ...], fake: tuple[Tensor, ...], y: Tensor | None
    ) -> Tensor:
        """Mean of (||grad f(u)|| - 1)^2, differentiable in the critic's parameters."""
        shares = torch.rand(len(real[0]), 1, device=real[0].device)
        between = []
        for a, b in zip(real, fake, strict=True):
            share = shares.reshape(-1, *[1] * (a.dim() - 1))
            between.append((b + share * (a - b)).detach().requires_grad_())
        with torch.enable_grad():
            scores = self(tuple(between), y).sum()
            slopes = torch.autograd.grad(scores, between, create_graph=True)
        norms: Tensor = torch.cat([slope.flatten(1) for slope in slopes], 1).norm(dim=1)
        return (norms - 1).square().mean()

    def after_step(self) -> None:
        """Clamp the weights where the game asks for it."""
        if self.wasserstein and not self.penalised:
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.clamp_(-self.settings.clamp, self.settings.clamp)

    def as_real(self, scores: Tensor) -> Tensor:
        """The opponent's loss (B,) by scores (B,): low where points pass as data."""
        return -scores if self.wasserstein else softplus(-scores)

    def as_fake(self, scores: Tensor) -> Tensor:
        """The opponent's loss (B,) by scores (B,): low where points pass as samples."""
        return scores if self.wasserstein else softplus(scores)


def logistic_loss(high: Tensor, low: Tensor) -> Tensor:
    """Loss of a classifier with logits: E softplus(-high) + E softplus(low)."""
    return softplus(-high).mean() + softplus(low).mean()
