r"""The autoencoder: codes from which points are restored.

Minimise E ||x - D(E(x))||^2 over encoder E: R^D -> R^d and decoder D, in the space of the
transforms (for images: grey levels divided by the last one). No density is modelled: codes are good
for a second model, and with nothing to draw codes from, `sample` refuses.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.core import Model, ModelConfig
from uomh.nn.layers import NetSettings
from uomh.nn.nets import decoder, encoder, nets_by_shape
from uomh.registry import register
from uomh.settings import Nested


class AutoencoderConfig(ModelConfig):
    """Settings of models with an encoder and a decoder."""

    latent_dim: int = Field(20, ge=1)
    """dimension of the codes"""
    encoder: NetSettings = NetSettings(hidden_dims=(256,))
    """network from points to codes"""
    decoder: NetSettings = NetSettings(hidden_dims=(256,), hidden_channels=(16, 16, 32, 32))
    """network from codes to points"""


@register("models", "ae")
class AE(Model):
    """Autoencoder: codes and reconstructions, no density."""

    can_sample = False
    paper = "Rumelhart, Hinton & Williams 1986"

    class Config(AutoencoderConfig):
        """Settings of the autoencoder."""

        encoder: NetSettings = NetSettings(hidden_dims=(200, 200))
        """network from points to codes"""
        decoder: NetSettings = NetSettings(hidden_dims=(200, 200), hidden_channels=(16, 16, 32, 32))
        """network from codes to points"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data."""
            latent_dim = min(20, max(1, spec.dim // 4))
            return {"model": {"latent_dim": latent_dim, **nets_by_shape(cls(), spec.shape)}}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.latent_dim = config.latent_dim
        self.encoder = encoder(config.encoder, spec.shape, config.latent_dim, self.num_classes)
        self.decoder = decoder(config.decoder, config.latent_dim, spec.shape, self.num_classes)

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Squared reconstruction error of each point in the space of the transforms."""
        y = self.labels_of(y)
        z, _ = self.preprocess(x)
        restored: Tensor = self.decoder(self.encoder(z, y), y)
        return (restored - z).square().flatten(1).sum(1)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Codes (B, latent_dim)."""
        x, y = self.encodable(x, y)
        codes: Tensor = self.encoder(self.preprocess(x)[0], y)
        return codes

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space (B, ...) of codes."""
        return self.transform.inverse(self.decoder(*self.decodable(z, y)))

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Refused: an autoencoder has no density on its codes."""
        del n, y
        raise UomhError(
            "an autoencoder alone cannot be sampled: it has no density on its codes; "
            "train a vae or wae instead"
        )
