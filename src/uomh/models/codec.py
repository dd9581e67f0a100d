"""Models with codes: `encode` and `decode` around a map each way."""

from __future__ import annotations

from torch import Tensor, nn

from uomh.models.core import Model
from uomh.nn.layers import NetSettings
from uomh.nn.nets import decoder, encoder


class CodecModel(Model):
    """A model that gives points codes, and restores points from codes.

    The maps are by default the outputs of two networks. A subclass that needs others overrides
    `inferred` or `restored`.

    Attributes:
        latent_dim: dimension of the codes.
        encoder: network from points to codes.
        decoder: network from codes to points.
    """

    latent_dim: int
    encoder: nn.Module
    decoder: nn.Module

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
