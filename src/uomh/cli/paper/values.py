"""From values of the paper's options to nested values of ours, where a dotted key is not enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from uomh import registry
from uomh.cli.paper.reading import Given, Meaning, Said, Together, Values
from uomh.errors import UomhError, unknown
from uomh.settings import place

NORMS = {
    "batchnorm": "batch",
    "batch": "batch",
    "instance": "instance",
    "instancenorm": "instance",
    "group": "group",
    None: None,
    False: None,
}
SCHEDULES = {"cosine": "cosine", "step": "step", "constant": "constant", None: "constant"}
FLOWS = {
    "simple_nsf": "coupling",
    "nsf": "coupling",
    "coupling": "coupling",
    "autoregressive": "autoregressive",
    "multiscale": "multiscale",
}
ARGUMENTS = {
    "betas": "betas",
    "weight_decay": "weight_decay",
    "momentum": "momentum",
    "step_size": "lr_step",
    "gamma": "gamma",
}
"""the paper's names, and ours: of normalisations, schedules, flows, arguments of an optimiser"""


def ours(what: str, name: Any, names: Mapping[Any, Any]) -> Any:
    """Our name of something that the paper's code has by another.

    Raises:
        UomhError: there is none; the nearest known name is told.
    """
    if not isinstance(name, str | bool | None) or name not in names:
        raise unknown(what, str(name), [known for known in names if isinstance(known, str)])
    return names[name]


def setting(key: str, what: str, names: Mapping[Any, Any]) -> Callable[[Any], Said]:
    """The meaning of an option whose value is such a name."""

    def read(name: Any) -> Said:
        return _at(key, ours(what, name, names))

    return read


def network(paper: str, network: str) -> dict[str, Meaning]:
    """Options of one network, ``<paper>_hidden_dims`` and so on, and where it stands here."""
    plain = (
        "net",
        "hidden_dims",
        "hidden_channels",
        "kernel_size",
        "stride",
        "layer_channels",
        "activation",
        "final_activation",
        "spectral_norm",
    )
    found: dict[str, Meaning] = {f"{paper}_{name}": f"model.{network}.{name}" for name in plain}
    found[f"{paper}_norm"] = setting(f"model.{network}.norm", "normalisation", NORMS)
    found[f"{paper}_blocks_per_layer"] = _blocks(f"model.{network}.blocks_per_layer")
    return found


def _at(key: str, value: Any) -> Values:
    values: Values = {}
    place(values, key.split("."), value)
    return values


def _blocks(key: str) -> Callable[[Any], Said]:
    def read(count: Any) -> Said:
        counts = count if isinstance(count, list) else [count]
        if len(set(counts)) != 1:
            raise UomhError(f"blocks_per_layer={count}: all stages have as many blocks; repeat one")
        return _at(key, counts[0])

    return read


def rates(groups: Mapping[str, str]) -> dict[str, Meaning]:
    """Learning rates and their schedules, of all parameters and of groups of them.

    Args:
        groups: what the paper's names of a group begin with, and our name of the group.
    """

    def lr(rate: Any, given: Given) -> Said:
        others = {
            group: {"lr": rate} for name, group in groups.items() if f"{name}_lr" not in given
        }
        if rate is None:
            if not groups:
                raise UomhError("lr=None: this model has one learning rate; give it")
            return "each group of parameters has a rate of its own"
        if groups and not others:
            return "both groups of parameters have a rate of their own"
        return {"train": {"lr": rate, **({"groups": others} if others else {})}}

    def use(used: Any, given: Given) -> Said:
        kind = _schedule(given) if used else "constant"
        others = {
            group: {"schedule": kind}
            for name, group in groups.items()
            if f"use_{name}_lr_scheduler" not in given
        }
        return {"train": {"schedule": kind, **({"groups": others} if others else {})}}

    def kind(name: Any, given: Given) -> Said:
        _schedule(given)
        flags = ["use_lr_scheduler", *(f"use_{name}_lr_scheduler" for name in groups)]
        used = any(given.get(flag) for flag in flags)
        return {} if used else f"it is not used; say so by {flags[-1]}=True"

    found: dict[str, Meaning] = {
        "lr": Together(lr),
        "use_lr_scheduler": Together(use),
        "lr_scheduler": Together(kind),
    }
    for name, group in groups.items():
        found[f"{name}_lr"] = f"train.groups.{group}.lr"
        found[f"use_{name}_lr_scheduler"] = Together(_use_in_group(group))
    return found


def _use_in_group(group: str) -> Callable[[Any, Given], Said]:
    def use(used: Any, given: Given) -> Said:
        kind = _schedule(given) if used else "constant"
        return {"train": {"groups": {group: {"schedule": kind}}}}

    return use


def _schedule(given: Given) -> str:
    return str(ours("lr_scheduler", given.get("lr_scheduler", "cosine"), SCHEDULES))


def scheduler_args(arguments: Any) -> Said:
    """Arguments of the optimiser, or of its schedule."""
    if arguments in (None, {}):
        return "it holds nothing"
    if not isinstance(arguments, dict):
        raise UomhError("scheduler_args should be a dictionary such as {'betas': [0.5, 0.99]}")
    values = {
        ours("scheduler argument", name, ARGUMENTS): list(value)
        if isinstance(value, tuple)
        else value
        for name, value in arguments.items()
    }
    return {"train": values}


def single_sigma(single: Any) -> Said:
    """One learned deviation, or one for each pixel."""
    return {"model": {"decoder_sigma": "single" if single else "per_pixel"}}


def base_distribution(name: Any) -> Said:
    """The prior; None is the model's own."""
    if name is None:
        return "the prior is the model's own, the standard Gaussian (bigan: the uniform cube)"
    return {"model": {"prior": {"kind": name}}}


def conditioning(how: Any, given: Given) -> Said:
    """The labels that every network is given: none, the classes, or those of clusters."""
    if how in (None, False):
        return {"model": {"conditional": False}}
    if how == "class":
        return {"model": {"conditional": True}}
    known = registry.entries("clusterers")
    if how not in known:
        raise unknown("conditioning", str(how), known)
    clusters = {"name": how}
    if (count := given.get("conditioning_dimension")) is not None:
        clusters["num_clusters"] = count
    return {"model": {"conditional": True}, "clusters": clusters}


def conditioning_dimension(count: Any, given: Given) -> Said:
    """The number of labels, where they are those of clusters; see `conditioning`."""
    how = given.get("conditioning")
    if how in (None, False):
        return "the model is not conditional; say on what by conditioning=HOW"
    if how == "class":
        return "it is the number of classes"
    return {} if count is not None else "there are as many clusters as classes"


def transforms(given: Any) -> Said:
    """Augmentation: mirrored images, by name or as {'module': ..., 'params': {'p': 0.5}}."""
    known = ("horizontal_flip", "hflip", "RandomHorizontalFlip")
    flip = False
    for transform in [given] if isinstance(given, str | dict) else given or ():
        name, chance = transform, 0.5
        if isinstance(transform, dict):
            name, params = transform.get("module"), transform.get("params") or {}
            chance = params.get("p", 0.5)
        if name not in known:
            raise unknown("transform", str(name), known)
        if chance not in (0, 0.5):
            raise UomhError(f"transforms: images are mirrored with p=0.5 or never, not p={chance}")
        flip |= bool(chance)
    return {"train": {"horizontal_flip": flip}}


def valid_loader(make: Any, given: Given) -> Said:
    """Whether there is a validation split."""
    if make:
        return "there is a validation split, of the share valid_fraction"
    stop = [name for name in ("early_stopping_metric", "max_bad_valid_epochs") if given.get(name)]
    values: Values = {"data": {"valid_fraction": 0.0}}
    if not stop:
        return values
    return (
        values,
        f"without validation points {' and '.join(stop)} cannot act; the last weights stay",
    )


def valid_fraction(share: Any, given: Given) -> Said:
    """The share of validation points, if there are any."""
    if given.get("make_valid_loader") is False:
        return "make_valid_loader=False leaves no validation split"
    return {"data": {"valid_fraction": share}}


def whitening(white: Any, given: Given) -> Said:
    """Standardisation, instead of division by the largest value."""
    if white and given.get("scale_data"):
        raise UomhError("scale_data=True and whitening_transform=True exclude each other; give one")
    return {"model": {"whitening_transform": white}}


def denoising_sigma(deviation: Any) -> Said:
    """Noise on training points; None is none."""
    return {"model": {"denoising_sigma": 0.0 if deviation is None else deviation}}


def sample_every(epochs: Any) -> Said:
    """Epochs between two grids of samples; infinity is never."""
    return {"train": {"sample_every": None if never(epochs) else epochs}}


def never(epochs: Any) -> bool:
    """Whether a number of epochs is none, or infinite."""
    if isinstance(epochs, str):
        return epochs.lower() in ("inf", "np.inf", "math.inf", "float('inf')", 'float("inf")')
    return epochs in (None, 0, False) or (isinstance(epochs, float) and math.isinf(epochs))


def class_ind(index: Any) -> Said:
    """One class or several; -1 is all."""
    if index in (None, -1):
        return "all classes are kept"
    return {"data": {"class_ind": [index] if isinstance(index, int) else index}}


def latent_dim(size: Any) -> Said:
    """A number, or the dimension of each cluster, "fitted"."""
    fitted = size in (None, "fitted", "dimension")
    return {"latent_dim": "dimension"} if fitted else {"model": {"latent_dim": size}}


def max_grad_norm(norm: Any) -> Said:
    """The norm at which gradients are clipped; 0 and None are never."""
    return {"train": {"max_grad_norm": norm or None}}


def objective(wasserstein: Any) -> Said:
    """What a critic plays for."""
    return {"model": {"critic": {"objective": "wasserstein" if wasserstein else "logistic"}}}


def constraint(penalised: Any) -> Said:
    """How a critic's slope is bounded."""
    return {"model": {"critic": {"constraint": "penalty" if penalised else "clamp"}}}
