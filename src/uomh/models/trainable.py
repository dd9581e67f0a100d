"""What is trained by gradient steps, and its settings.

A trainable model says its losses as a generator:

    def losses(self, x, y, step):
        yield "critic", critic_loss     # the trainer steps the group "critic" here
        self.clamp()                    # ... so this runs after that step
        yield "generator", generator_loss

Each loss is computed after the previous ``yield`` has returned, and a group's optimiser sees the
gradients of its own parameters alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from uomh.config import TrainConfig
from uomh.data.core import Data, DataSpec
from uomh.errors import UomhError
from uomh.models.precision import refuse_narrowing
from uomh.nn.transforms import TransformSettings
from uomh.settings import ComponentSettings, Nested

NO_CODES = {
    "fit_latent_dim": "the model has no codes, whose size the dimension of the data could decide; "
    "ae, vae, avb, wae and bigan have them",
    "latent_dim": "the model has no codes; ae, vae, avb, wae and bigan have them",
    "latent_k": "the model has no codes, whose size the dimension of the data could decide",
}
"""what to say of settings of codes, where a model has none"""


class ModelSettings(ComponentSettings):
    """Settings of a model: of a leaf, or of a composition, whose models are settings of it."""


class LeafConfig(ModelSettings):
    """Settings that every leaf has."""

    train: TrainConfig | None = None
    """how it is trained; null: as the run says"""

    @classmethod
    def defaults(cls, spec: DataSpec) -> Nested:
        """Defaults that depend on the shape of the data: nested values for model and train."""
        del spec
        return {}


class ModelConfig(LeafConfig, TransformSettings):
    """Settings that every generative leaf has."""

    moved: ClassVar[Mapping[str, str]] = NO_CODES

    conditional: bool = False
    """condition every network on the label"""


class Computing(nn.Module):
    """A module that knows what it computes with."""

    @property
    def like(self) -> Tensor:
        """A tensor of the type and on the device that the model computes with."""
        state = itertools.chain(self.parameters(), self.buffers())
        return next((tensor for tensor in state if tensor.is_floating_point()), torch.zeros(()))

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.like.device


class Trainable(Computing):
    """A leaf: something that is trained by gradient steps.

    Attributes:
        config: its settings; among them how it is trained.
        spec: of the data that it is for.
        num_classes: whose labels it takes; 0: labels make no difference to it.
        compared_together: points that `objective` compares, as for a discrepancy; None: each
            stands on its own.
        epochs_of_pass: epochs in which every loss has its turn over the data.
        scales_losses: whether its gradients are of float16, so that losses are scaled up for them.
    """

    config: LeafConfig
    spec: DataSpec
    num_classes: int = 0
    compared_together: int | None = None
    epochs_of_pass: int = 1
    scales_losses: bool = False

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """Losses of a batch, in the order in which groups of parameters are to be stepped.

        By default one, for the one group: the mean of `objective`.

        Args:
            x: a batch as it stands in the data, uint8 images or float vectors.
            y: its labels (B,), or None.
            step: number of batches that were trained on before.
        """
        del step
        yield "model", self.objective(x, y).mean()

    def groups(self) -> dict[str, list[Parameter]]:
        """Parameters by the optimiser that steps them; by default one group for all.

        A group that the settings leave without parameters is empty, and no loss names it.
        """
        return {"model": list(self.parameters())}

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The training objective of each point, (B,), lower is better; for validation.

        Raises:
            UomhError: the model has no objective that says how good it is.
        """
        del x, y
        raise UomhError(f"{type(self).__name__} has no loss that measures quality")

    def prepare(self, data: Data) -> None:
        """Take what is needed from the data before the first step: transforms, label weights.

        Raises:
            UomhError: the points are too precise for the type that models compute in.
        """
        refuse_narrowing(data)

    def before_epoch(self, data: Data, epoch: int) -> None:
        """Called before each pass over the training data; epochs count from 1."""

    def seen(self) -> Iterable[tuple[str, int | None, float]]:
        """What a pass over the training data showed beside its losses.

        Returns:
            Name, the number of the class that it is of (None: of all) and value of each; they are
            logged beside the losses.
        """
        return ()
