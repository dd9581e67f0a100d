"""An autoencoder and a density on its codes, trained in turns.

With ``alternate="step"`` every batch trains both, the density on the codes that the stepped
autoencoder gives; with ``"epoch"`` odd epochs train the autoencoder and even ones the density. The
codes move while the density learns, so the density's transforms are fitted anew before each epoch
that trains it. The density's loss does not reach the autoencoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.nn import Parameter

from uomh.config import TrainConfig
from uomh.data.core import Data
from uomh.models.codec import codes_of
from uomh.models.core import Codec, Generative
from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig, Trainable

Alternate = Literal["step", "epoch"]


class Joint(Trainable):
    """Two models in one leaf; groups and losses of each stand under its name.

    Args:
        autoencoder: a model with codes.
        density: a model of the codes.
        alternate: by ``"step"`` or by ``"epoch"``.
    """

    can_sample = True

    def __init__(self, autoencoder: Model, density: Model, alternate: Alternate) -> None:
        super().__init__()
        self.spec = autoencoder.spec
        self.autoencoder, self.density = autoencoder, density
        self.alternate = alternate
        self.compared_together = autoencoder.compared_together
        self.turns: tuple[str, ...] = ("autoencoder", "density")
        self.epochs_of_pass = 2 if alternate == "epoch" else 1
        assert isinstance(autoencoder, Codec)
        self.latent_dim: int = autoencoder.latent_dim
        self.config = ModelConfig(train=self._turns())

    def _turns(self) -> TrainConfig | None:
        """The training of the autoencoder, with the optimisers of both models."""
        first, second = self.autoencoder.config.train, self.density.config.train
        if first is None or second is None:
            return None
        steps = {"autoencoder": first, "density": second}
        groups = {
            f"{name}.{group}": steps[name].for_group(group).model_dump(mode="json")
            for name, model in self._both()
            for group in model.groups()
        }
        # By epoch each of the two has a turn of its own in every epoch that the settings give.
        epochs = first.max_epochs * self.epochs_of_pass
        return first.model_copy(update={"groups": groups, "max_epochs": epochs})

    def groups(self) -> dict[str, list[Parameter]]:
        """The groups of both, such as ``autoencoder.model`` and ``density.model``."""
        return {
            f"{name}.{group}": parameters
            for name, model in self._both()
            for group, parameters in model.groups().items()
        }

    def prepare(self, data: Data) -> None:
        """Prepare both, the density on the codes of the autoencoder as it begins."""
        self.autoencoder.prepare(data)
        self.density.prepare(self.codes(data))

    def before_epoch(self, data: Data, epoch: int) -> None:
        """Whose turn it is; the density's transforms are fitted to the codes of now."""
        if self.alternate == "epoch":
            self.turns = ("autoencoder",) if epoch % 2 else ("density",)
        if "density" in self.turns and epoch > 1:
            self.density.transform.fit(self.codes(data).train)

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """The losses of the models whose turn it is."""
        if "autoencoder" in self.turns:
            for group, loss in self.autoencoder.losses(x, y, step):
                yield f"autoencoder.{group}", loss
        if "density" in self.turns:
            for group, loss in self.density.losses(self.encode(x, y), y, step):
                yield f"density.{group}", loss

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The objective of the autoencoder and that of the density on its codes, added, (B,)."""
        return self.autoencoder.objective(x, y) + self.density.objective(self.encode(x, y), y)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Codes (B, latent_dim) without a gradient, as in evaluation."""
        assert isinstance(self.autoencoder, Codec)
        was_training = self.autoencoder.training
        self.autoencoder.eval()
        with torch.no_grad():
            codes = self.autoencoder.encode(x, y)
        self.autoencoder.train(was_training)
        return codes

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space (B, ...) of codes."""
        assert isinstance(self.autoencoder, Codec)
        return self.autoencoder.decode(z, y)

    def sample(self, n: int, y: Tensor | None = None) -> Tensor:
        """Points of data space (n, ...), as both models are now."""
        return decoded_draws(self.autoencoder, self.density, n, y)

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space (B, ...) restored from the codes of x."""
        return self.autoencoder.reconstruct(x, y)

    def codes(self, data: Data) -> Data:
        """The data set of codes, on the processor."""
        return codes_of(self.autoencoder, data)

    def _both(self) -> tuple[tuple[str, Model], tuple[str, Model]]:
        return ("autoencoder", self.autoencoder), ("density", self.density)


def decoded_draws(autoencoder: Generative, density: Generative, n: int, y: Tensor | None) -> Tensor:
    """Decoded draws of a density on codes (n, ...); labels are drawn where y is None."""
    conditional = density if density.num_classes else autoencoder
    if y is None and conditional.num_classes:
        y = torch.multinomial(conditional.label_weights, n, replacement=True)
    assert isinstance(autoencoder, Codec)
    return autoencoder.decode(density.sample(n, y), y)
