"""The forms of a model that experiments compare, as arms: settings under the places they go to."""

from __future__ import annotations

from collections.abc import Sequence

from uomh.experiments.core import Arm

Texts = tuple[str, ...]


def placed(where: str, texts: Sequence[str]) -> Texts:
    """Texts of a model, where it stands in the tree.

    >>> placed("model.part", ["name=vae", "latent_dim=5"])
    ('model.part.name=vae', 'model.part.latent_dim=5')
    """
    return tuple(f"{where}.{text}" for text in texts)


def vanilla(name: str, model: Texts, small: Texts = ()) -> Arm:
    """The model alone."""
    return Arm(name, placed("model", model), placed("model", small))


def conditional(name: str, model: Texts, how: str, small: Texts = (), against: str = "") -> Arm:
    """The model told the group of each point."""
    groups = () if how == "class" else (f"clusters.name={how}",)
    texts = (*placed("model", model), "model.conditional=true", *groups)
    return Arm(name, texts, placed("model", small), against)


def disconnected(
    name: str, model: Texts, how: str, small: Texts = (), against: str = "", more: Texts = ()
) -> Arm:
    """One model for each group.

    Args:
        name: of the arm.
        model: settings of the parts.
        how: a clusterer.
        small: settings of the parts in the scaled form.
        against: arm that it is compared with.
        more: settings of the whole.
    """
    texts = ("model.name=disconnected", *placed("model.part", model), f"clusters.name={how}")
    return Arm(name, (*texts, *more), placed("model.part", small), against)
