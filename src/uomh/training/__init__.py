"""Training: the one loop, the folder of a run, exact resumption."""

from uomh.progress import Progress
from uomh.training.fit import TrainConfig, Trainer

__all__ = ["Progress", "TrainConfig", "Trainer"]
