r"""A density on the codes of an autoencoder.

An autoencoder x -> z -> x is fitted, then a density p2 on the codes of the training data; D(z),
z ~ p2, samples. Three numbers may be meant by its likelihood, and they are different things:

- `log_prob`, where the decoder is a Gaussian: the log of the integral of N(x; D(z), sigma^2) p2(z)
  over z, a density in data space like that of any other model. It is bounded from below by
  importance sampling (`uomh.models.gaussian`).
- `low_dim_log_prob`: log p2(E(x)), a density of the code, in the units of the codes.
- `manifold_log_prob`: the density of D(z) on the d-dimensional manifold that the decoder spans, by
  area in data space, at the point D(E(x)) nearest to x as far as the encoder knows,

      log p2(z) - 1/2 log det J^T J,      z = E(x),  J = dD/dz  (D x d).

  It says nothing of the distance from x to the manifold, and so comes with it.

The file is long because the settings, the fitting and the three densities of one model are read
together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.func import jvp, vmap

from uomh.config import TrainConfig
from uomh.data.core import Data, DataSpec
from uomh.devices import as_float64
from uomh.errors import UomhError
from uomh.models.codec import codes_of
from uomh.models.core import (
    MEASURES,
    Build,
    Codec,
    Generative,
    Likelihood,
    OnManifold,
    TrainerLike,
    build_model,
    model_class,
)
from uomh.models.gaussian import GaussianDecoderModel
from uomh.models.joint import Alternate, Joint, decoded_draws
from uomh.models.leaf import Model, log_mixture
from uomh.models.trainable import ModelSettings, Trainable
from uomh.nn.transforms import Cells
from uomh.registry import register
from uomh.seeds import seeded
from uomh.settings import ExistingPath, Nested, Settings, all_settings, below, component


def epochs_of(settings: Settings) -> list[int]:
    """How long every model of these settings is trained."""
    found = all_settings(settings)
    return [train.max_epochs for train in found if isinstance(train, TrainConfig)]


def log_area(decode: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """1/2 log det J^T J, (B,), of the Jacobians J of a map at codes z (B, d)."""

    def slope(direction: Tensor) -> Tensor:
        pushed: Tensor = jvp(decode, (z,), (direction.expand_as(z),))[1]
        return pushed.flatten(1)

    directions = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    jacobian = as_float64(vmap(slope)(directions))  # (d, B, D)
    gram = torch.einsum("ibk,jbk->bij", jacobian, jacobian)
    area: Tensor = 0.5 * torch.linalg.slogdet(gram)[1]
    return area.to(z)


@register("models", "two_step")
class TwoStep(Generative):
    """A density on the codes of an autoencoder.

    Args:
        autoencoder: a model with codes.
        density: a model of vectors of its ``latent_dim``.
        importance_samples: draws of the bound that `log_prob` gives.
        freeze: the autoencoder is used as it is.
        draws: fit the density to draws of the posterior, not to means; None: where there is one.
        joint: both are trained in turns by this (`uomh.models.joint`), not one after the other.
        autoencoder_run: folder of a run whose autoencoder it begins with.
    """

    class Config(ModelSettings):
        """Settings of a two-step model."""

        autoencoder: component("models", "vae") = None  # type: ignore[valid-type]
        """the first step: a model with codes, and its settings (default: vae)"""
        density: component("models", "flow") = None  # type: ignore[valid-type]
        """the second step: a model of the codes, and its settings (default: flow)"""
        conditional: bool = False
        """condition both steps on the label"""
        alternate: Alternate | None = None
        """train both in turns, by epoch or by step; null: one after the other"""
        draws: bool | None = None
        """fit the density to draws of the posterior, not to its means; null: where there is one"""
        importance_samples: int = Field(32, ge=1)
        """draws of the bound of the likelihood"""
        autoencoder_run: ExistingPath | None = None
        """folder of a run whose autoencoder is taken to begin with"""
        freeze: bool = False
        """use the autoencoder of autoencoder_run as it is"""

    def __init__(
        self,
        autoencoder: Generative,
        density: Generative,
        importance_samples: int = 32,
        freeze: bool = False,
        draws: bool | None = None,
        joint: Joint | None = None,
        autoencoder_run: str | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(autoencoder, Codec):
            raise UomhError(f"{type(autoencoder).__name__} has no codes for a second model")
        if not density.can_sample:
            raise UomhError(f"{type(density).__name__} is no density, so not a second step")
        self.spec = autoencoder.spec
        self.autoencoder, self.density, self.joint = autoencoder, density, joint
        self.latent_dim: int = autoencoder.latent_dim
        self.num_classes = max(autoencoder.num_classes, density.num_classes)
        self.importance_samples = importance_samples
        self.freeze = freeze
        self.draws = draws
        self.autoencoder_run = autoencoder_run

    @classmethod
    def complete(cls, given: Nested, spec: DataSpec, train: Nested) -> Nested:
        """Both steps completed, the second for data of the shape of the codes."""
        first, second = model_class(given["autoencoder"]), model_class(given["density"])
        conditional = {"conditional": True} if given.get("conditional") else {}
        with below("autoencoder"):
            autoencoder = first.complete({**conditional, **given["autoencoder"]}, spec, train)
            config = first.Config.of(autoencoder)
        if (dim := first.codes_dim(config)) is None:
            raise UomhError(
                f"{config.name} has no codes, so it cannot be the first of two steps; "
                "take ae, vae, avb, wae or bigan"
            )
        if not second.can_sample:
            raise UomhError(
                f"{given['density']['name']} is no density, so it cannot be the second step"
            )
        takes_labels = "conditional" in second.Config.model_fields
        labelled = bool(conditional) or getattr(config, "conditional", False)
        conditional = {"conditional": True} if takes_labels and labelled else {}
        codes = DataSpec((dim,), None, spec.num_classes)
        with below("density"):
            density = second.complete({**conditional, **given["density"]}, codes, train)
        if given.get("freeze") is True:
            if not given.get("autoencoder_run"):
                raise UomhError("freeze=true needs autoencoder_run, the run to take")
            if given.get("alternate"):
                raise UomhError("a frozen autoencoder cannot be trained in turns; leave alternate")
        if given.get("alternate") and not (issubclass(first, Model) and issubclass(second, Model)):
            raise UomhError(
                "alternate: models that are made of models are trained one after the other; "
                "leave alternate"
            )
        return {**given, "autoencoder": autoencoder, "density": density}

    @classmethod
    def decide(
        cls, config: Config, data: Data, spec: DataSpec, leaf: Build, *, codes: bool = False
    ) -> Config:
        """As of either step; the second is trained on codes, of which the labels are known."""
        first, second = model_class(config.autoencoder), model_class(config.density)
        autoencoder = first.decide(config.autoencoder, data, spec, leaf, codes=codes)
        below = DataSpec((first.codes_dim(autoencoder) or 1,), None, spec.num_classes)
        density = second.decide(config.density, data, below, leaf, codes=True)
        return config.model_copy(update={"autoencoder": autoencoder, "density": density})

    @classmethod
    def assemble(cls, config: Config, spec: DataSpec, path: str, leaf: Build) -> Self:
        """The autoencoder begins with the weights that it would have alone, at the same path."""
        autoencoder = build_model(config.autoencoder, spec, path, leaf)
        if not isinstance(autoencoder, Codec):
            raise UomhError(f"{config.autoencoder.name} has no codes for a second model")
        codes = DataSpec((autoencoder.latent_dim,), None, spec.num_classes)
        density = build_model(config.density, codes, f"{path}/density", leaf)
        joint = None
        if config.alternate is not None:
            assert isinstance(autoencoder, Model)
            assert isinstance(density, Model)
            joint = Joint(autoencoder, density, config.alternate)
        return cls(
            autoencoder,
            density,
            config.importance_samples,
            config.freeze,
            config.draws,
            joint,
            config.autoencoder_run,
        )

    @classmethod
    def check_growth(cls, old: Config, new: Config) -> None:
        """More epochs of the first step alone would change the codes that the second was fit to."""
        for before, after in ((old.autoencoder, new.autoencoder), (old.density, new.density)):
            model_class(after).check_growth(before, after)
        if new.freeze or new.alternate is not None:
            return
        first = epochs_of(old.autoencoder) != epochs_of(new.autoencoder)
        if first and epochs_of(old.density) == epochs_of(new.density):
            raise UomhError(
                "more train.max_epochs of the autoencoder change the codes that the density was "
                "trained on; raise those of the density, too"
            )

    @classmethod
    def outgrown(cls, old: Config, new: Config) -> tuple[str, ...]:
        """The density where the autoencoder has more epochs, as its codes become others."""
        found = []
        for step in ("autoencoder", "density"):
            before, after = getattr(old, step), getattr(new, step)
            below = model_class(after).outgrown(before, after)
            found += [f"{step}/{path}" for path in below]
        if new.alternate is None and epochs_of(old.autoencoder) != epochs_of(new.autoencoder):
            found.append("density")
        return tuple(found)

    @classmethod
    def measures(cls, config: Config) -> tuple[str, ...]:
        """Beside those of other models, the densities that are none of data space."""
        del config
        common = tuple(name for name in MEASURES if name != "loss")
        return (*common, "low_dim_log_likelihood", "manifold_log_likelihood")

    @classmethod
    def codes_dim(cls, config: Config) -> int | None:
        """Of the autoencoder."""
        return model_class(config.autoencoder).codes_dim(config.autoencoder)

    @classmethod
    def descend(
        cls, config: Config, data: Data, names: Sequence[str], trainer: Any, leaf: Build
    ) -> tuple[Any, Data]:
        """To the density by the codes of the trained autoencoder."""
        if not names:
            return config, data
        name, *rest = names
        below = trainer.child(name)
        if name == "autoencoder":
            cls_below = model_class(config.autoencoder)
            return cls_below.descend(config.autoencoder, data, rest, below, leaf)
        model = cls.assemble(config, data.spec, trainer.path, leaf)
        trainer.child("autoencoder").recall(model.autoencoder)
        model.autoencoder.to(trainer.device)  # codes are the same bits where they were first made
        codes = model.codes(data)
        return model_class(config.density).descend(config.density, codes, rest, below, leaf)

    @property
    def label_weights(self) -> Tensor:  # type: ignore[override]
        """Shares of the labels, of whichever step takes labels."""
        conditional = self.density if self.density.num_classes else self.autoencoder
        return conditional.label_weights

    def has_parts(self) -> bool:
        """Whether either step is made of independent parts."""
        return self.autoencoder.has_parts() or self.density.has_parts()

    def follow(self, name: str) -> Generative:
        """The step of this name."""
        return {"autoencoder": self.autoencoder, "density": self.density}.get(name, self)

    def step(self, name: str, data: Data) -> tuple[Generative, Data]:
        """The density sees the codes of the autoencoder."""
        return self.follow(name), self.codes(data) if name == "density" else data

    def codec(self) -> Generative:
        """The autoencoder."""
        return self.autoencoder.codec()

    @property
    def likelihood(self) -> Likelihood | None:  # type: ignore[override]
        """A bound, or an estimate if p2 is one; None without a Gaussian decoder or a density."""
        if not isinstance(self.autoencoder, GaussianDecoderModel) or not self.density.likelihood:
            return None
        return "estimate" if self.density.likelihood == "estimate" else "bound"

    def leaves(self) -> Iterator[tuple[str, Trainable]]:
        """The autoencoder and the density, or both in one."""
        if self.joint is not None:
            yield "joint", self.joint
            return
        for step in ("autoencoder", "density"):
            for path, leaf in self.follow(step).leaves():
                yield f"{step}/{path}".rstrip("/"), leaf

    def fit(self, data: Data, trainer: TrainerLike) -> None:
        """Fit the autoencoder, then the density on its codes; or both in turns."""
        if self.autoencoder_run is not None:
            trainer.begin_from(self.autoencoder_run, self, self.freeze)
        if self.joint is not None:
            trainer.child("joint").fit(self.joint, data)
            return
        if self.freeze:
            trainer.child("autoencoder").keep(self.autoencoder)
        else:
            self.autoencoder.fit(data, trainer.child("autoencoder"))
        self.density.fit(self.codes(data), trainer.child("density"))

    def codes(self, data: Data) -> Data:
        """What the density is fitted to: codes, float (N, latent_dim), on the processor.

        Draws of the posterior are one for each point, the same each time. They are what the decoder
        of a variational model learned to restore, so what the density has to cover.
        """
        first = self.autoencoder
        if self.draws is False or (self.draws is None and not hasattr(first, "posterior_sample")):
            return codes_of(first, data)
        if not isinstance(first, GaussianDecoderModel):
            raise UomhError(f"{type(first).__name__} has no posterior to draw codes of")

        def draw(x: Tensor, y: Tensor | None) -> Tensor:
            return first.posterior_sample(first.preprocess(x)[0], first.labels_of(y))

        with seeded("codes", data.fingerprint):
            return codes_of(first, data, draw)

    def _sample(self, n: int, y: Tensor | None) -> Tensor:
        return decoded_draws(self.autoencoder, self.density, n, y)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Codes (B, latent_dim)."""
        assert isinstance(self.autoencoder, Codec)
        return self.autoencoder.encode(x, y)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space (B, ...) of codes."""
        assert isinstance(self.autoencoder, Codec)
        return self.autoencoder.decode(z, y)

    def _log_prob(self, x: Tensor, y: Tensor | None) -> Tensor:
        """A bound; see the head of this file."""
        if not isinstance(self.autoencoder, GaussianDecoderModel):
            raise UomhError(
                f"{type(self.autoencoder).__name__} has no Gaussian decoder, so its two-step model "
                "has no density in data space; see low_dim_log_likelihood and "
                "manifold_log_likelihood"
            )
        bound = partial(self._bound, self.autoencoder)
        return self.autoencoder.within_reach(x, y, bound)

    def _bound(self, autoencoder: GaussianDecoderModel, x: Tensor, y: Tensor | None) -> Tensor:
        if self.num_classes and y is None:
            like = torch.zeros(len(x), dtype=torch.long, device=x.device)
            given = [self._bound(autoencoder, x, like + k) for k in range(self.num_classes)]
            return log_mixture(given, self.label_weights)
        return autoencoder.importance_bound(
            x,
            autoencoder.labels_of(y),
            lambda z: self.density._log_prob(z, y),  # not checked for every draw
            self.importance_samples,
        )

    def low_dim_log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Log-density of the codes in nats in the space of codes, (B,)."""
        x, y = self.checked(x, y)
        return self.density.log_prob(self.encode(x, y), y)

    def manifold_log_prob(self, x: Tensor, y: Tensor | None = None) -> OnManifold:
        """Log-density on the manifold by its area, at the point restored from x; and its distance.

        It costs as much as decoding the points ``latent_dim`` times.
        """
        x, y = self.checked(x, y)
        z = self.encode(x, y)
        distance = (Cells(dequantize=False)(x) - self.decode(z, y)).flatten(1).norm(dim=1)
        # As many directions at once as there are points, in the memory of decoding these.
        rows = max(1, len(z) // z.shape[1])
        areas = []
        for start in range(0, len(z), rows):
            piece = slice(start, start + rows)
            decode = partial(self.decode, y=None if y is None else y[piece])
            areas.append(log_area(decode, z[piece]))
        return OnManifold(self.density.log_prob(z, y) - torch.cat(areas), distance)
