"""The contract of metrics: named values with 95% intervals over test points.

A metric is given an `Evaluation`, which holds the model, the points, and what several metrics share
(log-densities are computed once). It yields (name, `Value`). What cannot be measured yields a value
of None and the reason.

Likelihoods are averages over points x + u, where u is uniform over one grey level and drawn from
the seed, so that they are densities of data space for every model, and comparable.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn

from uomh import registry
from uomh.data.core import Data, Split
from uomh.devices import moved
from uomh.errors import UomhError
from uomh.metrics.values import Value
from uomh.models.core import Generative, Trainable
from uomh.nn.transforms import Cells
from uomh.seeds import seeded
from uomh.sizes import at_once


def weights_of(model: nn.Module) -> str:
    """A short hash of a model's parameters and buffers: equal for equal bits, on any device."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


class Evaluation:
    """A model on a split.

    Args:
        model: in evaluation mode, on its device.
        data: the data set.
        split: the points of it that are measured.
        seed: of the draws that measuring takes.
        batch_size: points at once, of usual size; fewer where they are larger (`uomh.sizes`).
        advance: called with the number of points after each batch.
    """

    def __init__(
        self,
        model: Generative | Trainable,
        data: Data,
        split: Split,
        seed: int = 0,
        batch_size: int = 512,
        advance: Callable[[int], None] | None = None,
    ) -> None:
        self.model = model
        self.data = data
        self.split = split
        self.seed = seed
        self.batch_size = at_once(batch_size, data.spec.dim)
        self.advance = advance or (lambda n: None)
        self.device = model.device
        self._uniform = Cells(dequantize=True).train()

    def over_points(
        self,
        f: Callable[[Tensor, Tensor | None], Tensor],
        most: int | None = None,
        together: int | None = None,
    ) -> Tensor:
        """F of every batch as it stands in the data, joined: (n,) float64 on the processor.

        Args:
            f: of points (B, ...) and labels (B,), on the model's device.
            most: how many points are enough; they are spread evenly over the split.
            together: about how many points f looks at together, where its value at one depends on
                the others; they come in sets of nearly equal size, whatever the batch size.
        """
        step = math.ceil(len(self.split) / most) if most else 1
        split = self.split[::step]
        results = []
        with torch.no_grad():
            for x, y in _sets(split, together) if together else split.batches(self.batch_size):
                labels = None if y is None else y.to(self.device)
                results.append(f(moved(x, self.device), labels).cpu().double())
                self.advance(len(x))
        return torch.cat(results)

    def dequantized(self, x: Tensor) -> Tensor:
        """Points x + u of data space, u uniform over one grey level; vectors as they are."""
        points: Tensor = self._uniform(x)
        return points

    @property
    def generative(self) -> Generative:
        """The model, as one that can be scored.

        Raises:
            UomhError: it is none.
        """
        if not isinstance(self.model, Generative):
            raise UomhError(f"{type(self.model).__name__} is no generative model")
        return self.model

    @cached_property
    def log_prob(self) -> Tensor:
        """Log-densities in nats in data space of all points, (n,)."""
        with seeded(self.seed, "log_prob"):  # the same draws, whichever metric asks first
            return self.over_points(lambda x, y: self.generative.log_prob(self.dequantized(x)))


def _sets(split: Split, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Consecutive sets (x, y) of about ``size`` points, none larger, of nearly equal size."""
    for rows in torch.arange(len(split)).tensor_split(math.ceil(len(split) / size)):
        points = split[rows]
        yield points.x, points.y


class Metric(ABC):
    """Something that is measured.

    Attributes:
        higher_is_better: the direction, for early stopping and comparison.
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool] = False

    @abstractmethod
    def measure(self, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
        """Yield named values.

        Raises:
            UomhError: the model has nothing of the kind; its sentence becomes the reason.
        """


def evaluate(names: Iterable[str], evaluation: Evaluation) -> dict[str, Value]:
    """Measure the named metrics, each on a random stream of its own.

    Args:
        names: as registered.
        evaluation: model and points.

    Raises:
        UomhError: no such metric.
    """
    metrics: list[Metric] = [registry.load("metrics", name)() for name in names]
    values: dict[str, Value] = {}
    was_training = evaluation.model.training
    evaluation.model.eval()
    for metric in metrics:
        with seeded(evaluation.seed, "metric", metric.name):
            try:
                values.update(metric.measure(evaluation))
            except UomhError as error:
                values[metric.name] = Value(None, reason=str(error))
    evaluation.model.train(was_training)
    return values
