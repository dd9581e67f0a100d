r"""Flow matching: a velocity field that carries noise to data along straight lines.

With x_0 ~ N(0, I), data x_1 and x_t = (1 - t) x_0 + t x_1, the field that minimises

    E || v(x_t, t, y) - (x_1 - x_0) ||^2

is the mean velocity of the lines through a point, and dx/dt = v carries N(0, I) to the density of
the data (Lipman et al. 2023). Pairing noise and data of a batch by optimal transport straightens
the paths (Tong et al. 2024); pairs are made within a label, or the noise given a label would not be
N(0, I) any more. The density follows along the path back from x_1 = x,

    log p(x) = log N(x_0; 0, I) - int_0^1 div v(x_t, t) dt,

exact up to the solver's tolerance where the divergence is: up to 64 dimensions as the trace of the
Jacobian, beyond by Hutchinson's mean of e . J e over a few random sign vectors e, each kept along
the whole path, which is unbiased. Labels are left out of some training points, so that one network
gives v(., y) and v(.) and samples may follow v(.) + w (v(., y) - v(.)) (Ho & Salimans 2022);
w = 1 draws from the density that `log_prob` is of, w > 1 sharper and not from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.core import Likelihood
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.nn.ode import solve
from uomh.nn.transforms import centred
from uomh.nn.unet import TimeMLP, UNet
from uomh.registry import register
from uomh.settings import Nested, Width
from uomh.sizes import at_once, is_large

EXACT_DIM = 64
"""dimensions up to which the divergence is exact"""


class Estimated(NamedTuple):
    """Log-densities (B,) in nats and the standard error (B,) that Hutchinson's probes give them."""

    value: Tensor
    standard_error: Tensor


@register("models", "flow_matching")
class FlowMatching(Model):
    """Flow matching: a velocity field from noise to data, with a likelihood by its equation."""

    paper = "Lipman, Chen, Ben-Hamu, Nickel & Le 2023; Tong et al. 2024; Ho & Salimans 2022"
    likelihood: Likelihood | None = "exact"
    config: Config

    class Config(ModelConfig):
        """Settings of flow matching."""

        net: Literal["unet", "mlp"] | None = None
        """network of the field (default: unet for images, mlp for vectors and images up to 8x8)"""
        channels: Annotated[tuple[int, ...], Width()] = (32, 64, 64)
        """unet: channels of the levels, each on half the size of the one before"""
        blocks: int = Field(1, ge=1)
        """unet: residual blocks of a level, each way"""
        hidden_units: Annotated[int, Width()] = Field(256, ge=1)
        """mlp: width"""
        num_layers: int = Field(4, ge=1)
        """mlp: residual layers"""
        optimal_transport: bool = False
        """pair noise and data of a batch by optimal transport"""
        label_dropout: float = Field(0.1, ge=0, lt=1)
        """share of training points whose label is left out, for guidance"""
        guidance: float = 1.0
        """weight w of the label in samples; 1: samples are of the density, more: sharper"""
        tolerance: float = Field(1e-4, gt=0)
        """of the differential equation's solver, for samples and likelihoods"""
        probes: int = Field(4, ge=4)
        """random vectors that estimate the divergence beyond 64 dimensions"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data: longer runs of few dimensions; logits of grey images.

            Most pixels of grey images are black or white. The cells of these two levels are narrow
            compared with the noise, and the logit widens them.
            """
            train: Nested = {"schedule": "cosine"}
            if spec.dim <= EXACT_DIM:
                train |= {"max_epochs": 150, "lr": 2e-3}
            if is_large(spec.dim):
                train["batch_size"] = at_once(128, spec.dim)
            grey = spec.is_image and spec.shape[0] == 1
            model = {"channels": (16, 32, 64), "logit_transform": True} if grey else {}
            return {"model": model, "train": train}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.likelihood = "exact" if spec.dim <= EXACT_DIM else "estimate"
        if spec.is_image and not (config.logit_transform or config.whitening_transform):
            self.transform = centred(self.transform, spec, 1.0)
        labels = self.num_classes + 1 if self.num_classes else 0  # the last one stands for no label
        net = config.net or ("unet" if spec.is_image and spec.dim > EXACT_DIM else "mlp")
        if net == "unet" and not spec.is_image:
            raise UomhError(f"a unet takes images, not vectors of shape {spec.shape}; use net=mlp")
        self.shape = spec.shape if net == "unet" else (spec.dim,)
        self.net: nn.Module
        if net == "unet":
            self.net = UNet(spec.shape, config.channels, config.blocks, labels)
        else:
            self.net = TimeMLP(spec.dim, config.hidden_units, config.num_layers, labels)

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """Squared error of the velocity."""
        del step
        y = self.labels_of(y)
        if y is not None and self.config.label_dropout:
            dropped = torch.rand(len(y), device=y.device) < self.config.label_dropout
            y = torch.where(dropped, self.num_classes, y)
        yield "model", self.objective(x, y).mean()

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Squared error of the velocity at a random time, a coordinate."""
        data = self.preprocess(x)[0].flatten(1)
        y = self.labels_of(y)
        noise = torch.randn_like(data)
        if self.config.optimal_transport:
            noise = paired(noise, data, y)
        # One time in each of B equal intervals: less noise than independent times.
        order = torch.randperm(len(data), device=data.device)
        t = (order + torch.rand(len(data), device=data.device)) / len(data)
        mean = torch.lerp(noise, data, t[:, None])
        return (self.velocity(t, mean, y) - (data - noise)).square().mean(1)

    def velocity(self, t: Tensor, x: Tensor, y: Tensor | None) -> Tensor:
        """The field at times (B,) and points (B, D)."""
        if self.num_classes and y is None:
            raise UomhError("this model is conditional; give it labels")
        velocity: Tensor = self.net(x.reshape(len(x), *self.shape), t, y)
        return velocity.flatten(1).to(x.dtype)

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Points of data space: noise carried from time 0 to 1."""
        noise = torch.randn(n, self.spec.dim, device=self.device)
        guidance = self.config.guidance

        def field(t: float, x: Tensor) -> Tensor:
            times = torch.full((len(x),), t, device=x.device, dtype=x.dtype)
            if y is None or guidance == 1:
                return self.velocity(times, x, y)
            unlabelled = self.velocity(times, x, torch.full_like(y, self.num_classes))
            return unlabelled + guidance * (self.velocity(times, x, y) - unlabelled)

        with torch.no_grad():
            x = solve(field, noise, 0.0, 1.0, self.config.tolerance)
        return self.transform.inverse(x.reshape(n, *self.spec.shape))

    def log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Log-density in nats in data space, (B,); see `estimated_log_prob` for its error."""
        return self._estimated(x, y, self.config.tolerance).value

    def estimated_log_prob(
        self, x: Tensor, y: Tensor | None = None, tolerance: float | None = None
    ) -> Estimated:
        """Log-density and its standard error from the random divergence, zero where it is exact.

        Args:
            x: points (B, ...).
            y: labels (B,) where the model is conditional.
            tolerance: of the solver (default: the setting).

        Raises:
            UomhError: x or y are not of the data that the model is for.
        """
        x, y = self.checked(x, y)
        near = self.reached(x)
        result = Estimated(self.like.new_full((len(x),), -math.inf), self.like.new_zeros(len(x)))
        if near.any():
            labels = None if y is None else y[near]
            estimated = self._estimated(x[near], labels, tolerance or self.config.tolerance)
            for all_points, values in zip(result, estimated, strict=True):
                all_points[near] = values
        return result

    def _estimated(self, x: Tensor, y: Tensor | None, tolerance: float) -> Estimated:
        data, log_det = self.preprocess(x)
        data = data.detach().flatten(1)
        y = self.labels_of(y)
        dim = self.spec.dim
        vectors = self.probes(data)
        count = len(vectors) if dim > EXACT_DIM else 1

        def field(t: float, state: Tensor) -> Tensor:
            velocity, products = self.with_products(t, state[:, :dim], y, vectors)
            rates = products if dim > EXACT_DIM else products.sum(0, keepdim=True)
            return torch.cat([velocity, rates.t()], 1)

        start = torch.cat([data, data.new_zeros(len(data), count)], 1)
        with torch.no_grad():
            end = solve(field, start, 1.0, 0.0, tolerance)
        noise, divergence = end[:, :dim], end[:, dim:]
        base = -0.5 * (noise.square().sum(1) + dim * math.log(2 * math.pi))
        # The path runs from 1 to 0, so its integral is minus that of the formula.
        error = divergence.new_zeros(len(data))
        if count > 1:
            error = divergence.std(1) / math.sqrt(count)
        return Estimated(base + divergence.mean(1) + log_det, error)

    def probes(self, data: Tensor) -> Tensor:
        """Vectors e (P, B, D): all unit vectors, or random signs."""
        n, dim = data.shape
        if dim <= EXACT_DIM:
            return torch.eye(dim).to(data)[:, None].expand(-1, n, -1)
        return 2.0 * torch.randint(2, (self.config.probes, n, dim), device=data.device) - 1

    def with_products(
        self, t: float, x: Tensor, y: Tensor | None, vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The field (B, D), and e . J e for each vector e, (P, B)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            times = torch.full((len(x),), t, device=x.device, dtype=x.dtype)
            velocity = self.velocity(times, x, y)
            (pulled,) = torch.autograd.grad(velocity, x, vectors, is_grads_batched=True)
        return velocity.detach(), (pulled * vectors).sum(2)


def paired(noise: Tensor, data: Tensor, y: Tensor | None) -> Tensor:
    """The noise (B, D) in the order that optimally transports it to the data, within each label."""
    cost = torch.cdist(noise, data).square()
    if y is not None:
        cost = cost + 1e6 * noise.shape[1] * (y[:, None] != y)
    rows, columns = linear_sum_assignment(cost.detach().float().cpu().numpy())
    order = torch.empty(len(noise), dtype=torch.long)
    order[torch.from_numpy(columns)] = torch.from_numpy(rows)
    return noise[order.to(noise.device)]
