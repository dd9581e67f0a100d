r"""The autoencoder: codes from which points are restored.

Minimise E ||x - D(E(x))||^2 over encoder E: R^D -> R^d and decoder D, in the space of the
transforms (for images: grey levels divided by the last one). No density is modelled, so there is
nothing to draw codes from, and `sample` refuses; a second model may learn the density of the codes.
"""

from __future__ import annotations

from torch import Tensor

from uomh.data.core import DataSpec
from uomh.errors import UomhError
from uomh.models.codec import CodecModel, CodesConfig, usual_latent_dim
from uomh.nn.layers import NetSettings
from uomh.nn.nets import nets_by_shape
from uomh.registry import register
from uomh.settings import Nested


class AutoencoderConfig(CodesConfig):
    """Settings of models with an encoder and a decoder."""

    encoder: NetSettings = NetSettings(hidden_dims=(256,))
    """network from points to codes"""
    decoder: NetSettings = NetSettings(hidden_dims=(256,), hidden_channels=(16, 16, 32, 32))
    """network from codes to points"""


@register("models", "ae")
class AE(CodecModel):
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
            nets = nets_by_shape(cls(), spec.shape)
            return {"model": {"latent_dim": usual_latent_dim(spec), **nets}}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.add_networks(config.latent_dim, config.encoder, config.decoder)

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Squared reconstruction error of each point in the space of the transforms."""
        y = self.labels_of(y)
        x, _ = self.preprocess(x)
        return self.error(x, self.inferred(x, y), y)

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Refused: an autoencoder has no density on its codes."""
        del n, y
        raise UomhError(
            "an autoencoder alone cannot be sampled: it has no density on its codes; "
            "train a vae or wae instead"
        )
