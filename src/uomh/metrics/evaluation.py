"""What metrics share: a graph of resources, each computed once, when first asked for.

    samples(n)                draws of the model, in the data's own range, with their labels
    points(source)            a split, of these data or others, or the samples
    features(source)          their features, by an extractor
    neighbours(a, b, k)       the k nearest of a of each point of b, in features
    log_prob(source)          log-densities
    logits(source)            of a classifier

A resource is kept in memory and, where the evaluation has a `Cache`, on disk under all that it
depends on: the hash of the weights and settings of the model, the fingerprint of the data, the
seed, the extractor, the number of points. See `uomh.metrics.resources`.

Groups of it are evaluations too, whose resources are rows of these: see `uomh.metrics.groups`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uomh import registry
from uomh.data.core import Data, Split
from uomh.devices import moved
from uomh.errors import UomhError
from uomh.metrics.cache import Arrays, Cache
from uomh.metrics.drawing import draw_samples, taking_draws
from uomh.metrics.resources import Resources
from uomh.metrics.sources import HELD_OUT, PointSource, in_sets
from uomh.models.classifier import Classifier
from uomh.models.core import Generative, Learner
from uomh.models.leaf import log_mixture
from uomh.models.trainable import Trainable
from uomh.neighbours import Neighbours, nearest_neighbours
from uomh.nn.transforms import Cells
from uomh.seeds import seeded
from uomh.settings import ComponentSettings
from uomh.sizes import at_once


class Evaluation(Resources):
    """A model on a split.

    Args:
        model: in evaluation mode, on its device.
        data: the data set.
        split: the points of it that are measured.
        seed: of the draws that measuring takes.
        batch_size: points at once, of usual size; fewer where they are larger (`uomh.sizes`).
        advance: called with the number of points after each batch.
        samples: how many are drawn where a metric does not say; None: as many as there are training
            points.
        extractor: of features, where a metric does not say; None: ``classifier``, or ``pixels``
            where the data have no classes to learn.
        other: loads other data by name, to be told apart from these.
        labelled: gives the same data with the labels of their source, which extractors learn from;
            None: the data as they are.
        cache: keeps resources on disk.
        state: hash of all that the model's numbers depend on, from which the cache takes its keys.

    Attributes:
        group: name of the group that it is of; None: the whole.
        shown: arrays that metrics leave for pictures and for whoever reads the run's folder, by
            the name of what they show.
    """

    group: str | None = None

    def __init__(
        self,
        model: Learner | Trainable,
        data: Data,
        split: Split,
        seed: int = 0,
        batch_size: int = 512,
        advance: Callable[[int], None] | None = None,
        *,
        samples: int | None = None,
        extractor: ComponentSettings | None = None,
        other: Callable[[str], Data] | None = None,
        labelled: Callable[[], Data] | None = None,
        cache: Cache | None = None,
        state: str = "",
    ) -> None:
        super().__init__(data, split, seed, samples, other, cache, state)
        self.model = model
        self.batch_size = at_once(batch_size, data.spec.dim)
        self.advance = advance or (lambda n: None)
        self.device = model.device
        self.default_extractor = extractor
        self.labelled = labelled or (lambda: data)
        self._uniform = Cells(dequantize=True).train()
        self.shown: dict[str, dict[str, NDArray[Any]]] = {}

    @property
    def generative(self) -> Generative:
        """The model, as one that can be drawn from and scored.

        Raises:
            UomhError: it is none.
        """
        if not isinstance(self.model, Generative):
            raise UomhError(f"{type(self.model).__name__} is no generative model")
        return self.model

    def over_points(
        self,
        f: Callable[[Tensor, Tensor | None], Tensor],
        most: int | None = None,
        together: int | None = None,
        source: PointSource = HELD_OUT,
    ) -> Tensor:
        """F of every batch as it stands in the data, joined: (n, ...) float64 on the processor.

        Args:
            f: of points (B, ...) and labels (B,), on the model's device.
            most: how many points are enough; they are spread evenly over the split.
            together: about how many points f looks at together, where its value at one depends on
                the others; they come in sets of nearly equal size, whatever the batch size.
            source: which points.
        """
        points = self.points(source)
        split = points[:: math.ceil(len(points) / most) if most else 1]
        results = []
        with torch.no_grad():
            for x, y in in_sets(split, together) if together else split.batches(self.batch_size):
                labels = None if y is None else y.to(self.device)
                results.append(f(moved(x, self.device), labels).cpu().double())
                self.advance(len(x))
        return torch.cat(results)

    def dequantized(self, x: Tensor) -> Tensor:
        """Points x + u of data space, u uniform over one grey level; vectors as they are."""
        points: Tensor = self._uniform(x)
        return points

    def points(self, source: PointSource) -> Split:
        """The points of a source, as they stand in the data.

        Raises:
            UomhError: there are none.
        """
        if source.of == "samples":
            return self.samples(source.n)
        split = self._split(source)
        if not len(split):
            name = {"held_out": "held-out", "train": "training"}.get(source.of, source.of)
            raise UomhError(f"{self._data(source).name} has no {name} points")
        if source.n is None or source.n >= len(split):
            return split
        return split[torch.linspace(0, len(split) - 1, source.n).round().long()]

    def samples(self, n: int | None = None) -> Split:
        """Draws of the model, as grey levels where the data are images, with their labels.

        The first are the same, however many are drawn; labels are drawn by the shares of the
        training data, where the model has any.

        Args:
            n: how many; None: as many as the evaluation draws.

        Raises:
            UomhError: the model cannot be sampled, or what it draws is not finite.
        """
        n = self.default_samples if n is None else n
        if n < 1:
            raise UomhError(f"the number of samples is {n}; at least one is needed")
        most: Split | None = self._kept.get(("samples",))
        if most is None or len(most) < n:
            draw = partial(
                draw_samples, self.generative, n, self.data.levels, self.seed, self.advance
            )
            key = (self.state, self.data.fingerprint, self.seed, n)
            arrays = self._stored("samples", key, draw)
            y = torch.from_numpy(arrays["y"]) if "y" in arrays else None
            most = self._kept["samples",] = Split(torch.from_numpy(arrays["x"]), y)
        return most[:n]

    def features(self, source: PointSource, extractor: ComponentSettings | None = None) -> Tensor:
        """Features of the points of a source, float32 (n, F) on the processor.

        Args:
            source: which points.
            extractor: settings of the extractor; None: the evaluation's.

        Raises:
            UomhError: there are no such points, or no features of them.
        """
        source, by = self._canonical(source), self.extractor(extractor)

        def extract() -> Arrays:
            points = self.points(source)
            found: Tensor = by.extract(points.x, self.data.levels, self.advance)
            return {"x": found.numpy()}

        return torch.from_numpy(self.kept("features", (source,), (by.key,), extract)["x"])

    def extractor(self, settings: ComponentSettings | None = None) -> Any:
        """An extractor for these data, built once.

        Args:
            settings: its settings; None: those of the evaluation.

        Raises:
            UomhError: there is none, or it cannot be had for these data.
        """
        settings = settings or self.default_extractor
        if settings is None:
            several = self.data.train.y is not None and len(self.labelled().classes) > 1
            settings = ComponentSettings(name="classifier" if several else "pixels")
        key = ("extractor", settings.model_dump_json())
        if key not in self._kept:
            cls = registry.load("extractors", settings.name)
            if not isinstance(settings, cls.Config):
                settings = cls.Config(name=settings.name)
            self._kept[key] = cls(settings, self.labelled(), self.device)
        return self._kept[key]

    def neighbours(
        self, a: PointSource, b: PointSource, k: int, extractor: ComponentSettings | None = None
    ) -> Neighbours:
        """The k nearest points of a for each point of b, by Euclidean distance of features.

        Within one source a point is not its own neighbour; duplicates are points like any other.

        Args:
            a: the points that are searched.
            b: the points that are asked about.
            k: how many.
            extractor: as of `features`.

        Raises:
            UomhError: a has fewer points than k.
        """
        a, b = self._canonical(a), self._canonical(b)
        by = self.extractor(extractor)
        key = ("neighbours", by.key, a, b)
        found: Neighbours | None = self._kept.get(key)
        if found is None or found.k < k:

            def search() -> Arrays:
                queries = None if a == b else self.features(b, extractor).numpy()
                searched = self.features(a, extractor).numpy()
                result = nearest_neighbours(
                    searched, k, queries, duplicates="keep", device=self.device
                )
                return {"distances": result.distances, "indices": result.indices}

            identity = (by.key, *self._identity(a), *self._identity(b), k)
            arrays = self._stored("neighbours", identity, search)
            distances: Any = arrays["distances"]
            indices: Any = arrays["indices"]
            found = Neighbours(distances, indices, np.arange(len(indices)))
            self._kept[key] = found
        return replace(found, distances=found.distances[:, :k], indices=found.indices[:, :k])

    def log_prob(self, source: PointSource = HELD_OUT, draws: int | None = None) -> Tensor:
        """Log-densities in nats in data space of the points of a source, (n,).

        Args:
            source: which points.
            draws: of an importance-weighted bound; None: as the model's settings say.

        Raises:
            UomhError: the model has no likelihood.
        """
        log_probs = self._log_probs(source, draws)
        if not self.generative.parts():
            return log_probs[:, 0]
        return log_mixture(log_probs.unbind(1), self.generative.label_weights.double().cpu())

    def logits(self, source: PointSource = HELD_OUT) -> Tensor:
        """Logits of a classifier at the points of a source, float64 (n, K) on the processor.

        Raises:
            UomhError: the model is none.
        """
        model = self.model
        if not isinstance(model, Classifier):
            raise UomhError(f"{type(model).__name__} is no classifier")
        key = ("logits", self._canonical(source))
        if key not in self._kept:
            self._kept[key] = self.over_points(lambda x, y: model(x), source=source)
        found: Tensor = self._kept[key]
        return found

    def given(self, n: int) -> Tensor | None:
        """The labels that n points are scored under; None: they are not known."""
        del n
        return None

    def _log_probs(self, source: PointSource, draws: int | None = None) -> Tensor:
        """Log-densities by each part of the model, or by itself where it has none, (n, K)."""
        source = self._canonical(source)
        models = list(self.generative.parts().values()) or [self.generative]

        def score(x: Tensor, y: Tensor | None) -> Tensor:
            del y
            x, given = self.dequantized(x), self.given(len(x))
            return torch.stack([model.log_prob(x, given) for model in models], 1)

        def compute() -> Arrays:
            # The same draws of x + u, whichever metric asks first.
            with seeded(self.seed, "log_prob"), taking_draws(self.generative, draws):
                return {"x": self.over_points(score, source=source).numpy()}

        key = (self.state, self.seed, draws)
        return torch.from_numpy(self.kept("log_prob", (source,), key, compute)["x"])
