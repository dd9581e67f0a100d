"""Models with codes: `encode` and `decode` around a map each way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from uomh.data.core import Data, DataSpec
from uomh.devices import moved
from uomh.errors import UomhError
from uomh.models.core import Build, Codec, Generative
from uomh.models.leaf import BY_DIMENSION, Model
from uomh.models.trainable import ModelConfig
from uomh.nn.layers import NetSettings
from uomh.nn.nets import decoder, encoder
from uomh.settings import Nested


def usual_latent_dim(spec: DataSpec, most: int = 20) -> int:
    """The default size of codes: a quarter of the coordinates, from 1 to ``most``."""
    return min(most, max(1, spec.dim // 4))


class CodesConfig(ModelConfig):
    """Settings of a model with codes."""

    latent_dim: int = Field(20, ge=1)
    """dimension of the codes"""
    fit_latent_dim: bool = False
    """latent_dim=dimension: it is ceil(ID) of the training points, by maximum likelihood"""
    latent_k: int = Field(10, ge=3)
    """number of neighbours of that ID"""


class CodecModel(Model):
    """A model that gives points codes, and restores points from codes.

    The maps are by default the outputs of two networks. A subclass that needs others overrides
    `inferred` or `restored`.

    Attributes:
        latent_dim: dimension of the codes.
        encoder: network from points to codes.
        decoder: network from codes to points.
    """

    Config: ClassVar[type[ModelConfig]] = CodesConfig
    latent_dim: int
    encoder: nn.Module
    decoder: nn.Module

    @classmethod
    def complete(cls, given: Nested, spec: DataSpec, train: Nested) -> Nested:
        """As of any leaf; ``latent_dim=dimension`` is short for ``fit_latent_dim=true``."""
        if given.get("latent_dim") == BY_DIMENSION:
            if given.get("fit_latent_dim") is False:
                raise UomhError(
                    f"latent_dim={BY_DIMENSION} and fit_latent_dim=false contradict each other; "
                    "leave one out"
                )
            given = {key: value for key, value in given.items() if key != "latent_dim"}
            given["fit_latent_dim"] = True
        return super().complete(given, spec, train)

    @classmethod
    def decide(
        cls, config: ModelConfig, data: Data, spec: DataSpec, leaf: Build, *, codes: bool = False
    ) -> ModelConfig:
        """The size of codes by the dimension of the data."""
        del spec, leaf
        if not isinstance(config, CodesConfig) or not config.fit_latent_dim:
            return config
        if codes:
            raise UomhError(
                "latent_dim=dimension: the points of this model are codes, which are not there "
                "before training; give its latent_dim as a number"
            )
        return config.model_copy(update={"latent_dim": fitting_latent_dim(data, config.latent_k)})

    def add_networks(self, latent_dim: int, inward: NetSettings, outward: NetSettings) -> None:
        """Build the encoder and the decoder by their settings."""
        self.latent_dim = latent_dim
        self.encoder = encoder(inward, self.spec.shape, latent_dim, self.num_classes)
        self.decoder = decoder(outward, latent_dim, self.spec.shape, self.num_classes)

    def inferred(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The code (B, latent_dim) of each point x (B, ...) in the space of the transforms."""
        codes: Tensor = self.encoder(x, y)
        return codes

    def restored(self, z: Tensor, y: Tensor | None) -> Tensor:
        """The point (B, ...) in the space of the transforms of each code z (B, latent_dim)."""
        points: Tensor = self.decoder(z, y)
        return points

    def error(self, x: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """Squared distance (B,) from points x to those restored from their codes z.

        Both stand in the space of the transforms.
        """
        return (self.restored(z, y) - x).square().flatten(1).sum(1)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Codes (B, latent_dim) of points of data space.

        Raises:
            UomhError: x and y are not of the data that the model is for.
        """
        x, y = self.encodable(x, y)
        return self.inferred(self.preprocess(x)[0], y)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space (B, ...) of codes.

        Raises:
            UomhError: z are not codes of this model, or y not labels.
        """
        return self.transform.inverse(self.restored(*self.decodable(z, y)))


def fitting_latent_dim(data: Data, k: int) -> int:
    """ceil(ID) of the training points, by maximum likelihood at k neighbours.

    Raises:
        UomhError: there are too few points for k.
    """
    x = data.train.x.flatten(1).numpy()
    if len(x) < k + 2:
        raise UomhError(
            f"{data.name} has {len(x)} points, too few for a dimension at latent_k={k}; lower "
            "latent_k, give more points, or give latent_dim as a number"
        )
    from uomh.dimension.mle import MLE  # brings scikit-learn, which training does without

    return math.ceil(MLE(k, splits=0).fit(x).dimension_)


def codes_of(
    model: Generative,
    data: Data,
    encode: Callable[[Tensor, Tensor | None], Tensor] | None = None,
) -> Data:
    """The data set of a model's codes, float (N, latent_dim), on the processor.

    Args:
        model: one with codes.
        data: whose points are encoded; labels pass through.
        encode: codes of a batch on the model's device; None: the model's own `encode`.

    Raises:
        UomhError: the model has no codes.
    """
    if not isinstance(model, Codec):
        raise UomhError(f"{type(model).__name__} has no codes")
    encode = encode or model.encode
    device, was_training = model.device, model.training
    model.eval()
    codes = data.map_labelled(
        lambda x, y: encode(moved(x, device), None if y is None else y.to(device)).cpu()
    )
    model.train(was_training)
    return codes
