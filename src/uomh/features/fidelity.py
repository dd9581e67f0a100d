"""Features of networks trained on natural images: Inception v3 and DINOv2, by torch-fidelity.

Images are brought to 8 bits and three equal channels where they are grey; torch-fidelity then
resizes and normalises them as the reference implementations do. Weights are downloaded by
torch-fidelity and torch, or read from a file.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.features.core import Extractor, ExtractorConfig, OptionalPath
from uomh.metrics.core import weights_of
from uomh.parallel.progress import Progress
from uomh.registry import register
from uomh.seeds import preserved

DINOV2 = {"s": (384, 12), "b": (768, 12), "l": (1024, 24)}
"""width and blocks of the vision transformers, by size"""


class PretrainedConfig(ExtractorConfig):
    """Settings of extractors whose weights come from elsewhere."""

    weights: OptionalPath = None
    """file of the weights; null: they are downloaded"""
    batch_size: int = Field(64, ge=1)
    """points at once, of usual size; fewer where they are larger"""


class Pretrained(Extractor):
    """A network with weights from elsewhere; see `Extractor`.

    Raises:
        UomhError: the data are no images of one or three channels, the extra ``inception`` is not
            installed, or the weights cannot be had or are of another network.
    """

    Config = PretrainedConfig
    unkeyed = Extractor.unkeyed | {"weights"}
    config: PretrainedConfig

    def __init__(
        self,
        config: PretrainedConfig,
        data: Data,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
    ) -> None:
        super().__init__(config, data, device, progress)
        if not self.spec.is_image or self.spec.shape[0] not in (1, 3):
            raise UomhError(
                f"extractor {self.name} takes grey or colour images, and {data.name} has points of "
                f"shape {self.spec.shape}; choose --features classifier or pixels"
            )
        path = None if config.weights is None else Path(config.weights)
        if path is not None and not path.is_file():
            raise UomhError(f"there is no file of weights {str(path)!r}; check --feature-weights")
        with preserved():  # networks draw weights before they read them
            self.model = self.network(path).to(self.device).eval().requires_grad_(False)
        self.weights = weights_of(self.model)

    def network(self, path: Path | None) -> nn.Module:
        """The network, which maps uint8 images (B, 3, H, W) to a tuple with features (B, F)."""
        raise NotImplementedError

    def state(self) -> str:
        """The hash of its weights."""
        return self.weights

    def features(self, x: Tensor, levels: int | None) -> Tensor:
        """See `Extractor`."""
        out: Tensor = self.model(eight_bits(x, levels or 256))[0]
        return out


@register("extractors", "inception")
class Inception(Pretrained):
    """The 2,048 pooled features of Inception v3, in which published FIDs are measured."""

    def network(self, path: Path | None) -> nn.Module:
        """Torch-fidelity's network."""
        build = _fidelity(self.name, "feature_extractor_inceptionv3", "FeatureExtractorInceptionV3")
        if path is None:
            with _downloading(self.name):
                network: nn.Module = build("inception-v3-compat", ["2048"])
            return network
        read_weights(path, self.name)  # a file that is none is refused before the network reads it
        try:
            network = build(
                "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
            )
        except (RuntimeError, KeyError, AttributeError, TypeError, ValueError) as error:
            raise _misfit(path, self.name, error) from None
        return network


@register("extractors", "dinov2")
class DinoV2(Pretrained):
    """Class tokens of DINOv2, a vision transformer trained without labels."""

    class Config(PretrainedConfig):
        """Its settings."""

        size: Literal["s", "b", "l"] = "l"
        """of the transformer: small (384 features), base (768) or large (1,024)"""

    config: Config

    def network(self, path: Path | None) -> nn.Module:
        """Torch-fidelity's network; with a file of weights, around our own transformer."""
        build = _fidelity(self.name, "feature_extractor_dinov2", "FeatureExtractorDinoV2")
        if path is None:
            with _downloading(self.name):
                network: nn.Module = build(f"dinov2-vit-{self.config.size}-14", ["dinov2"])
            return network
        from uomh.nn.vit import VisionTransformer

        state = read_weights(path, self.name)
        transformer = VisionTransformer(*DINOV2[self.config.size])
        try:
            transformer.load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            raise _misfit(path, f"{self.name} of size {self.config.size}", error) from None
        return _around(build, transformer)


def eight_bits(x: Tensor, levels: int) -> Tensor:
    """Images (B, 1 or 3, H, W) of grey levels as uint8 (B, 3, H, W) from 0 to 255.

    >>> eight_bits(torch.tensor([[[[0, 8, 16]]]], dtype=torch.uint8), 17)[0, :, 0].tolist()
    [[0, 128, 255], [0, 128, 255], [0, 128, 255]]
    """
    if levels != 256:
        x = (x.float() * (255 / max(levels - 1, 1))).round().to(torch.uint8)
    return x.expand(-1, 3, -1, -1)


def read_weights(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file of weights, by name; nothing in it is executed.

    Raises:
        UomhError: it is no such file.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # whatever layer meets what is no archive of tensors
        state = None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UomhError(
            f"{str(path)!r} holds no weights (a state_dict as torch.save writes it); give "
            f"those of {name}, or leave --feature-weights to download them"
        )
    return state


def _fidelity(name: str, module: str, attribute: str) -> Any:
    """A class of torch-fidelity."""
    try:
        return getattr(import_module(f"torch_fidelity.{module}"), attribute)
    except ImportError as error:
        raise UomhError(
            f"extractor {name} needs torch-fidelity>=0.4 and torchvision, and {error.name} cannot "
            "be imported; install them by pip install 'uomh[inception]'"
        ) from None


@contextlib.contextmanager
def _downloading(name: str) -> Iterator[None]:
    """A block that fetches weights, and writes nothing to the host's standard output."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except (OSError, RuntimeError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise UomhError(
            f"the weights of {name} cannot be downloaded ({text}); give a file of them by "
            "--feature-weights PATH"
        ) from None


def _misfit(path: Path, name: str, error: Exception) -> UomhError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = lines[1] if len(lines) > 1 else (lines or [type(error).__name__])[0]
    shown = detail if len(detail) <= 160 else f"{detail[:160]}..."
    return UomhError(f"{str(path)!r} does not hold the weights of {name}: {shown}")


def _around(build: Any, transformer: nn.Module) -> nn.Module:
    """Torch-fidelity's resizing and normalisation around a transformer.

    Its class can read no file; it is made without being initialised, and given its parts.
    """
    network: nn.Module = build.__new__(build)
    nn.Module.__init__(network)
    network.features_list = ["dinov2"]  # type: ignore[assignment]
    network.feature_extractor_internal_dtype = torch.float32  # type: ignore[assignment]
    network.model = transformer
    return network
