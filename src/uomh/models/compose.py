r"""Models made of models: a density on the codes of an autoencoder, and one model for each cluster.

**Two-step.** An autoencoder x -> z -> x is fitted, then a density p2 on the codes of the training
data; D(z), z ~ p2, samples. Three numbers may be meant by its likelihood, and they are different
things:

- `log_prob`, where the decoder is a Gaussian: the log of the integral of N(x; D(z), sigma^2) p2(z)
  over z, a density in data space like that of any other model. It is bounded from below by
  importance sampling (`uomh.models.gaussian`).
- `low_dim_log_prob`: log p2(E(x)), a density of the code, in the units of the codes.
- `manifold_log_prob`: the density of D(z) on the d-dimensional manifold that the decoder spans, by
  area in data space, at the point D(E(x)) nearest to x as far as the encoder knows,

      log p2(z) - 1/2 log det J^T J,      z = E(x),  J = dD/dz  (D x d).

  It says nothing of the distance from x to the manifold, and so comes with it.

**Disconnected.** Data in K clusters, a model for each: log p(x) = logsumexp_k (log w_k + log
p(x|k)) with the shares w of the training data; to sample is to draw a cluster, then from its model.
Densities are mixed where they are densities in data space. Densities on the manifolds of several
autoencoders are taken against areas of different dimension, or on different manifolds; there is no
common measure to mix them in, and `Disconnected` refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, NoReturn

import torch
from torch import Tensor, nn
from torch.func import jvp, vmap

from uomh.data.core import Data, DataSpec
from uomh.devices import as_float64
from uomh.errors import UomhError
from uomh.models.core import (
    Codec,
    Generative,
    Likelihood,
    Model,
    TrainerLike,
    codes_of,
    log_mixture,
)
from uomh.models.gaussian import GaussianDecoderModel
from uomh.models.joint import Joint, decoded_draws
from uomh.nn.transforms import Cells
from uomh.seeds import seeded

KINDS: tuple[Likelihood, ...] = ("exact", "bound", "estimate")
"""of likelihoods, the strongest first"""


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


class OnManifold(NamedTuple):
    """Log-density in nats by area of the manifold, (B,), and distance to it, (B,), pixel units."""

    log_prob: Tensor
    distance: Tensor


class TwoStep(Generative):
    """A density on the codes of an autoencoder.

    Args:
        autoencoder: a model with codes.
        density: a model of vectors of its ``latent_dim``.
        importance_samples: draws of the bound that `log_prob` gives.
        frozen: the autoencoder is used as it is.
        draws: fit the density to draws of the posterior, not to means; None: where there is one.
        joint: both are trained in turns by this (`uomh.models.joint`), not one after the other.
    """

    def __init__(
        self,
        autoencoder: Model,
        density: Model,
        importance_samples: int = 32,
        frozen: bool = False,
        draws: bool | None = None,
        joint: Joint | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(autoencoder, Codec):
            raise UomhError(f"{type(autoencoder).__name__} has no codes for a second model")
        if not density.can_sample:
            raise UomhError(f"{type(density).__name__} is no density, so not a second step")
        self.spec = autoencoder.spec
        self.autoencoder, self.density, self.joint = autoencoder, density, joint
        self.codec: Codec = autoencoder
        self.latent_dim: int = autoencoder.latent_dim
        self.num_classes = max(autoencoder.num_classes, density.num_classes)
        self.importance_samples = importance_samples
        self.frozen = frozen
        self.draws = draws

    @property
    def likelihood(self) -> Likelihood | None:  # type: ignore[override]
        """A bound, or an estimate if p2 is one; None without a Gaussian decoder or a density."""
        if not isinstance(self.autoencoder, GaussianDecoderModel) or not self.density.likelihood:
            return None
        return "estimate" if self.density.likelihood == "estimate" else "bound"

    def leaves(self) -> Iterator[tuple[str, Model]]:
        """The autoencoder and the density, or both in one."""
        if self.joint is not None:
            yield "joint", self.joint
        else:
            yield "autoencoder", self.autoencoder
            yield "density", self.density

    def fit(self, data: Data, trainer: TrainerLike) -> None:
        """Fit the autoencoder, then the density on its codes; or both in turns."""
        if self.joint is not None:
            self.joint.fit(data, trainer.child("joint"))
            return
        if self.frozen:
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
        return self.codec.encode(x, y)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Points of data space (B, ...) of codes."""
        return self.codec.decode(z, y)

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
            return log_mixture(given, self._label_weights())
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

    def _label_weights(self) -> Tensor:
        conditional = self.density if self.density.num_classes else self.autoencoder
        return conditional.label_weights


class Disconnected(Generative):
    """One model for each cluster, mixed by the shares of the training data.

    Args:
        parts: models by the name of their cluster, in the order of the labels.
        weights: (K,) shares.
        spec: of the data, with K classes.
    """

    weights: Tensor

    def __init__(self, parts: Mapping[str, Generative], weights: Tensor, spec: DataSpec) -> None:
        super().__init__()
        self.spec = spec
        self.names = tuple(parts)
        self.parts = nn.ModuleList(parts.values())
        self.num_classes = len(self.names)
        self.can_sample = all(part.can_sample for part in parts.values())
        self.register_buffer("weights", weights.to(torch.get_default_dtype()))

    @property
    def likelihood(self) -> Likelihood | None:  # type: ignore[override]
        """The weakest of the parts' kinds; None if one has none."""
        kinds = [part.likelihood for _, part in self.each()]
        return None if None in kinds else max(kinds, key=lambda kind: KINDS.index(kind or "exact"))

    def each(self) -> Iterator[tuple[str, Generative]]:
        """The parts, by the name of their scope: part0, part1, ..."""
        for k, part in enumerate(self.parts):
            assert isinstance(part, Generative)
            yield f"part{k}", part

    def leaves(self) -> Iterator[tuple[str, Model]]:
        """The leaves of every part."""
        for name, part in self.each():
            for path, leaf in part.leaves():
                yield f"{name}/{path}".rstrip("/"), leaf

    def fit(self, data: Data, trainer: TrainerLike) -> None:
        """Fit every part to the cluster of its label."""
        pieces = data.parts()
        parts = zip(self.each(), pieces, strict=True)
        trainer.map({name: (part, piece) for (name, part), piece in parts})

    def _sample(self, n: int, y: Tensor | None) -> Tensor:
        """The labels y are the parts that points come from."""
        if y is None:
            if len(self.parts) == 1:
                return next(self.each())[1].sample(n)
            y = torch.multinomial(self.weights, n, replacement=True)
        return self._by_part(y, lambda part, rows: part.sample(len(rows)))

    def _log_prob(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The mixture's, or those of the parts y."""
        if y is not None:
            return self._by_part(y, lambda part, rows: part.log_prob(x[rows]))
        if len(self.parts) == 1:
            return next(self.each())[1].log_prob(x)
        return log_mixture([part.log_prob(x) for _, part in self.each()], self.weights)

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
        if not any(isinstance(part, TwoStep) for part in self.parts):
            raise UomhError("the parts are not two-step models, so they have no such density")
        dims = [part.latent_dim for part in self.parts if isinstance(part, TwoStep)]
        shown = ", ".join(map(str, sorted(set(dims))))
        raise UomhError(
            f"the {what} of the parts (of dimension {shown}) have no common measure, so their "
            "densities cannot be mixed; see those of the parts, or log_likelihood"
        )

    def _by_part(self, y: Tensor, f: Callable[[Generative, Tensor], Tensor]) -> Tensor:
        """Join f(part, rows) over the parts that y names."""
        result: Tensor | None = None
        for k, (_, part) in enumerate(self.each()):
            rows = torch.nonzero(y == k).squeeze(1)
            if len(rows):
                values = f(part, rows)
                if result is None:
                    result = values.new_zeros(len(y), *values.shape[1:])
                result[rows] = values
        if result is None:
            raise UomhError("there are no points, so there is nothing to give of them")
        return result


def parts_of(model: Generative) -> list[Generative]:
    """The parts of a disconnected model, or the model itself."""
    return [part for _, part in model.each()] if isinstance(model, Disconnected) else [model]
