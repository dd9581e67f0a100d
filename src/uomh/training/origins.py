"""Where each setting of a run came from, by comparing the layers that `resolve` puts together."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from uomh.config import RunConfig, TrainConfig
from uomh.settings import (
    Nested,
    component_names,
    config_class,
    merged,
    parse_overrides,
    read_file,
)
from uomh.training.resolve import composed

DECIDED = "parts"
"""the field of settings whose values are all decided by the data"""


class Setting(NamedTuple):
    """A setting, and where its value came from.

    Attributes:
        key: dotted.
        value: plain.
        origin: ``default``; ``by shape``, a default for data of this shape; ``run``, the run's
            ``train``; ``file``; ``option``; ``override``; ``data``, decided by the data.
    """

    key: str
    value: Any
    origin: str


def origins(
    config: RunConfig,
    settled: RunConfig,
    *,
    values: Mapping[str, object] | None = None,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    density: str | None = None,
    disconnected: bool = False,
) -> list[Setting]:
    """Every setting of a run but what the data decide of each of its parts.

    Args:
        config: from `resolve`, of the other arguments.
        settled: with what the data decided.
        values: as for `resolve`; so are the arguments below.
        file: of settings.
        overrides: ``key=value`` texts.
        density: of a two-step model.
        disconnected: a model for each group.
    """
    before = config.model_dump(mode="json")
    names = component_names(RunConfig, before)
    layers = {
        "override": parse_overrides(RunConfig, overrides, names),
        "option": composed(dict(values or {}), density, disconnected),
        "file": composed(read_file(file) if file else {}, density, disconnected),
    }
    run = merged(*({"train": layer.get("train") or {}} for layer in layers.values()))
    found = []
    after = settled.model_dump(mode="json")
    for key, value in _flat(after):
        above, _, field = key.rpartition(".")
        if field == "latent_dim" and _at(after, f"{above}.fit_latent_dim") == (True,):
            # Of a part, which has its own; the template keeps the number that it began with.
            found.append(
                Setting(key, value if value != _at(before, key)[0] else "dimension", "data")
            )
            continue
        if _at(before, key) != (value,):
            origin = "data"
        else:
            origin = _given(layers, key, value) or _default(names, run, key, value)
        found.append(Setting(key, value, origin))
    return found


def _given(layers: Mapping[str, Nested], key: str, value: Any) -> str | None:
    """The uppermost layer that gives a key, or a key that it follows from."""
    for asked in (key, *(_sources(key) if value is True else ())):
        for origin, layer in layers.items():
            if _at(layer, asked):
                return origin
    return None


def _sources(key: str) -> Iterator[str]:
    """The keys by which a flag may have been raised, the nearest first."""
    above, _, field = key.rpartition(".")
    if field == "fit_latent_dim":
        yield f"{above}.latent_dim"
    above, _, step = above.rpartition(".")
    if field == "conditional" and step in ("autoencoder", "density"):
        if step == "density":
            yield f"{above}.autoencoder.conditional"
        yield f"{above}.conditional"
        yield from _sources(f"{above}.conditional")


def _default(names: Mapping[str, str], run: Nested, key: str, value: Any) -> str:
    """Which default a value is that was not given."""
    holder = max((name for name in names if key.startswith(f"{name}.")), key=len, default="")
    if holder.partition(".")[0] != "model":
        return "default"
    field = key.removeprefix(f"{holder}.")
    if field.startswith("train.") and _at(run, field):
        return "run"
    plain = _at(_defaults(names[holder]), field)
    return "default" if field == "name" or plain == (value,) else "by shape"


@functools.cache
def _defaults(model: str) -> Nested:
    """The defaults of a model's class, whatever the data; nested."""
    whole = config_class("models", model)().model_dump(mode="json")
    if "train" in whole:
        whole["train"] = TrainConfig().model_dump(mode="json")
    return whole


def _at(nested: Nested, key: str) -> tuple[Any, ...]:
    """The value at a dotted key, alone in a tuple; an empty one where there is none."""
    value: Any = nested
    for name in key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return ()
        value = value[name]
    return (value,)


def _flat(nested: Nested, where: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values."""
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(dict(value), f"{where}{key}.")
        elif key != DECIDED:
            yield where + key, value
