"""Where in a run a model is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from uomh.config import TrainConfig
from uomh.errors import UomhError
from uomh.models.core import Learner
from uomh.parallel.progress import Progress
from uomh.training.checkpoints import Checkpoints


@dataclass(frozen=True)
class Scope:
    """A place among the models of a run.

    Attributes:
        config: how leaves are trained whose settings do not say.
        seed: all randomness follows from it.
        folder: of the run; None keeps everything in memory.
        device: torch device.
        progress: is told how it goes.
        path: of the model.
        valid_batch_size: points that are validated at once.
    """

    config: TrainConfig = field(default_factory=TrainConfig)
    seed: int = 0
    folder: Path | None = None
    device: str = "cpu"
    progress: Progress = field(default_factory=Progress)
    path: str = "model"
    valid_batch_size: int = 512

    def child(self, name: str) -> Self:
        """The scope of a model below."""
        return replace(self, path=f"{self.path}/{name}" if name else self.path)

    def checkpoints(self) -> Checkpoints:
        """Where the states of a leaf at this path stand."""
        return Checkpoints(self.folder and self.folder / "checkpoints" / self.path)

    def recall(self, model: Learner) -> None:
        """Load the best weights of every leaf from where it was trained.

        Raises:
            UomhError: one has no checkpoint, or it is damaged.
        """
        for name, leaf in model.leaves():
            scope = self.child(name)
            if not scope.checkpoints().load_weights("best", leaf):
                raise UomhError(
                    f"{scope.path!r} of the run in {str(self.folder)!r} has no checkpoint yet; "
                    "train it first"
                )
        model.eval()
