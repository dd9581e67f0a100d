"""Groups of an evaluation: a part of a disconnected model, or a class of a conditional one.

Its resources are rows of those of the whole: a point is drawn, described and scored once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from uomh.data.core import Data, Split
from uomh.metrics.evaluation import Evaluation
from uomh.metrics.sources import HELD_OUT, PointSource
from uomh.settings import ComponentSettings


def groups_of(whole: Evaluation) -> list[GroupEvaluation]:
    """The groups that the model tells apart, of which training and measured points are there."""
    if not whole.model.num_classes or whole.split.y is None:
        return []
    there = set(whole.split.y.tolist()) & set(whole.data.weights.nonzero().flatten().tolist())
    return [
        GroupEvaluation(whole, k, whole.data.classes[k], whole.data.part(k)) for k in sorted(there)
    ]


class GroupEvaluation(Evaluation):
    """A group as rows of the whole.

    Args:
        whole: of which it is a group.
        label: of its points and samples.
        name: of the group.
        data: the points of the group in all splits.
    """

    def __init__(self, whole: Evaluation, label: int, name: str, data: Data) -> None:
        parts = whole.generative.parts()
        split = whole.split
        assert split.y is not None
        super().__init__(
            parts[name] if parts else whole.model,
            data,
            replace(split[split.y == label], y=None),
            whole.seed,
            whole.batch_size,
            whole.advance,
        )
        self.batch_size = whole.batch_size
        self.whole, self.label, self.group = whole, label, name
        self.default_samples = whole.default_samples
        self.cache = whole.cache
        self.state = f"{whole.state}/{label}"

    def points(self, source: PointSource) -> Split:
        """The points of the group among those of the whole; of other data, all."""
        return replace(self.whole.points(source)[self._rows(source)], y=None)

    def samples(self, n: int | None = None) -> Split:
        """The draws of the group among n of the whole."""
        return self.points(PointSource("samples", n))

    def features(self, source: PointSource, extractor: ComponentSettings | None = None) -> Tensor:
        """The rows of the group."""
        return self.whole.features(source, extractor)[self._rows(source)]

    def extractor(self, settings: ComponentSettings | None = None) -> Any:
        """As of the whole."""
        return self.whole.extractor(settings)

    def other(self, name: str) -> Data:
        """As of the whole."""
        return self.whole.other(name)

    def given(self, n: int) -> Tensor | None:
        """The label of the group, where the model is conditional."""
        if not self.model.num_classes:
            return None
        return torch.full((n,), self.label, device=self.device)

    def log_prob(self, source: PointSource = HELD_OUT, draws: int | None = None) -> Tensor:
        """By the part of the group alone, or given the label of the group."""
        whole = self.whole
        if whole.generative.parts() and whole.generative.likelihood is not None:
            return whole._log_probs(source, draws)[self._rows(source), self.label]
        return super().log_prob(source, draws)

    def _rows(self, source: PointSource) -> Tensor:
        """The rows of the group among the points of the whole."""
        labels = self.whole.points(source).y
        if source.data is not None or labels is None:
            return torch.arange(len(self.whole.points(source)))
        return torch.nonzero(labels == self.label).squeeze(1)

    def _split(self, source: PointSource) -> Split:
        return self.whole._split(source)

    def _canonical(self, source: PointSource) -> PointSource:
        return self.whole._canonical(source)

    def _identity(self, source: PointSource) -> tuple[object, ...]:
        return (*self.whole._identity(source), self.label)
