"""A scope that trains: what `Learner.fit` is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from uomh.data.core import Data
from uomh.models.core import Generative
from uomh.models.trainable import Trainable
from uomh.parallel.core import Outcome, raise_failures, resumable_map
from uomh.parallel.progress import Progress
from uomh.training.fit import train_leaf
from uomh.training.pretrained import begin
from uomh.training.scope import Scope


@dataclass(frozen=True)
class Trainer(Scope):
    """Trains models, each in its scope of a run's folder.

    Attributes:
        part_threads: processor threads that train each of several parts; None leaves them be.
        elsewhere: trains the parts at these paths, and below, in the folder.
        grouped: the data of the run, with its groups as labels.
    """

    part_threads: int | None = None
    elsewhere: Callable[[Sequence[str]], Sequence[Outcome[Any]]] | None = None
    grouped: Data | None = None

    def fit(self, model: Trainable, data: Data) -> None:
        """Train a leaf, or go on where its checkpoint stands; end with its best weights.

        Raises:
            UomhError: a loss is not finite, a checkpoint is damaged, a setting names no group.
        """
        train_leaf(self, model, data)

    def map(self, parts: Mapping[str, tuple[Generative, Data]]) -> None:
        """Fit independent parts; one that fails does not keep the others from being trained.

        Raises:
            UomhError: which parts failed, and why.
        """

        def fit(name: str, progress: Progress) -> None:
            part, piece = parts[name]
            try:
                part.fit(piece, replace(self.child(name), progress=progress))
            finally:
                part.to("cpu")  # one part at a time on the device

        if self.elsewhere is not None:
            outcomes = self.elsewhere([self.child(name).path for name in parts])
        else:
            threads = self.part_threads or torch.get_num_threads()
            outcomes = resumable_map(fit, list(parts), threads=threads, progress=self.progress)
        raise_failures(outcomes, [piece.name for _, piece in parts.values()])
        if self.elsewhere is not None:
            for name, (part, _) in parts.items():
                self.child(name).recall(part)

    def keep(self, model: Generative) -> None:
        """Save leaves as they are, as the best of their paths, or load them from there."""
        for name, leaf in model.leaves():
            checkpoints = self.child(name).checkpoints()
            if not checkpoints.load_weights("best", leaf):
                checkpoints.save("best", {"epoch": 0, "model": leaf.state_dict()})
        model.to(self.device).eval()

    def begin_from(self, run_dir: str, model: Generative, frozen: bool) -> None:
        """Give the autoencoder of a model the weights of that of another run, to begin with.

        Args:
            run_dir: the other run.
            model: two steps, whose autoencoder it is.
            frozen: it is used as it is.

        Raises:
            UomhError: that run has no such autoencoder.
        """
        first, _ = next(iter(model.leaves()))
        if not self.child(first).checkpoints().has("best" if frozen else "last"):
            begin(run_dir, model.follow("autoencoder"), self.path, self.grouped, frozen)
