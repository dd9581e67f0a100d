r"""Densities on latent space: the standard Gaussian, mixtures of Gaussians, the uniform cube.

A mixture has K components with means m_k (1, ..., 1), where m_k = s (k - floor(K/2)) for a
spacing s and k = 0 .. K-1, unit deviations and equal weights to begin with; nothing, the weights,
or weights, means and deviations are learned (Brown et al. 2023, section 5).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from uomh.errors import UomhError
from uomh.settings import Settings

PriorName = Literal[
    "gaussian",
    "mixture_of_gaussians",
    "learned_mixture_of_gaussians",
    "completely_learned_mixture_of_gaussians",
    "uniform",
]


class PriorSettings(Settings):
    """The density on latent space."""

    kind: PriorName = "gaussian"
    """standard Gaussian; mixture that is fixed, learns its weights, or learns all; uniform cube"""
    components: int = 10
    """number of components of a mixture"""
    spacing: float = 1.0
    """distance, in every coordinate, between the means of neighbouring components"""


class Prior(nn.Module):
    """A density on R^d."""

    origin: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.register_buffer("origin", torch.zeros(dim), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats of z (..., d), shape (...)."""
        raise NotImplementedError

    def sample(self, n: int) -> Tensor:
        """Points (n, d) drawn from the density."""
        raise NotImplementedError

    def sample_weighted(self, n: int) -> tuple[Tensor, Tensor]:
        """Points (n, d) drawn from the density, and weights (n,), which are ones.

        E w f(z) has the right gradient in all parameters of the density. Parameters that move a
        point act through the point; those that choose its component act through the weight.
        """
        points = self.sample(n)
        return points, points.new_ones(n)


class StandardNormal(Prior):
    """N(0, I)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats."""
        return -0.5 * (z.square().sum(-1) + self.dim * math.log(2 * math.pi))

    def sample(self, n: int) -> Tensor:
        """Draw n points."""
        return torch.randn(n, self.dim, device=self.origin.device, dtype=self.origin.dtype)


class UniformCube(Prior):
    """The uniform density on [-1, 1]^d."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats; minus infinity outside the cube."""
        inside = (z.abs() <= 1).all(-1)
        return torch.where(inside, -self.dim * math.log(2.0), -math.inf)

    def sample(self, n: int) -> Tensor:
        """Draw n points."""
        shape = (n, self.dim)
        return 2 * torch.rand(shape, device=self.origin.device, dtype=self.origin.dtype) - 1


class GaussianMixture(Prior):
    """A mixture of Gaussians with diagonal covariances.

    Args:
        dim: d.
        components: K.
        spacing: distance of neighbouring means in every coordinate.
        learn: what is learned: ``nothing``, ``weights`` or ``all``.
    """

    logits: Tensor
    means: Tensor
    log_stds: Tensor

    def __init__(
        self,
        dim: int,
        components: int,
        spacing: float,
        learn: Literal["nothing", "weights", "all"] = "nothing",
    ) -> None:
        super().__init__(dim)
        if components < 1:
            raise UomhError(f"a mixture prior needs at least one component, not {components}")
        steps = torch.arange(components) - components // 2
        initial = {
            "logits": torch.zeros(components),
            "means": (spacing * steps.float())[:, None].repeat(1, dim),
            "log_stds": torch.zeros(components, dim),
        }
        for name, value in initial.items():
            if learn == "all" or (learn == "weights" and name == "logits"):
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats: logsumexp_k (log w_k + log N(z; m_k, s_k^2))."""
        standard = (z[..., None, :] - self.means) * torch.exp(-self.log_stds)
        log_normal = -0.5 * standard.square().sum(-1) - self.log_stds.sum(-1)
        constant = 0.5 * self.dim * math.log(2 * math.pi)
        return torch.logsumexp(self.logits.log_softmax(0) + log_normal, -1) - constant

    def sample(self, n: int) -> Tensor:
        """Draw n points, and for every one first the component."""
        return self.sample_weighted(n)[0]

    def sample_weighted(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw n points; one from component k has the weight w_k / (w_k held constant) = 1."""
        k = torch.multinomial(self.logits.softmax(0), n, replacement=True)
        log_weights = self.logits.log_softmax(0)[k]
        points = self.means[k] + self.log_stds[k].exp() * torch.randn_like(self.means[k])
        return points, (log_weights - log_weights.detach()).exp()


def build_prior(settings: PriorSettings, dim: int) -> Prior:
    """The prior that the settings ask for, on R^dim."""
    match settings.kind:
        case "gaussian":
            return StandardNormal(dim)
        case "uniform":
            return UniformCube(dim)
        case "mixture_of_gaussians":
            learn: Literal["nothing", "weights", "all"] = "nothing"
        case "learned_mixture_of_gaussians":
            learn = "weights"
        case "completely_learned_mixture_of_gaussians":
            learn = "all"
    return GaussianMixture(dim, settings.components, settings.spacing, learn)
