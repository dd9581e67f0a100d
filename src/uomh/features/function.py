"""Features by a function of the user's: ``module:function`` or ``file.py:function``."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from uomh import registry
from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.features.core import Extractor, ExtractorConfig
from uomh.metrics.core import weights_of
from uomh.parallel.progress import Progress
from uomh.registry import register
from uomh.text import shortened


@register("extractors", "function")
class FunctionFeatures(Extractor):
    """What a function of yours gives for a batch, module:function or file.py:function.

    It is called with the points (B, ...) alone. A network (`torch.nn.Module`) is brought to the
    device and into evaluation mode. Kept features are known by the text of the function's file and
    by a network's weights; where they depend on more, give the function an attribute ``key``.

    Raises:
        UomhError: there is no such function.
    """

    class Config(ExtractorConfig):
        """Its settings."""

        target: Annotated[str, AfterValidator(registry.absolute)] = ""
        """module:function or file.py:function"""

    unkeyed = Extractor.unkeyed | {"target"}
    config: Config

    def __init__(
        self,
        config: Config,
        data: Data,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
    ) -> None:
        super().__init__(config, data, device, progress)
        if not config.target:
            raise UomhError("extractor function: say which, module:function or file.py:function")
        self.function: Callable[[Tensor], Any] = registry.attribute(config.target)
        if isinstance(self.function, type) or not callable(self.function):
            raise UomhError(
                f"{config.target!r} is no function of points but "
                f"{'a class' if isinstance(self.function, type) else 'a value'}; name a function "
                "that maps a batch (B, ...) to features (B, F)"
            )
        if isinstance(self.function, nn.Module):
            self.function = self.function.to(self.device).eval()

    @property
    def label(self) -> str:
        """The name of the function."""
        return self.config.target.rpartition(":")[2]

    def state(self) -> str:
        """A hash of the function's file, of its weights, and of its ``key``."""
        digest = hashlib.blake2b(digest_size=8)
        path, _, _ = self.config.target.rpartition(":")
        source = path if path.endswith(".py") else inspect.getsourcefile(registry.module(path))
        if source is not None and Path(source).is_file():
            digest.update(Path(source).read_bytes())
        if isinstance(self.function, nn.Module):
            digest.update(weights_of(self.function).encode())
        digest.update(str(getattr(self.function, "key", "")).encode())
        return digest.hexdigest()

    def features(self, x: Tensor, levels: int | None) -> Tensor | np.ndarray:
        """See `Extractor`.

        Raises:
            UomhError: the function fails.
        """
        del levels
        try:
            given: Tensor | np.ndarray = self.function(x)
        except UomhError:
            raise
        except Exception as error:
            text = shortened(" ".join(str(error).split()), 300)
            raise UomhError(
                f"extractor {self.config.target} failed on points of shape {tuple(x.shape)} "
                f"({str(x.dtype).removeprefix('torch.')}): {type(error).__name__}: {text}"
            ) from error
        return given
