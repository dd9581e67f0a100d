"""Leaves that a run can train by themselves: any, and those that generate.

`Model` is what every generative model of one file is derived from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from uomh.config import TrainConfig
from uomh.data.core import Data, DataSpec
from uomh.errors import UomhError
from uomh.models.core import Build, Generative, Learner, TrainerLike
from uomh.models.inputs import checked_codes, checked_labels
from uomh.models.trainable import LeafConfig, ModelConfig, Trainable
from uomh.nn.transforms import Cells, build_transform
from uomh.settings import Nested, merged

BY_DIMENSION = "dimension"
"""the ``latent_dim`` that is short for ``fit_latent_dim=true``, in a model with codes"""
FARTHEST = 1e9
"""from the origin of a model's space that a coordinate is reckoned with; squares overflow beyond"""


def log_mixture(log_probs: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Log-density of a mixture, (B,): logsumexp_k( log w_k + log p(x|k) ).

    Args:
        log_probs: of the K components, each (B,), against one measure.
        weights: (K,), not negative, of any sum.
    """
    log_weights = (weights / weights.sum()).log()
    return torch.logsumexp(torch.stack(list(log_probs), 1) + log_weights, 1)


class LeafLearner(Trainable, Learner):
    """A leaf that a run trains by itself."""

    Config: ClassVar[type[LeafConfig]]

    @classmethod
    def defaults(cls, given: Nested, spec: DataSpec) -> Nested:
        """Defaults by the shape of the data, and by what is given: for model and train."""
        del given
        return cls.Config.defaults(spec)

    @classmethod
    def complete(cls, given: Nested, spec: DataSpec, train: Nested) -> Nested:
        """Its own settings over the defaults; how it is trained, over how the run trains."""
        if given.get("latent_dim") == BY_DIMENSION and "latent_dim" in cls.Config.model_fields:
            raise UomhError(
                f"setting latent_dim={BY_DIMENSION}: {cls.__name__} has no codes, whose size the "
                "dimension of the data could decide; give a number"
            )
        by_shape = cls.defaults(given, spec)
        # Whole defaults lie beneath, or a group that is set in part would lose the rest of its own.
        whole = merged(cls.Config().model_dump(mode="json"), by_shape.get("model", {}))
        plain = TrainConfig().model_dump(mode="json")
        training = {"train": merged(plain, by_shape.get("train", {}), train)}
        if given.get("train") is None:  # as the run says, which stands in every leaf
            given = {key: value for key, value in given.items() if key != "train"}
        return merged(whole, training, given)

    @classmethod
    def decide(
        cls, config: Any, data: Data, spec: DataSpec, leaf: Build, *, codes: bool = False
    ) -> Any:
        """Nothing."""
        del data, spec, leaf, codes
        return config

    @classmethod
    def assemble(cls, config: LeafConfig, spec: DataSpec, path: str, leaf: Build) -> Self:
        """Itself."""
        model = leaf(config, spec, path)
        assert isinstance(model, cls)
        return model

    def leaves(self) -> Iterator[tuple[str, Trainable]]:
        """A leaf is its own only one."""
        yield "", self

    def fit(self, data: Data, trainer: TrainerLike) -> None:
        """Fit by gradient steps."""
        trainer.fit(self, data)


class Model(LeafLearner, Generative):
    """A leaf that generates.

    Args:
        config: settings, of the class's own ``Config``.
        spec: shape of the data.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    paper: ClassVar[str] = ""
    """the paper that a model is from"""

    name: ClassVar[str]

    def __init__(self, config: ModelConfig, spec: DataSpec) -> None:
        super().__init__()
        if config.conditional and not spec.num_classes:
            raise UomhError("a conditional model needs labels, and these data have none")
        self.config = config
        self.spec = spec
        self.num_classes = spec.num_classes if config.conditional else 0
        dequantize = config.dequantize
        if dequantize is None:
            dequantize = self.likelihood is not None
        self.cells = Cells(dequantize, config.denoising_sigma)
        self.transform = build_transform(config, spec)
        self.register_buffer("label_weights", torch.full((self.num_classes,), 1.0))

    @classmethod
    def codes_dim(cls, config: ModelConfig) -> int | None:
        """Its ``latent_dim``, where it encodes."""
        dim: int | None = getattr(config, "latent_dim", None)
        return dim if hasattr(cls, "encode") else None

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The training objective of each point, (B,), lower is better; for validation.

        By default, where the likelihood is exact, the negative log-density in nats in data space.

        Raises:
            UomhError: the model has no objective that says how good it is.
        """
        if self.likelihood != "exact":
            return super().objective(x, y)
        return -self.log_density(x, self.labels_of(y))

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Points of data space (n, ...); labels y (n,) where the model is conditional."""
        del n, y
        raise UomhError(f"{type(self).__name__} cannot be sampled")

    def log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """`log_prob` of points x given labels y, which are there where the model is conditional."""
        return super()._log_prob(x, y)

    def _sample(self, n: int, y: Tensor | None) -> Tensor:
        if self.num_classes and y is None:
            y = torch.multinomial(self.label_weights, n, replacement=True)
        return self.draw(n, self.labels_of(y))

    def _log_prob(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.within_reach(x, y, self._any_log_density)

    def _any_log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """`log_density` for given labels, else that of the mixture over labels."""
        if not self.num_classes or y is not None:
            return self.log_density(x, self.labels_of(y))
        labels = range(self.num_classes)
        given = [self.log_density(x, torch.full((len(x),), k, device=x.device)) for k in labels]
        return log_mixture(given, self.label_weights)

    def within_reach(
        self,
        x: Tensor,
        y: Tensor | None,
        log_density: Callable[[Tensor, Tensor | None], Tensor],
    ) -> Tensor:
        """Log-densities (B,) of the points that the transforms can take, minus infinity elsewhere.

        Args:
            x: points (B, ...).
            y: labels (B,), or None.
            log_density: of some of the points and their labels.
        """
        near = self.reached(x)
        if near.all():
            values = log_density(x, y)
        else:
            values = self.like.new_full((len(x),), -math.inf)
            if near.any():
                values[near] = log_density(x[near], None if y is None else y[near])
        # What overflows on the way does so for being far from all data.
        return torch.where(values < math.inf, values, -math.inf)

    def reached(self, x: Tensor) -> Tensor:
        """Which points (B, ...) have a place in the space of the model, (B,) bool."""
        z, log_det = self.transform(Cells(dequantize=False)(x))
        near: Tensor = (z.abs() <= FARTHEST).flatten(1).all(1) & log_det.isfinite()
        return near

    def encodable(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Points and labels as `encode` computes with them: `checked`, labels where it takes any.

        Raises:
            UomhError: they are not of the data that the model is for, or have no place in its
                space.
        """
        x, y = self.checked(x, y)
        far = ~self.reached(x)
        if far.any():
            raise UomhError(
                f"{int(far.sum())} of {len(x)} points, the first in row {int(far.nonzero()[0])}, "
                "lie where the model's transforms of the data do not reach, so they have no codes"
            )
        return x, self.labels_of(y)

    def decodable(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Codes and labels as `decode` computes with them.

        Raises:
            UomhError: they are not codes of this model, or not labels.
        """
        dim: int = self.latent_dim  # type: ignore[assignment]
        z = checked_codes(z, dim, self.like)
        return z, self.labels_of(checked_labels(y, len(z), self.num_classes, self.like))

    def prepare(self, data: Data) -> None:
        """Fit the transforms; take the label weights."""
        super().prepare(data)
        self.transform.fit(data.train)
        if self.num_classes:
            self.label_weights.copy_(data.weights)

    def preprocess(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A batch of data in the space of the model, and the log-determinant (B,) in nats."""
        z, log_det = self.transform(self.cells(x))
        return z, log_det

    def labels_of(self, y: Tensor | None) -> Tensor | None:
        """The labels if the model is conditional, else None."""
        return y if self.num_classes else None
