"""The codes of a run's own encoder as features."""

from __future__ import annotations

import torch
from torch import Tensor

from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.features.core import Extractor, ExtractorConfig, OptionalPath
from uomh.metrics.core import weights_of
from uomh.models.core import Codec
from uomh.parallel.progress import Progress
from uomh.registry import register
from uomh.training.load import load_run


@register("extractors", "run")
class RunFeatures(Extractor):
    """Codes of the model of a run, run:PATH.

    Raises:
        UomhError: there is no such run, its model has no codes, needs labels for them, or is for
            other data.
    """

    class Config(ExtractorConfig):
        """Its settings."""

        path: OptionalPath = None
        """folder of the run"""

    unkeyed = Extractor.unkeyed | {"path"}
    config: Config

    def __init__(
        self,
        config: Config,
        data: Data,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
    ) -> None:
        super().__init__(config, data, device, progress)
        if not config.path:
            raise UomhError("extractor run: say which, run:PATH of the run's folder")
        run = load_run(config.path)
        model = run.model
        if not isinstance(model, Codec) or getattr(model, "num_classes", False):
            why = "needs labels for its codes" if isinstance(model, Codec) else "has no codes"
            raise UomhError(
                f"extractor run:{config.path}: its model {why}; choose a run of ae, vae, avb, wae "
                "or bigan that is neither conditional nor disconnected"
            )
        if (run.spec.shape, run.spec.levels) != (data.spec.shape, data.spec.levels):
            raise UomhError(
                f"extractor run:{config.path} is for points of shape {run.spec.shape} and "
                f"{run.spec.levels} grey levels; those of {data.name} have the shape "
                f"{data.spec.shape} and {data.spec.levels}"
            )
        self.codec = model
        self.codec.to(self.device).eval()
        self.weights = weights_of(model)

    def state(self) -> str:
        """The hash of its weights."""
        return self.weights

    def features(self, x: Tensor, levels: int | None) -> Tensor:
        """See `Extractor`."""
        del levels
        return self.codec.encode(x)
