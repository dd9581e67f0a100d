"""Training: the one loop, the folder of a run, exact resumption."""

from uomh.config import TrainConfig
from uomh.parallel.progress import Progress
from uomh.training.trainer import Trainer

__all__ = ["Progress", "TrainConfig", "Trainer"]
