"""Where and how the leaves of a model are trained: scopes of a run's folder, settings, parts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from uomh.config import TrainConfig
from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.models.core import Generative, Model
from uomh.parallel.core import Outcome, computing_with, failure, raise_failures
from uomh.parallel.progress import Progress
from uomh.training.checkpoints import Checkpoints
from uomh.training.fit import Leaf


class Trainer:
    """Trains leaves, each in its scope of a run's folder.

    Args:
        config: how to train.
        seed: all randomness follows from it.
        folder: of the run; None keeps everything in memory.
        device: torch device.
        progress: is told how it goes.
        path: of the leaf or composition that this trainer is for.
        own: how to train at single paths, and below them, where that is another way.
        part_threads: processor threads that train each of several parts; None leaves them be.
        elsewhere: trains the parts at these paths, and below, in the folder, for `map`.
        valid_batch_size: points that are validated at once.
    """

    def __init__(
        self,
        config: TrainConfig,
        seed: int = 0,
        folder: Path | None = None,
        device: str = "cpu",
        progress: Progress | None = None,
        path: str = "model",
        own: Mapping[str, TrainConfig] | None = None,
        part_threads: int | None = None,
        elsewhere: Callable[[Sequence[str]], None] | None = None,
        valid_batch_size: int = 512,
    ) -> None:
        self.own = own or {}
        self.config = self.own.get(path, config)
        self.part_threads = part_threads
        self.elsewhere = elsewhere
        self.valid_batch_size = valid_batch_size
        self.seed = seed
        self.folder = folder
        self.device = device
        self.progress = progress or Progress()
        self.path = path

    def child(self, name: str) -> Trainer:
        """The trainer of a part."""
        child = copy.copy(self)
        child.path = f"{self.path}/{name}"
        child.config = self.own.get(child.path, self.config)
        return child

    def map(self, parts: Mapping[str, tuple[Generative, Data]]) -> None:
        """Fit independent parts; one that fails does not keep the others from being trained.

        Raises:
            UomhError: which parts failed, and why.
        """
        if self.elsewhere is not None:
            self.elsewhere([f"{self.path}/{name}" for name in parts])
            for name, (part, _) in parts.items():
                self.child(name).recall(part)
            return
        outcomes: list[Outcome[None]] = []
        for name, (part, piece) in parts.items():
            try:
                with computing_with(self.part_threads or torch.get_num_threads()):
                    part.fit(piece, self.child(name))
                outcomes.append(Outcome())
            except Exception as error:  # as of a part in another process
                outcomes.append(failure(error))
            part.to("cpu")  # one part at a time on the device
        raise_failures(outcomes, [piece.name for _, piece in parts.values()])

    def keep(self, model: Model) -> None:
        """Save a leaf as it is, as the best of its path, or load it from where it was saved."""
        checkpoints = self.checkpoints()
        if not checkpoints.load_weights("best", model):
            checkpoints.save("best", {"epoch": 0, "model": model.state_dict()})
        model.to(self.device).eval()

    def recall(self, model: Generative) -> None:
        """Load the best weights of every leaf from where it was trained.

        Raises:
            UomhError: one has no checkpoint, or it is damaged.
        """
        for path, leaf in model.leaves():
            trainer = self.child(path) if path else self
            if not trainer.checkpoints().load_weights("best", leaf):
                raise UomhError(
                    f"{trainer.path!r} of the run in {str(self.folder)!r} has no checkpoint yet; "
                    "train it first"
                )
        model.eval()

    def checkpoints(self) -> Checkpoints:
        """Where the states of a leaf at this path stand."""
        return Checkpoints(self.folder and self.folder / "checkpoints" / self.path)

    def fit(self, model: Model, data: Data) -> None:
        """Train a leaf, or go on where its checkpoint stands; end with its best weights.

        Raises:
            UomhError: a loss is not finite, a checkpoint is damaged, a setting names no group.
        """
        Leaf(self, model, data).run()
