"""The contract of extractors: points in, one vector of features for each out.

Distances between sets of points are measured in a space of features, and everything about them
depends on which: every score names its extractor. An extractor is built for one data set, so that
one that learns from it can (`classifier`), and says by its `key` what its features depend on, so
that they can be kept.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from uomh.data.core import Data, DataSpec
from uomh.devices import checked_device
from uomh.errors import UomhError
from uomh.parallel.progress import Progress
from uomh.seeds import seeded
from uomh.settings import ComponentSettings
from uomh.sizes import at_once

OptionalPath = Annotated[
    str | None, AfterValidator(lambda path: path and os.path.abspath(Path(path).expanduser()))
]
"""of a file or folder, by its absolute path: it is found from any folder"""


class ExtractorConfig(ComponentSettings):
    """Settings that every extractor has."""

    batch_size: int = Field(128, ge=1)
    """points at once, of usual size; fewer where they are larger"""


class Extractor(ABC):
    """Maps points to vectors of features.

    Args:
        config: settings, of the class's own ``Config``.
        data: the data set whose points, and samples of whose models, it is for.
        device: where it computes.
        progress: is told how training goes, where there is any.

    Attributes:
        about: what stands beside a score in its features, such as an accuracy; may be empty.
        spec: of the points that it takes.
        unkeyed: settings that change nothing but last bits, or whose content is in `state`.
    """

    Config: ClassVar[type[ExtractorConfig]] = ExtractorConfig
    name: ClassVar[str]
    unkeyed: ClassVar[frozenset[str]] = frozenset({"batch_size", "name"})
    about: str = ""

    def __init__(
        self,
        config: ExtractorConfig,
        data: Data,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
    ) -> None:
        self.config = config
        self.spec: DataSpec = data.spec
        self.device = checked_device(device)
        self.progress = progress or Progress()

    @property
    def key(self) -> str:
        """What identifies its features of given points: its name, a hash of what they rest on."""
        settings = self.config.model_dump_json(exclude=set(self.unkeyed))
        digest = hashlib.blake2b(f"{settings} {self.state()}".encode(), digest_size=8)
        return f"{self.label}-{digest.hexdigest()}"

    @property
    def label(self) -> str:
        """Its name as a part of a file's."""
        return self.name

    @abstractmethod
    def state(self) -> str:
        """What the features depend on beside the settings: a hash of weights, a file's content."""

    @abstractmethod
    def features(self, x: Tensor, levels: int | None) -> Tensor | np.ndarray:
        """Features (B, F) of a batch.

        Args:
            x: uint8 images (B, C, H, W) or float vectors (B, D), on `device`; may be written to.
            levels: of images, whose values are 0 to levels - 1; None for vectors.
        """

    def extract(
        self, x: Tensor, levels: int | None, advance: Callable[[int], None] | None = None
    ) -> Tensor:
        """Features of points, float32 (N, F) on the processor.

        Args:
            x: uint8 images (N, C, H, W), or float vectors (N, D).
            levels: number of grey levels of images, None for vectors.
            advance: called with the number of points after each batch.

        Raises:
            UomhError: the points are not of the kind that it is for, or what comes out are not
                finite vectors, one for each point.
        """
        self.check(x, levels)
        batches: list[Tensor] = []
        size = at_once(self.config.batch_size, self.spec.dim)
        # Features are a function of points: an extractor that draws numbers draws the same ones.
        with torch.no_grad(), seeded("features", self.label):
            for start in range(0, len(x), size):
                batch = x[start : start + size]
                given = self.features(batch.to(self.device, copy=True), levels)
                features = checked_features(given, len(batch), self.label, start)
                if batches and features.shape[1] != batches[0].shape[1]:
                    raise UomhError(
                        f"extractor {self.label} gave {batches[0].shape[1]} features for the first "
                        f"points and {features.shape[1]} from row {start} on; give each the same"
                    )
                batches.append(features)
                if advance is not None:
                    advance(len(batch))
        return torch.cat(batches)

    def check(self, x: Tensor, levels: int | None) -> None:
        """See that points are of the kind that the extractor is for.

        Raises:
            UomhError: they are not.
        """
        spec = self.spec
        kind = "uint8 images" if spec.is_image else "float vectors"
        there = f"{str(x.dtype).removeprefix('torch.')} of shape {tuple(x.shape)}"
        if x.dim() == 0 or x.shape[1:] != spec.shape:
            raise UomhError(
                f"extractor {self.label} is for {kind} of shape {spec.shape}, so for points (n, "
                f"{', '.join(map(str, spec.shape))}); these are {there}"
            )
        if spec.is_image != (x.dtype == torch.uint8) or not (
            spec.is_image or x.is_floating_point()
        ):
            hint = "; bring points of data space to grey levels first" if spec.is_image else ""
            raise UomhError(f"extractor {self.label} takes {kind}; these are {there}{hint}")
        if not len(x):
            raise UomhError(f"there is no point for extractor {self.label} to take features of")
        if levels != spec.levels:
            raise UomhError(
                f"extractor {self.label} is for data of {spec.levels} grey levels, not {levels}"
            )
        if levels is not None and int(x.max()) >= levels:
            raise UomhError(
                f"images of {levels} grey levels have values 0 to {levels - 1}; there is a value "
                f"{int(x.max())}"
            )
        if not spec.is_image and not bool(x.isfinite().all()):
            row = int((~x.isfinite().flatten(1).all(1)).nonzero()[0])
            raise UomhError(f"points are not finite, the first in row {row}; they have no features")


def checked_features(given: object, n: int, label: str, start: int = 0) -> Tensor:
    """What an extractor gave for n points, as float32 (n, F) on the processor.

    Args:
        given: by it.
        n: number of points.
        label: of the extractor, for the error.
        start: row of the first of the points.

    Raises:
        UomhError: it is not one finite vector for each point.

    >>> checked_features(np.ones((2, 3)), 2, "mine").dtype
    torch.float32
    """
    who = f"extractor {label}"
    if isinstance(given, np.ndarray) and given.dtype.kind in "fiu":
        given = torch.from_numpy(np.ascontiguousarray(given, dtype=np.float64))
    if not isinstance(given, Tensor) or given.is_complex() or given.dtype == torch.bool:
        what = f" of {given.dtype}" if isinstance(given, Tensor | np.ndarray) else ""
        raise UomhError(
            f"{who} gave a {type(given).__name__}{what}; features are numbers, a tensor or an "
            "array (n, F)"
        )
    shape = tuple(given.shape)
    if len(shape) != 2:
        hint = "flatten or pool them to one vector for each" if len(shape) > 2 else "keep the rows"
        kind = "images" if len(shape) == 4 else "values"
        raise UomhError(
            f"{who} gave {kind} of shape {shape} for {n} points; features are (n, F): {hint}"
        )
    if shape[0] != n:
        raise UomhError(f"{who} gave {shape[0]} rows of features for {n} points; give one for each")
    if not shape[1]:
        raise UomhError(f"{who} gave no features, of shape {shape}; give at least one number")
    features = given.detach().to_dense() if given.is_sparse else given.detach()
    features = features.to("cpu", torch.float32)
    bad = ~features.isfinite().all(1)
    if bad.any():
        raise UomhError(
            f"{who} gave features that are not finite for {int(bad.sum())} of {n} points, the "
            f"first in row {start + int(bad.nonzero()[0])}"
        )
    return features.contiguous()
