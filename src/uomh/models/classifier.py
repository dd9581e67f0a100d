"""The classifier: a network's features and a linear layer, trained by cross-entropy.

A leaf on the one training loop that is not generative: it has nothing to sample. It is no entry of
`uomh list models`; the extractor ``classifier`` of `uomh.features` trains it.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from uomh.config import TrainConfig
from uomh.data.core import Data, DataSpec, Split
from uomh.errors import UomhError
from uomh.models.core import ModelConfig, Trainable
from uomh.models.precision import refuse_narrowing
from uomh.nn.classifiers import Network, feature_network
from uomh.nn.transforms import Affine, Cells, Whiten
from uomh.settings import Settings, Width

PASSES = 60_000
"""images that training looks at, where the bounds of `short_training` do not say otherwise"""


class ClassifierConfig(Settings):
    """Settings of the classifier's network."""

    network: Network = "small"
    """which: small, a residual network of three blocks, or one of the field's for images of 32x32
    """
    width: Annotated[int | None, Width()] = Field(None, ge=1)
    """channels of its first stage; null: 16 of the small one, 64 of the others"""


class Classifier(Trainable):
    """A classifier of the points of labelled data.

    Args:
        config: settings.
        spec: of the data; its classes are told apart.

    Raises:
        UomhError: there are fewer than two classes, or the network takes no such points.
    """

    def __init__(self, config: ClassifierConfig, spec: DataSpec) -> None:
        super().__init__()
        self.config = ModelConfig()  # trained as its scope says
        if spec.num_classes < 2:
            there = "one class" if spec.num_classes else "no labels"
            raise UomhError(f"a classifier needs two classes, and these data have {there}")
        self.spec = spec
        self.cells = Cells(dequantize=False)
        self.normalise = WhitenChannels(spec.shape) if spec.is_image else Whiten(spec.shape)
        self.backbone, features = feature_network(config.network, spec.shape, config.width)
        if spec.is_image:  # channels of a pixel side by side: a third less time
            self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = nn.Linear(features, spec.num_classes)

    def prepare(self, data: Data) -> None:
        """Take mean and deviation of the training points.

        Raises:
            UomhError: there is one point alone, which cannot be normalised over a batch.
        """
        if len(data.train) < 2:
            raise UomhError(f"{data.name} has one training point; a classifier needs two")
        refuse_narrowing(data)
        self.normalise.fit(data.train)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer reads, (B, F), of points (B, ...)."""
        z, _ = self.normalise(self.cells(x))
        if self.spec.is_image:
            z = z.contiguous(memory_format=torch.channels_last)
        out: Tensor = self.backbone(z)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, K)."""
        out: Tensor = self.head(self.features(x))
        return out

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Cross-entropy of each point in nats, (B,)."""
        assert y is not None  # there are classes
        return functional.cross_entropy(self(x), y, reduction="none")

    def correct(self, split: Split, batch_size: int = 512) -> int:
        """How many points of a labelled split it puts into their class."""
        assert split.y is not None
        device = self.device
        with torch.no_grad():
            return sum(
                int((self(x.to(device)).argmax(1).cpu() == y).sum())
                for x, y in split.batches(batch_size)
            )


class WhitenChannels(Affine):
    """Standardisation of images by one mean and deviation for each channel."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__((shape[0], 1, 1))

    def fit(self, split: Split) -> None:
        """Take mean and deviation over the pixels of the training images."""
        cells = Cells(dequantize=False).double()
        total = square = torch.zeros(self.shape, dtype=torch.float64)
        for x, _ in split.batches(1024):
            part = cells(x)
            total = total + part.sum((0, 2, 3), keepdim=True)[0]
            square = square + part.square().sum((0, 2, 3), keepdim=True)[0]
        pixels = split.x.numel() / split.x.shape[1]
        mean = total / pixels
        self.shift.copy_(mean)
        self.scale.copy_((square / pixels - mean.square()).clamp_min(Whiten.FLOOR**2).sqrt())


def short_training(n: int) -> TrainConfig:
    """How the small network is trained on n points: about `PASSES` of them, in 4 to 20 epochs."""
    return TrainConfig(
        lr=5e-3,
        schedule="cosine",
        max_epochs=min(max(round(PASSES / n), 4), 20),
        batch_size=64,
    )
