"""One model for each cluster.

Data in K clusters, a model for each: log p(x) = logsumexp_k (log w_k + log p(x|k)) with the shares
w of the training data; to sample is to draw a cluster, then from its model. Densities are mixed
where they are densities in data space. Densities on the manifolds of several autoencoders are taken
against areas of different dimension, or on different manifolds; there is no common measure to mix
them in, and `Disconnected` refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NoReturn, Self

import torch
from torch import Tensor, nn

from uomh.data.core import Data, DataSpec
from uomh.errors import UomhError
from uomh.models.core import Build, Generative, Likelihood, TrainerLike, build_model, model_class
from uomh.models.leaf import log_mixture
from uomh.models.trainable import ModelSettings, Trainable
from uomh.registry import register
from uomh.settings import Nested, Settings, Width, below, component, merged

KINDS: tuple[Likelihood, ...] = ("exact", "bound", "estimate")
"""of likelihoods, the strongest first"""
NO_LABELS = (
    "parts of a disconnected model have no labels left to be conditional on; choose --disconnected "
    "or --conditional"
)


class Part(Settings):
    """What is settled of a part: its group, and the whole settings of its model."""

    name: str
    """of the group"""
    n: int
    """number of its training points"""
    model: component("models")  # type: ignore[valid-type]
    """its model"""


@register("models", "disconnected")
class Disconnected(Generative):
    """One model for each cluster, mixed by the shares of the training data.

    Args:
        parts: models by the name of their cluster, in the order of the labels.
        weights: (K,) shares.
        spec: of the data, with K classes.
    """

    class Config(ModelSettings):
        """Settings of a disconnected model."""

        part: component("models", "vae") = None  # type: ignore[valid-type]
        """the model of each group, and its settings (default: vae)"""
        match: Literal["parameters"] | None = None
        """parameters: shrink the widths of the parts until all have no more than one model"""
        parts: tuple[Part, ...] = ()
        """what the data decide: the groups, and whole settings of the model of each"""

    def __init__(self, parts: Mapping[str, Generative], weights: Tensor, spec: DataSpec) -> None:
        super().__init__()
        self.spec = spec
        self.names = tuple(parts)
        self.models = nn.ModuleList(parts.values())
        self.num_classes = len(self.names)
        self.can_sample = all(part.can_sample for part in parts.values())
        self.register_buffer("label_weights", weights.to(torch.get_default_dtype()))

    @classmethod
    def complete(cls, given: Nested, spec: DataSpec, train: Nested) -> Nested:
        """The settings of a part completed; it has no labels."""
        if given.get("parts"):
            raise UomhError(
                "setting parts: the data decide it, by their groups; leave it, and give settings "
                "of every part under part"
            )
        part = model_class(given["part"])
        if issubclass(part, cls):
            raise UomhError(
                "a part of a disconnected model has no labels left to be disconnected by; "
                "cluster more finely instead"
            )
        with below("part"):
            alone = DataSpec(spec.shape, spec.levels, 0)
            whole = part.complete(given["part"], alone, train)
            part.Config.of(whole)  # its errors name the key that was typed
        if is_conditional(whole):
            raise UomhError(NO_LABELS)
        return {**given, "part": whole, "parts": []}

    @classmethod
    def decide(
        cls, config: Config, data: Data, spec: DataSpec, leaf: Build, *, codes: bool = False
    ) -> Config:
        """A part for each class of the data."""
        part, below = config.part, DataSpec(spec.shape, spec.levels, 0)
        decided = [
            model_class(part).decide(part, piece, below, leaf, codes=codes)
            for piece in data.parts()
        ]
        if config.match == "parameters":
            decided = matched(part, decided, below, leaf)
        pieces = zip(data.classes, data.parts(), decided, strict=True)
        parts = tuple(
            Part(name=name, n=len(piece.train), model=settings) for name, piece, settings in pieces
        )
        return config.model_copy(update={"parts": parts})

    @classmethod
    def assemble(cls, config: Config, spec: DataSpec, path: str, leaf: Build) -> Self:
        """Every part, each from weights of its own."""
        below = DataSpec(spec.shape, spec.levels, 0)
        parts = {
            part.name: build_model(part.model, below, f"{path}/part{k}", leaf)
            for k, part in enumerate(config.parts)
        }
        sizes = torch.tensor([part.n for part in config.parts], dtype=torch.float64)
        return cls(parts, sizes / sizes.sum(), spec)

    @classmethod
    def descend(
        cls, config: Config, data: Data, names: Sequence[str], trainer: Any, leaf: Build
    ) -> tuple[Any, Data]:
        """To a part, by the points of its group."""
        if not names:
            return config, data
        name, *rest = names
        k = int(name.removeprefix("part"))
        part = config.parts[k].model
        piece = data.parts()[k]
        return model_class(part).descend(part, piece, rest, trainer.child(name), leaf)

    @classmethod
    def check_growth(cls, old: Config, new: Config) -> None:
        """As of a part."""
        model_class(new.part).check_growth(old.part, new.part)

    @classmethod
    def outgrown(cls, old: Config, new: Config) -> tuple[str, ...]:
        """As of a part, in every part."""
        return tuple(f"*/{path}" for path in model_class(new.part).outgrown(old.part, new.part))

    @classmethod
    def measures(cls, config: Config) -> tuple[str, ...]:
        """As of a part."""
        return model_class(config.part).measures(config.part)

    def parts(self) -> Mapping[str, Generative]:
        """The models by the name of their cluster."""
        return {name: part for name, (_, part) in zip(self.names, self.scoped(), strict=True)}

    def follow(self, name: str) -> Generative:
        """The part of this name of a scope.

        Raises:
            UomhError: there is none.
        """
        parts = dict(self.scoped())
        if not name.startswith("part"):
            return self
        if name not in parts:
            raise UomhError(f"it has {len(parts)} parts, and none of them is {name!r}")
        return parts[name]

    def codec(self) -> Generative:
        """Refused: there is one for each cluster."""
        raise UomhError("it has an autoencoder for each of its parts, not one for all")

    @property
    def likelihood(self) -> Likelihood | None:  # type: ignore[override]
        """The weakest of the parts' kinds; None if one has none."""
        kinds = [part.likelihood for _, part in self.scoped()]
        return None if None in kinds else max(kinds, key=lambda kind: KINDS.index(kind or "exact"))

    def scoped(self) -> Iterator[tuple[str, Generative]]:
        """The parts, by the name of their scope: part0, part1, ..."""
        for k, part in enumerate(self.models):
            assert isinstance(part, Generative)
            yield f"part{k}", part

    def leaves(self) -> Iterator[tuple[str, Trainable]]:
        """The leaves of every part."""
        for name, part in self.scoped():
            for path, leaf in part.leaves():
                yield f"{name}/{path}".rstrip("/"), leaf

    def fit(self, data: Data, trainer: TrainerLike) -> None:
        """Fit every part to the cluster of its label."""
        pieces = data.parts()
        parts = zip(self.scoped(), pieces, strict=True)
        trainer.map({name: (part, piece) for (name, part), piece in parts})

    def _sample(self, n: int, y: Tensor | None) -> Tensor:
        """The labels y are the parts that points come from."""
        if y is None:
            if len(self.models) == 1:
                return next(self.scoped())[1].sample(n)
            y = torch.multinomial(self.label_weights, n, replacement=True)
        return self._by_part(y, lambda part, rows: part.sample(len(rows)))

    def _log_prob(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The mixture's, or those of the parts y."""
        if y is not None:
            return self._by_part(y, lambda part, rows: part.log_prob(x[rows]))
        if len(self.models) == 1:
            return next(self.scoped())[1].log_prob(x)
        return log_mixture([part.log_prob(x) for _, part in self.scoped()], self.label_weights)

    def _reconstruct(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Restored by the part y of each."""
        if y is None:
            raise UomhError("to restore a point a disconnected model must know its cluster")
        return self._by_part(y, lambda part, rows: part.reconstruct(x[rows]))

    def low_dim_log_prob(self, x: Tensor, y: Tensor | None = None) -> NoReturn:
        """Refused: densities of codes of several autoencoders have no common measure."""
        del x, y
        self._refuse("codes")

    def manifold_log_prob(self, x: Tensor, y: Tensor | None = None) -> NoReturn:
        """Refused: densities on several manifolds have no common measure."""
        del x, y
        self._refuse("manifolds")

    def _refuse(self, what: str) -> NoReturn:
        dims = [part.latent_dim for _, part in self.scoped() if part.codec() is not part]
        if not dims:
            raise UomhError("the parts are not two-step models, so they have no such density")
        shown = ", ".join(sorted(map(str, set(dims))))
        raise UomhError(
            f"the {what} of the parts (of dimension {shown}) have no common measure, so their "
            "densities cannot be mixed; see those of the parts, or log_likelihood"
        )

    def _by_part(self, y: Tensor, f: Callable[[Generative, Tensor], Tensor]) -> Tensor:
        """Join f(part, rows) over the parts that y names."""
        result: Tensor | None = None
        for k, (_, part) in enumerate(self.scoped()):
            rows = torch.nonzero(y == k).squeeze(1)
            if len(rows):
                values = f(part, rows)
                if result is None:
                    result = values.new_zeros(len(y), *values.shape[1:])
                result[rows] = values
        if result is None:
            raise UomhError("there are no points, so there is nothing to give of them")
        return result


def is_conditional(settings: Nested) -> bool:
    """Whether a model, or one below it, is conditional by its nested settings."""
    below = [value for value in settings.values() if isinstance(value, dict)]
    return bool(settings.get("conditional")) or any(map(is_conditional, below))


def matched(
    one: ModelSettings, parts: Sequence[ModelSettings], spec: DataSpec, leaf: Build
) -> list[ModelSettings]:
    """The parts with all widths times the largest share at which they are no larger than one model.

    Args:
        one: settings of the one model.
        parts: settings of the parts.
        spec: of the data of a part.
        leaf: makes leaves, whose parameters are counted.

    Raises:
        UomhError: the parts cannot be made small enough.
    """
    known: dict[str, int] = {}

    def size(settings: ModelSettings) -> int:
        key = settings.model_dump_json()
        if key not in known:
            model = build_model(settings, spec, "model", leaf)
            known[key] = sum(parameter.numel() for parameter in model.parameters())
        return known[key]

    low, high, best = 0.0, 1.0, None
    for _ in range(12):  # to a share of 1/4096, finer than one unit of most layers
        share = (low + high) / 2
        shrunk = [narrowed(part, share) for part in parts]
        if sum(map(size, shrunk)) <= size(one):
            low, best = share, shrunk
        else:
            high = share
    if best is None:
        raise UomhError(
            f"{len(parts)} parts have more parameters than one model, however narrow; "
            "use fewer groups or match=none"
        )
    return best


def narrowed(settings: ModelSettings, share: float) -> ModelSettings:
    """Settings whose fields that are marked as a `Width` are multiplied by a share, at least 1.

    >>> from uomh.models.flow_matching import FlowMatching
    >>> found = narrowed(FlowMatching.Config(channels=(16, 32)), 0.5)
    >>> found.channels, found.hidden_units
    ((8, 16), 128)
    """
    nested = settings.model_dump(mode="json")
    return type(settings).of(merged(nested, _narrow(settings, share)))


def _narrow(settings: Settings, share: float) -> Nested:
    result: Nested = {}
    for key, info in type(settings).model_fields.items():
        value = getattr(settings, key)
        if isinstance(value, Settings):
            if inner := _narrow(value, share):
                result[key] = inner
        elif any(isinstance(mark, Width) for mark in info.metadata):
            single = isinstance(value, int)
            widths = [max(1, round(width * share)) for width in ([value] if single else value)]
            result[key] = widths[0] if single else widths
    return result
