"""Features of a classifier that is trained once on the data set itself, and kept.

It needs no download and takes points of any size. What is learnt depends on the training points,
their labels, the settings and the seed alone, and is kept in the user's cache under a hash of them:
one file, written whole, by one process while others wait for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from pydantic import Field
from torch import Tensor

from uomh.data.cache import cache_root
from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.features.core import Extractor, ExtractorConfig
from uomh.metrics.core import weights_of
from uomh.metrics.values import NORMAL_95, Value
from uomh.models.classifier import Classifier, ClassifierConfig, short_training
from uomh.parallel.progress import Progress
from uomh.registry import register
from uomh.seeds import seeded
from uomh.training.checkpoints import Checkpoints
from uomh.training.fit import train_leaf
from uomh.training.scope import Scope

LAYOUT = 1
"""number of the way in which it is trained and kept; a new one makes it be trained anew"""


@register("extractors", "classifier")
class ClassifierFeatures(Extractor):
    """What the last layer of a small classifier reads, trained on the set's training split.

    Attributes:
        model: the trained classifier.
        accuracy: share of the test points (of the validation points, where there are none) that it
            puts into their class, with a 95% interval.

    Raises:
        UomhError: the data have no labels, or the cache cannot be written.
    """

    class Config(ExtractorConfig):
        """Its settings."""

        classifier: ClassifierConfig = ClassifierConfig()
        """the network"""
        epochs: int | None = Field(None, ge=1)
        """passes over the training split; null: about 60,000 points in all, in 4 to 20 passes"""
        seed: int = 0
        """of its weights and batches"""

    config: Config

    def __init__(
        self,
        config: Config,
        data: Data,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
    ) -> None:
        super().__init__(config, data, device, progress)
        if data.spec.num_classes < 2:
            there = "has one class" if data.classes else "has no labels"
            raise UomhError(
                f"extractor classifier learns to tell classes apart, and {data.name} {there}; "
                "choose --features pixels, inception, dinov2 or run:PATH, the encoder of a run"
            )
        with seeded(config.seed, "classifier"):
            self.model = Classifier(config.classifier, data.spec)
        held_out, self.held_out = (data.test, "test") if len(data.test) else (data.valid, "valid")
        correct = self._load_or_train(data)
        self.model.to(self.device).eval()
        self.accuracy = share(correct, len(held_out))
        self.weights = weights_of(self.model)
        self.about = self._about()

    def _about(self) -> str:
        found = self.accuracy
        if found.value is None:
            return "classifier of unknown accuracy: there are no held-out points"
        assert found.low is not None
        assert found.high is not None
        return (
            f"classifier of {100 * found.value:.1f}% {self.held_out} accuracy "
            f"({100 * found.low:.1f} to {100 * found.high:.1f}, n = {found.n:,})"
        )

    def state(self) -> str:
        """The hash of its weights."""
        return self.weights

    def features(self, x: Tensor, levels: int | None) -> Tensor:
        """See `Extractor`."""
        del levels  # those of the training data, as was checked
        return self.model.features(x)

    def probabilities(self, features: Tensor) -> Tensor:
        """Probabilities of the classes, float32 (N, K) on the processor.

        Args:
            features: (N, F), from `extract`.
        """
        with torch.no_grad():
            logits: Tensor = self.model.head(features.to(self.device))
            return logits.softmax(1).cpu()

    def _load_or_train(self, data: Data) -> int:
        """Give the classifier its weights; how many held-out points it puts into their class."""
        folder, name = cache_root() / "classifiers", self._file_name(data)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f".{name}.lock"):
                correct = self._load(folder, name)
                if correct is None:
                    correct = self._train(data)
                    self._save(folder, name, correct)
                return correct
        except OSError as error:
            raise UomhError(
                f"cannot keep the classifier in {str(folder)!r} ({error.strerror}); set UOMH_CACHE "
                "to a folder that can be written"
            ) from error

    def _file_name(self, data: Data) -> str:
        """A readable name, and a hash of all that training depends on.

        Of the points themselves: not every fingerprint of data made in memory is of its content.
        """
        settings = self.config.model_dump_json(exclude={"batch_size", "name"})
        digest = hashlib.blake2b(f"{LAYOUT} {data.spec} {settings}".encode(), digest_size=8)
        for split in (data.train, data.valid, data.test):
            digest.update(f"{len(split)} {split.x.dtype}".encode())
            for x, y in split.batches(4096):
                digest.update(x.contiguous().numpy().tobytes())
                assert y is not None
                digest.update(y.contiguous().numpy().tobytes())
        readable = "".join(c if c.isalnum() else "-" for c in data.name)[:64]
        return f"{readable}-{digest.hexdigest()}"

    def _load(self, folder: Path, name: str) -> int | None:
        """Take up the weights that are kept; None where there are none, or they are damaged."""
        with contextlib.suppress(UomhError, KeyError, TypeError, ValueError):
            kept = Checkpoints(folder)
            state: dict[str, Any] | None = kept.load(name)
            if state is not None and kept.load_weights(name, self.model):
                return int(state["correct"])
        return None

    def _save(self, folder: Path, name: str, correct: int) -> None:
        for leftover in folder.glob(f".{name}.pt-*"):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        state = {name: value.cpu() for name, value in self.model.state_dict().items()}
        Checkpoints(folder).save(name, {"model": state, "correct": correct})

    def _train(self, data: Data) -> int:
        train = short_training(len(data.train))
        if self.config.epochs is not None:
            train = train.model_copy(update={"max_epochs": self.config.epochs})
        scope = Scope(
            train,
            self.config.seed,
            device=str(self.device),
            progress=self.progress,
            path="classifier",
        )
        train_leaf(scope, self.model, data)
        held_out = data.test if len(data.test) else data.valid
        return self.model.correct(held_out)


def share(count: int, n: int) -> Value:
    """A share of n points with Wilson's 95% interval, which is right near 0 and 1 too.

    >>> found = share(10, 10)
    >>> found.value, round(found.low, 3), found.high
    (1.0, 0.722, 1.0)
    """
    if not n:
        return Value(None, reason="there are no points")
    p, z = count / n, NORMAL_95
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return Value(p, max(0.0, centre - half), min(1.0, centre + half), n)
