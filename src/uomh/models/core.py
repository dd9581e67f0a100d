"""The contracts of models: what a run builds and fits, and what can be sampled and scored.

A `Learner` is what a run builds from settings and fits, and a `Generative` learner gives points. A
leaf is `uomh.models.trainable.Trainable`; one that generates is a `uomh.models.leaf.Model`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self, runtime_checkable

from torch import Tensor

from uomh import registry
from uomh.data.core import Data, DataSpec
from uomh.errors import UomhError
from uomh.models.inputs import checked_count, checked_labels, checked_points
from uomh.models.trainable import Computing, LeafConfig, ModelSettings, Trainable
from uomh.settings import ComponentSettings, Nested

Likelihood = Literal["exact", "bound", "estimate"]
MEASURES = ("loss", "log_likelihood", "bits_per_dim", "l2_reconstruction_error")
"""metrics of a model that is trained on its own"""


class TrainerLike(Protocol):
    """What `Learner.fit` needs of a trainer; `uomh.training.Trainer` provides it."""

    def child(self, name: str) -> Self:
        """The trainer of a part: its checkpoints and logs are scoped by the name."""

    def fit(self, model: Trainable, data: Data) -> None:
        """Train a leaf by gradient steps."""

    def keep(self, model: Generative) -> None:
        """Save the leaves of a model as they are, or load them from where they were saved."""

    def begin_from(self, run_dir: str, model: Generative, frozen: bool) -> None:
        """Give its autoencoder the weights of another run's, unless its training has begun."""

    def map(self, parts: Mapping[str, tuple[Generative, Data]]) -> None:
        """Fit independent parts, each in the scope of its name, wherever they are trained."""


class Build(Protocol):
    """Makes the leaf of a tree of models that stands at a path, with its first weights."""

    def __call__(self, config: LeafConfig, spec: DataSpec, path: str) -> Any:
        """The leaf of these settings, for data of this shape."""


class Learner(Computing, ABC):
    """What a run builds from its settings, fits and measures.

    A model of models is a component like any other. Its ``Config`` holds the settings of the
    models that it is made of; `complete`, `decide`, `assemble` and `descend` say how these follow
    from its own, so that whoever trains, saves and loads models knows none of them by name.

    Attributes:
        Config: class of its settings.
        spec: of the data that the model is for.
        num_classes: whose labels it takes; 0: labels make no difference to it.
    """

    Config: ClassVar[type[ModelSettings]]
    spec: DataSpec
    num_classes: int = 0

    @classmethod
    @abstractmethod
    def complete(cls, given: Nested, spec: DataSpec, train: Nested) -> Nested:
        """Whole settings, nested: those given over the defaults for data of this shape.

        Args:
            given: settings of this model and of those below it.
            spec: of the data.
            train: how the run trains what does not say otherwise, as given.

        Raises:
            UomhError: the models that the settings name cannot be put together.
        """

    @classmethod
    @abstractmethod
    def decide(
        cls, config: Any, data: Data, spec: DataSpec, leaf: Build, *, codes: bool = False
    ) -> Any:
        """The settings with what the data decide, such as the size of codes.

        Args:
            config: whole settings.
            data: that it is trained on.
            spec: of what it is trained on.
            leaf: makes leaves, whose parameters are counted.
            codes: it is trained on codes of these data, which are not there before training.

        Raises:
            UomhError: the data cannot decide it.
        """

    @classmethod
    @abstractmethod
    def assemble(cls, config: Any, spec: DataSpec, path: str, leaf: Build) -> Self:
        """The untrained model of decided settings, whose leaves are made by ``leaf``."""

    @classmethod
    def descend(
        cls, config: Any, data: Data, names: Sequence[str], trainer: Any, leaf: Build
    ) -> tuple[Any, Data]:
        """The settings of the model below this one at a path, and the data that it is trained on.

        Args:
            config: decided settings of this model.
            data: that this model is trained on.
            names: of the path below it.
            trainer: of this model, from which trained models are recalled.
            leaf: makes leaves.
        """
        del trainer, leaf
        assert not names, f"{cls.__name__} has no part {names[0]!r}"
        return config, data

    @classmethod
    def check_growth(cls, old: Any, new: Any) -> None:
        """See that a trained model can go on for the epochs that new settings have more.

        Raises:
            UomhError: what one of its models was trained on would change.
        """

    @classmethod
    def outgrown(cls, old: Any, new: Any) -> tuple[str, ...]:
        """Models below that are trained anew under new settings, which have more epochs.

        Returns:
            Their paths below this one; ``*`` stands for any part.
        """
        del old, new
        return ()

    @classmethod
    def measures(cls, config: Any) -> tuple[str, ...]:
        """The metrics that such a model is measured by where the settings name none."""
        del config
        return ("loss",)

    def parts(self) -> Mapping[str, Generative]:
        """Independent models of the classes of the data, by name; none where one is for all."""
        return {}

    def has_parts(self) -> bool:
        """Whether it, or a model below it, is made of independent parts."""
        return bool(self.parts())

    def follow(self, name: str) -> Learner:
        """The model below at a name of a path; this model itself where it has no such parts."""
        del name
        return self

    @abstractmethod
    def fit(self, data: Data, trainer: TrainerLike) -> None:
        """Fit to the training split of the data."""

    @abstractmethod
    def leaves(self) -> Iterator[tuple[str, Trainable]]:
        """The models that are trained by gradient steps, by their path below this one."""


class Generative(Learner):
    """A learner that can be sampled, and scored where it has a likelihood.

    The public methods check what they are given against `spec`, and hand it on to those of the
    subclass: `_sample`, `_log_prob`, `_reconstruct`.

    Attributes:
        likelihood: whether `log_prob` is exact, a lower bound, or an estimate; None: there is none.
        can_sample: whether `sample` gives points.
        label_weights: (num_classes,), shares of the labels in the training data.
    """

    likelihood: Likelihood | None = None
    can_sample: bool = True
    label_weights: Tensor

    @classmethod
    def measures(cls, config: Any) -> tuple[str, ...]:
        """See `Learner`."""
        del config
        return MEASURES

    @classmethod
    def codes_dim(cls, config: Any) -> int | None:
        """The size of the model's codes by its settings; None where it has none."""
        del config
        return None

    def follow(self, name: str) -> Generative:
        """See `Learner`."""
        del name
        return self

    def step(self, name: str, data: Data) -> tuple[Generative, Data]:
        """The model below of this name, and what it sees of data; itself where there is none."""
        below = self.follow(name)
        return below, data

    def codec(self) -> Generative:
        """The model whose codes these are: this one, or the autoencoder of a composition."""
        return self

    def checked(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Points and labels as the model computes with them.

        Raises:
            UomhError: they are not points, or not labels, of the data that the model is for.
        """
        x = checked_points(x, self.spec, self.like)
        return x, checked_labels(y, len(x), self.num_classes, self.like)

    def sample(self, n: int, y: Tensor | None = None) -> Tensor:
        """Points of data space, float (n, ...).

        Args:
            n: how many.
            y: labels (n,); where it is None, a conditional model draws a label for every point.

        Raises:
            UomhError: the model has nothing to draw from, n is no number of points, or y not one
                label for each.
        """
        n = checked_count(n)
        y = checked_labels(y, n, self.num_classes, self.like)
        if not n and self.can_sample:
            return self.like.new_empty(0, *self.spec.shape)
        return self._sample(n, y)

    def log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Log-density in nats in data space, pixel units, of points x (B, ...); shape (B,).

        A uint8 image stands for the centre of its cell (see `uomh.data.core`). It is minus infinity
        where the model has no density. A conditional model without labels gives the density of its
        mixture over labels, with the shares of its training data.

        Raises:
            UomhError: the model has no likelihood, or x and y are not of the data it is for.
        """
        x, y = self.checked(x, y)
        if not len(x) and self.likelihood is not None:
            return self.like.new_empty(0)
        return self._log_prob(x, y)

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space (B, ...) restored from the codes of x.

        Raises:
            UomhError: the model has no codes, or x and y are not of the data it is for.
        """
        return self._reconstruct(*self.checked(x, y))

    @abstractmethod
    def _sample(self, n: int, y: Tensor | None) -> Tensor:
        """What `sample` gives for at least one point."""

    def _log_prob(self, x: Tensor, y: Tensor | None) -> Tensor:
        """What `log_prob` gives for at least one point."""
        del x, y
        raise UomhError(f"{type(self).__name__} has no likelihood")

    def _reconstruct(self, x: Tensor, y: Tensor | None) -> Tensor:
        """What `reconstruct` gives."""
        if not isinstance(self, Codec):
            raise UomhError(f"{type(self).__name__} has no codes to restore a point from")
        return self.decode(self.encode(x, y), y)

    def low_dim_log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Log-density of the codes in nats in the space of codes, (B,).

        Raises:
            UomhError: there is no density of codes.
        """
        del x, y
        raise UomhError(f"{type(self).__name__} is not a two-step model")

    def manifold_log_prob(self, x: Tensor, y: Tensor | None = None) -> OnManifold:
        """Log-density on the manifold by its area, at the point restored from x; and its distance.

        Raises:
            UomhError: there is no density of codes.
        """
        del x, y
        raise UomhError(f"{type(self).__name__} is not a two-step model")


@runtime_checkable
class Codec(Protocol):
    """A model with codes; ``isinstance`` tells."""

    latent_dim: int

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Codes (B, latent_dim) of points of data space."""

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space of codes."""


class OnManifold(NamedTuple):
    """Log-density in nats by area of the manifold, (B,), and distance to it, (B,), pixel units.

    Attributes:
        log_prob: by area.
        distance: to the manifold.
    """

    log_prob: Tensor
    distance: Tensor


def learner_class(config: ComponentSettings | Nested) -> type[Learner]:
    """The class of what a run trains, by its settings, nested or whole."""
    name = config["name"] if isinstance(config, dict) else config.name
    cls: type[Learner] = registry.load("models", name)
    return cls


def model_class(config: ComponentSettings | Nested) -> type[Generative]:
    """The class of a generative model by its settings, nested or whole.

    Raises:
        UomhError: it generates nothing, so that it cannot stand in another model.
    """
    cls = learner_class(config)
    if not issubclass(cls, Generative):
        raise UomhError(
            f"{cls.__name__} generates nothing, so it cannot stand in another model; see "
            "`uomh list models`"
        )
    return cls


def build_model(config: Any, spec: DataSpec, path: str, leaf: Build) -> Generative:
    """The untrained model of decided settings; see `Learner.assemble`."""
    return model_class(config).assemble(config, spec, path, leaf)
