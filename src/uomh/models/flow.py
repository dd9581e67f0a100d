r"""Normalising flows of rational-quadratic splines.

An invertible map f takes points to a base density q that is known, and

    log p(x) = log q(f(x)) + log |det df/dx|

is exact; z ~ q and x = f^-1(z) samples (Durkan et al. 2019; Dinh et al. 2017 for the multiscale
form). f is trained by maximum likelihood. Images are dequantised, x + u with u uniform over one
grey level, and stretched to the domain [-B, B] of the splines; vectors are whitened. The steps of f
stand in `uomh.nn.flows`. A label is a context of every step's network.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.nn.bijections import Bijection
from uomh.nn.flows import Autoregressive, Coupling, Mix, Multiscale, SplineSettings, Steps
from uomh.nn.priors import PriorSettings, build_prior
from uomh.nn.transforms import centred
from uomh.registry import register
from uomh.settings import Nested
from uomh.sizes import at_once, is_large


@register("models", "flow")
class Flow(Model):
    """Normalising flow of rational-quadratic splines: coupling, autoregressive or multiscale."""

    paper = "Durkan, Bekasov, Murray & Papamakarios 2019; Dinh, Sohl-Dickstein & Bengio 2017"
    likelihood = "exact"

    class Config(ModelConfig, SplineSettings):
        """Settings of flows."""

        transform: Literal["coupling", "autoregressive", "multiscale"] = "coupling"
        """coupling of vectors; autoregressive: slow samples; multiscale: images, convolutions"""
        scales: int = Field(2, ge=1)
        """multiscale: how often 2x2 pixels are squeezed into channels, where sizes are even"""
        prior: PriorSettings = PriorSettings()
        """base density"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data: wider splines for vectors, fewer epochs if small.

            Linear maps of all coordinates of large images do not fit into memory. Such images get
            a multiscale flow, or, where their sizes cannot be halved, one without linear maps.
            """
            model: Nested = {} if spec.is_image else {"tail_bound": 5.0}
            train: Nested = {}
            if spec.dim <= 64:
                train = {"max_epochs": 60, "schedule": "cosine", "patience": 15}
            if is_large(spec.dim):
                halved = spec.is_image and not (spec.shape[1] % 2 or spec.shape[2] % 2)
                model |= {"transform": "multiscale", "scales": 3} if halved else {"linear": False}
                train = {"batch_size": at_once(128, spec.dim)}
            return {"model": model, "train": train}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        if config.prior.kind == "uniform":
            raise UomhError(
                "a flow's base must have density everywhere; choose another prior.kind than uniform"
            )
        if spec.is_image and not (config.logit_transform or config.whitening_transform):
            self.transform = centred(self.transform, spec, config.tail_bound)
        self.flat = config.transform != "multiscale"
        self.flow = self.build(config)
        self.prior = build_prior(config.prior, spec.dim)

    def build(self, config: Config) -> Bijection:
        """The map f."""
        if config.transform == "multiscale":
            return Multiscale(self.spec.shape, config.scales, self.num_classes, config)
        dim = self.spec.dim
        steps: list[Bijection] = []
        for _ in range(config.num_layers):
            steps.append(Mix(dim, linear=config.linear))
            if config.transform == "coupling" or dim == 1:  # of one coordinate they are the same
                steps.append(Coupling(dim, self.num_classes, config, planes=False))
            else:
                steps.append(Autoregressive(dim, self.num_classes, config))
        return Steps(*steps, Mix(dim, permute=False, linear=config.linear))

    def log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Exact log-density in nats in data space, (B,)."""
        x, outer = self.preprocess(x)
        z, log_det = self.flow(x.flatten(1) if self.flat else x, self.context(y, x))
        log_density: Tensor = self.prior.log_prob(z) + log_det + outer
        return log_density

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Points of data space: the inverse of draws of the base."""
        z = self.prior.sample(n)
        x = self.flow.inverse(z, self.context(y, z))
        return self.transform.inverse(x.reshape(n, *self.spec.shape))

    def context(self, y: Tensor | None, like: Tensor) -> Tensor | None:
        """Labels as one-hot vectors (B, K)."""
        if not self.num_classes:
            return None
        if y is None:
            raise UomhError("this model is conditional; give it labels")
        return functional.one_hot(y, self.num_classes).to(like.dtype)
