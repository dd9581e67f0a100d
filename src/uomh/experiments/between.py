"""Which models put mass between the manifolds: all of them, each in four forms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from uomh.experiments.core import Arm, Experiment
from uomh.experiments.forms import conditional, disconnected, vanilla
from uomh.registry import register


class Preset(NamedTuple):
    """A model by its settings below ``model`` or ``model.part``, and those of its scaled form.

    Scaled runs see so few images that their models are given more passes: those below are for a
    sixth of MNIST's images, of which a scale of 1/6 leaves 100 epochs of 600.
    """

    name: str
    settings: tuple[str, ...]
    small: tuple[str, ...]


MLP = ("encoder.net=mlp", "decoder.net=mlp")
STEPS = ("density.train.max_epochs=240",)


def two_step(first: str) -> Preset:
    """A flow on the codes of an autoencoder."""
    nets = tuple(f"autoencoder.{text}" for text in (*MLP, "train.max_epochs=300"))
    tree = ("name=two_step", f"autoencoder.name={first}", "density.name=flow")
    return Preset(f"{first}+flow", tree, (*nets, *STEPS))


MODELS = (
    Preset("vae", ("name=vae",), (*MLP, "train.max_epochs=600")),
    Preset("wae", ("name=wae",), (*MLP, "train.max_epochs=600")),
    Preset(
        "gan",
        ("name=gan",),
        (
            *("generator.net=mlp", "generator.norm=null", "critic.net=mlp", "critic.norm=null"),
            *("critic.steps=2", "train.max_epochs=420"),
        ),
    ),
    Preset(
        "flow",
        ("name=flow",),
        ("num_layers=2", "num_blocks_per_layer=1", "bins=4", "train.max_epochs=108"),
    ),
    Preset(
        "flow_matching",
        ("name=flow_matching",),
        ("net=mlp", "num_layers=3", "tolerance=1e-3", "train.max_epochs=360"),
    ),
    two_step("vae"),
    two_step("ae"),
    Preset("avb", ("name=avb",), (*MLP, "train.max_epochs=300")),
    Preset("bigan", ("name=bigan",), (*MLP, "train.max_epochs=300")),
    Preset("ebm", ("name=ebm",), ("energy.net=mlp", "ld_steps=20", "train.max_epochs=60")),
    Preset("arm", ("name=arm",), ("hidden_size=48", "num_layers=1", "train.max_epochs=18")),
)


def forms(model: Preset) -> Iterator[Arm]:
    """The model alone, told the class, and one for each class or random group."""
    name, settings, small = model
    alone = f"{name} vanilla"
    yield vanilla(alone, settings, small)
    yield conditional(f"{name} conditional class", settings, "class", small, alone)
    for how in ("class", "random"):
        yield disconnected(f"{name} disconnected {how}", settings, how, small, alone)


@register("experiments", "between")
class Between(Experiment):
    """Which models put mass between the manifolds: vanilla, conditional, disconnected."""

    seeds = 1
    base = (
        "evaluate.metrics=[fid,precision_recall_density_coverage,bits_per_dim,between,"
        "clustered_id,memorisation]",
    )
    arms = tuple(arm for model in MODELS for arm in forms(model))
    metrics = (
        "fid",
        *("precision", "recall", "density", "coverage"),
        "bits_per_dim",
        *("between", "between_pixels", "between_unplaced"),
        "clustered_id",
        *("memorisation", "c_t"),
        *("parameters", "training_seconds"),
    )
    notes = (
        "between, between pixels: share of samples farther from the training set than 99% of "
        "held-out images are, in features of a classifier and in pixels; between unplaced: share "
        "that the classifier places less surely than 99% of held-out images; of data each is 0.01",
        "clustered id: dimension of samples less that of training points, mean over classes (over "
        "groups, where groups are random)",
        "a disconnected model has as many times the parameters as there are groups; `matched` "
        "compares at equal parameters",
    )
