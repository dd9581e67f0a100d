"""The classifier: a network's features and a linear layer, trained by cross-entropy.

A leaf on the one training loop that generates nothing. The extractor ``classifier`` of
`uomh.features` is one that is trained briefly.

*Weights by dimension.* The paper weights the loss of a point of class c by

    w_c = 100 ID_c / sum_k ID_k,

ID_c being the intrinsic dimension of the training points of the class. A batch's loss is the mean
of its points' losses by these weights, sum_i w_i l_i / sum_i w_i, so that the factor is without
effect and both losses ask for the same learning rate. Held-out points are scored without weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from uomh.config import TrainConfig
from uomh.data.core import Data, DataSpec, Split
from uomh.errors import UomhError
from uomh.models.class_dimension import (
    ClassDimension,
    check_dimensions,
    class_dimensions,
    dimension_weights,
)
from uomh.models.core import Build
from uomh.models.leaf import LeafLearner
from uomh.models.precision import refuse_narrowing
from uomh.models.trainable import LeafConfig
from uomh.nn.classifiers import USUAL_SIDE, Network, feature_network
from uomh.nn.transforms import Affine, Cells, Whiten
from uomh.registry import register
from uomh.settings import Nested, Settings, Width

PASSES = 60_000
"""images that training looks at, where the bounds of `short_training` do not say otherwise"""
SMALL_PASS = PASSES // 10
"""training points whose `short_training`, of ten epochs, the small network has by default"""
Precision = Literal["float32", "bfloat16", "float16"]
CIFAR100 = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
"""mean and deviation by which the paper's classifier normalises CIFAR-100"""
SCHEDULE: Nested = {
    "optimizer": "sgd",
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "schedule": "milestones",
    "milestones": [0.3, 0.6, 0.8],
    "gamma": 0.2,
    "max_grad_norm": None,
    "max_epochs": 200,
    "batch_size": 128,
}
"""of the paper: 0.1, and 0.02, 0.004 and 0.0008 after 60, 120 and 160 of 200 epochs"""
VALID_METRICS = ("accuracy", "loss", "right_probability")
MEASURES = ("accuracy", "loss", "right_probability", "calibration_error", "dimension_correlation")


class NetworkConfig(Settings):
    """Settings of the classifier's network."""

    network: Network = "small"
    """which: small, a residual network of three blocks, or one of the field's for images of 32x32
    """
    width: Annotated[int | None, Width()] = Field(None, ge=1)
    """channels of its first stage; null: 16 of the small one, 64 of the others"""
    precision: Precision = "float32"
    """of the network's products: float32, or bfloat16 or float16 beside weights of float32"""
    channels_last: bool = True
    """images with the channels of a pixel side by side, which most devices are faster with"""


class ClassifierConfig(NetworkConfig, LeafConfig):
    """Settings of the classifier."""

    weight_by_dimension: bool = False
    """weight the loss of a point by the intrinsic dimension of its class"""
    dimension_k: int = Field(10, ge=3)
    """neighbours of a point for that dimension"""
    mean: tuple[float, ...] | None = None
    """of each channel, black being 0 and white 1, to normalise by; null: of the training images
    (of CIFAR-100: the paper's)"""
    std: tuple[float, ...] | None = None
    """deviation of each channel"""
    dimensions: tuple[ClassDimension, ...] | None = None
    """of the classes, in their order; the training points decide them"""


@register("models", "classifier")
class Classifier(LeafLearner):
    """A classifier of labelled points, its loss plain or weighted by dimension.

    Args:
        config: settings.
        spec: of the data; its classes are told apart.

    Raises:
        UomhError: there are fewer than two classes, or the network takes no such points.
    """

    Config = ClassifierConfig
    can_sample = False
    paper = "He, Zhang, Ren & Sun 2016; Simonyan & Zisserman 2015"

    config: ClassifierConfig
    class_weights: Tensor
    counts: Tensor

    def __init__(self, config: ClassifierConfig, spec: DataSpec) -> None:
        super().__init__()
        self.config = config
        if spec.num_classes < 2:
            there = "one class" if spec.num_classes else "no labels"
            raise UomhError(f"a classifier needs two classes, and these data have {there}")
        self.spec = spec
        self.cells = Cells(dequantize=False)
        self.normalise = WhitenChannels(spec.shape) if spec.is_image else Whiten(spec.shape)
        self.backbone, features = feature_network(config.network, spec.shape, config.width)
        self.channels_last = spec.is_image and config.channels_last
        if self.channels_last:
            self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = nn.Linear(features, spec.num_classes)
        self.scales_losses = config.precision == "float16"
        weights = torch.ones(spec.num_classes)
        if config.weight_by_dimension and config.dimensions is not None:
            weights = dimension_weights(config.dimensions)
        self.register_buffer("class_weights", weights, persistent=False)
        # By class: points of the pass, those put into it, sum of its probability.
        self.register_buffer("counts", torch.zeros(3, spec.num_classes), persistent=False)

    @classmethod
    def defaults(cls, given: Nested, spec: DataSpec) -> Nested:
        """The paper's network and schedule for images of its size, a small one for smaller."""
        large = spec.is_image and min(spec.shape[1:]) >= USUAL_SIDE
        network = given.get("network") or ("resnet18" if large else "small")
        train = dict(SCHEDULE)
        if network == "small":
            train = short_training(SMALL_PASS).model_dump(mode="json")
        return {
            "model": {"network": network},
            "train": {**train, "valid_metrics": list(VALID_METRICS)},
        }

    @classmethod
    def decide(
        cls, config: Any, data: Data, spec: DataSpec, leaf: Build, *, codes: bool = False
    ) -> ClassifierConfig:
        """The dimension of every class."""
        del leaf, codes
        assert isinstance(config, ClassifierConfig)
        if spec.num_classes < 2:
            return config  # refused where it is built
        found = config.dimensions or class_dimensions(data, config.dimension_k)
        if config.weight_by_dimension:
            check_dimensions(data, found)
        return config.model_copy(update={"dimensions": found})

    @classmethod
    def measures(cls, config: Any) -> tuple[str, ...]:
        """See `Learner`."""
        del config
        return MEASURES

    def prepare(self, data: Data) -> None:
        """Take mean and deviation of the training points.

        Raises:
            UomhError: there is one point alone, which cannot be normalised over a batch; a mean or
                deviation that was given is not one number for each channel.
        """
        if len(data.train) < 2:
            raise UomhError(f"{data.name} has one training point; a classifier needs two")
        refuse_narrowing(data)
        mean, std = self.config.mean, self.config.std
        if mean is None and std is None:
            if data.name != "cifar100" or self.spec.shape != (3, 32, 32):
                self.normalise.fit(data.train)
                return
            mean, std = CIFAR100
        channels = self.spec.shape[0] if self.spec.levels is not None else None
        if mean is None or std is None or len(mean) != channels or len(std) != channels:
            there = "these data are vectors" if channels is None else f"there are {channels}"
            raise UomhError(
                f"model.mean and model.std give one number for each channel, both, and {there}"
            )
        if min(std) <= 0:
            raise UomhError(f"model.std={list(std)}: deviations are above 0")
        assert self.spec.levels is not None
        white, shape = self.spec.levels - 1, (channels, 1, 1)
        # Data space has a level at the centre of its cell, half a level up.
        self.normalise.shift.copy_(torch.tensor(mean).mul(white).add(0.5).reshape(shape))
        self.normalise.scale.copy_(torch.tensor(std).mul(white).reshape(shape))

    def features(self, x: Tensor) -> Tensor:
        """What the last layer reads, (B, F), of points (B, ...)."""
        z, _ = self.normalise(self.cells(x))
        if self.channels_last:
            z = z.contiguous(memory_format=torch.channels_last)
        with self._precision():
            out: Tensor = self.backbone(z)
        return out.to(z.dtype)

    def _precision(self) -> AbstractContextManager[Any]:
        """A block whose products are of the precision that the settings ask for."""
        precision = self.config.precision
        return torch.autocast(
            self.device.type,
            dtype=getattr(torch, precision) if precision != "float32" else None,
            enabled=precision != "float32",
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, K)."""
        out: Tensor = self.head(self.features(x))
        return out

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Cross-entropy of each point in nats, (B,), without weights."""
        assert y is not None  # there are classes
        return functional.cross_entropy(self(x), y, reduction="none")

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """The mean cross-entropy of a batch, by the weights of its classes."""
        del step
        assert y is not None
        logits = self(x)
        self._count(logits.detach(), y)
        yield "model", functional.cross_entropy(logits, y, self.class_weights)

    def before_epoch(self, data: Data, epoch: int) -> None:
        """Begin to count anew."""
        del data, epoch
        self.counts.zero_()

    def _count(self, logits: Tensor, y: Tensor) -> None:
        """Add a batch to what the pass has shown, on the device."""
        right = logits.softmax(1).gather(1, y[:, None])[:, 0]
        found = (logits.argmax(1) == y).to(right.dtype)
        rows = torch.stack([torch.ones_like(right), found, right])
        self.counts.index_add_(1, y, rows.to(self.counts.dtype))

    def seen(self) -> Iterator[tuple[str, int | None, float]]:
        """Accuracy and probability of the right class over the pass, and those of each class."""
        points, *sums = self.counts.cpu().double()
        for name, total in zip(("accuracy", "right_probability"), sums, strict=True):
            yield name, None, float(total.sum() / points.sum())
            for label in points.nonzero()[:, 0].tolist():
                yield name, label, float(total[label] / points[label])

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
