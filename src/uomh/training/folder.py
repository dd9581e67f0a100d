"""The folder of a run: whose it is, what it was asked for, what was measured."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uomh.config import RunConfig, differences
from uomh.data.about import About
from uomh.data.core import Data
from uomh.devices import checked_device, described
from uomh.errors import UomhError
from uomh.files import write_json
from uomh.metrics import Value
from uomh.models.core import learner_class
from uomh.settings import Nested
from uomh.training.resolve import ROOT, decided

ELSEWHERE = ("device", "data.data_root")
"""settings that may change: where data stand, and which device computes"""
AS_MODELS_SAY = "train."
"""settings of the run that its models carry: they are compared there"""


@dataclass(frozen=True)
class ConfigFile:
    """What ``config.json`` tells.

    Attributes:
        asked: the settings as they were given, with their defaults.
        config: with what the data decided; None until they did.
        groups: the classes of the grouped data.
        data: about the data as loaded.
        versions: of the software.
    """

    asked: RunConfig
    config: RunConfig | None
    groups: tuple[str, ...]
    data: About
    content: Nested


def claim(folder: Path, config: RunConfig, data: Data) -> RunConfig:
    """Make a folder the run's own, or see that it is; under its lock.

    Returns:
        The settings to train by: those given, with the number of threads that the run began with
        where none was asked for.

    Raises:
        UomhError: it holds a run of another configuration or of other data.
    """
    found = read_config_file(folder)
    device = described(checked_device(config.device))
    if found is None:
        about = {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "shape": data.spec.shape,
            "levels": data.levels,
            "classes": data.classes,
            "sizes": {name: len(getattr(data, name)) for name in ("train", "valid", "test")},
        }
        asked = config.model_dump(mode="json")
        record = {"asked": asked, "config": None, "data": about, "versions": _versions()}
        write_json(folder / "config.json", {**record, "devices": [device]})
        return config
    config, grown = going_on(folder, found, config, data)
    if grown:
        # What is trained anew ends as in a run of so many epochs, whenever this is killed.
        for path in learner_class(config.model).outgrown(found.asked.model, config.model):
            for outgrown in folder.glob(f"checkpoints/{ROOT}/{path}"):
                shutil.rmtree(outgrown)
            dotted = path.replace("/", ".")
            for ending in (dotted, f"{dotted}.*"):
                for events in folder.glob(f"events*.{ROOT}.{ending}"):
                    events.unlink()
    content = dict(found.content)
    devices = content.get("devices", [])
    another = device not in devices
    if another:
        content["devices"] = [*devices, device]
    if grown:
        first = {"device": found.asked.device, "data": found.asked.data}
        asked = config.model_copy(update=first).model_dump(mode="json")
        content |= {"asked": asked, "config": None}
    if grown or another:
        write_json(folder / "config.json", content)
    return config


def going_on(
    folder: Path, found: ConfigFile, config: RunConfig, data: Data
) -> tuple[RunConfig, bool]:
    """See that settings go on with the run of a folder, of which nothing is changed.

    Returns:
        The settings, with the number of threads that the run began with where none was asked for;
        and whether they ask for more epochs.

    Raises:
        UomhError: it holds a run of another configuration or of other data.
    """
    before = found.asked
    if "threads" not in config.model_fields_set:
        config = config.model_copy(update={"threads": before.threads})
    old = before.model_dump(mode="json")  # with settings new since then
    new = json.loads(json.dumps(config.model_dump(mode="json")))
    changed = [
        (key, have, to)
        for key, have, to in differences(old, new)
        if key not in ELSEWHERE and not key.startswith(AS_MODELS_SAY)
    ]
    grown = [key for key, have, to in changed if key.endswith("train.max_epochs") and to > have]  # type: ignore[operator]
    changed = [difference for difference in changed if difference[0] not in grown]
    changed += differences(
        {"data": {"fingerprint": found.data.fingerprint}},
        {"data": {"fingerprint": data.fingerprint}},
    )
    if changed:
        listed = ", ".join(f"{key} is {old!r} there and {new!r} here" for key, old, new in changed)
        raise UomhError(
            f"{str(folder)!r} holds a run of another configuration: {listed}; "
            "choose another --run-dir, or repeat its settings to go on with it"
        )
    if grown and any(folder.glob("checkpoints/**/density/**/last.pt")):
        learner_class(config.model).check_growth(before.model, config.model)
    return config, bool(grown)


def settle(folder: Path | None, config: RunConfig, data: Data) -> RunConfig:
    """The settings with what the grouped data decide, once; they stand in the run's folder.

    Raises:
        UomhError: the data cannot decide it.
    """
    record = None if folder is None else read_config_file(folder)
    if record is not None and record.config is not None:
        where = {"device": config.device, "data": config.data}
        return record.config.model_copy(update=where)
    config = decided(config, data)
    if folder is not None:
        assert record is not None
        kept = {"device": record.asked.device, "data": record.asked.data}
        keep_decided(folder, config.model_copy(update=kept), data)
    return config


def keep_decided(folder: Path, config: RunConfig, data: Data) -> None:
    """Keep the settings that grouped data decided in the run's folder, which is claimed."""
    record = read_config_file(folder)
    assert record is not None
    settled = {"config": config.model_dump(mode="json"), "groups": data.classes}
    write_json(folder / "config.json", {**record.content, **settled})


def read_config_file(folder: Path) -> ConfigFile | None:
    """What a run's ``config.json`` tells, or None where there is none.

    Raises:
        UomhError: it cannot be read, is damaged, or of another version.
    """
    path = folder / "config.json"
    try:
        if not path.is_file():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        about = About.of(content["data"])
        asked, config = content.get("asked"), content["config"]
        if not isinstance(asked if "asked" in content else config, dict):
            raise TypeError
    except OSError as error:
        raise UomhError(f"cannot read {str(path)!r} ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, UomhError):
        raise UomhError(f"{str(path)!r} is damaged; restore it or choose another folder") from None
    if asked is None:
        raise UomhError(
            f"{str(folder)!r} holds a run of an older version, whose settings were no tree of "
            "models; train it anew in another folder"
        )
    try:
        groups = tuple(content.get("groups") or about.classes)
        settled = None if config is None else RunConfig.of(config)
        return ConfigFile(RunConfig.of(asked), settled, groups, about, content)
    except UomhError as error:
        raise UomhError(f"{str(path)!r} is damaged, or of another version: {error}") from None


def setup_of(config: RunConfig, data: Data) -> str:
    """A short hash of what a measured number depends on beside the weights.

    That is the seed, the settings of the models, and the points.
    """
    settings = config.model_dump(mode="json", include={"seed", "model", "evaluate"})
    settings["evaluate"] = settings["evaluate"]["batch_size"]
    _undecide(settings["model"])
    points = [data.fingerprint, len(data.train), len(data.valid), len(data.test)]
    text = json.dumps([settings, points], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _undecide(model: Nested) -> None:
    """Take from nested settings what the data decided, which follows from the rest."""
    model.pop("parts", None)
    model.pop("dimensions", None)
    if model.get("fit_latent_dim"):
        model.pop("latent_dim", None)
    for value in model.values():
        if isinstance(value, dict):
            _undecide(value)


def measured(run_dir: Path, weights: str, setup: str) -> dict[str, Value]:
    """What the run's ``metrics.json`` tells of these weights; a damaged file tells nothing.

    Args:
        run_dir: of the run.
        weights: hash of the weights that stand there, from `uomh.metrics.weights_of`.
        setup: hash of what else a number depends on, from `setup_of`.
    """
    found: dict[str, Value] = {}
    try:
        entries = json.loads((run_dir / "metrics.json").read_text(encoding="utf-8")).items()
        for name, entry in entries:
            value = Value(**{"name": name, "metric": name, **entry})
            never = value.value is None and value.weights is None  # it is of no weights at all
            if never or (value.weights == weights and value.setup == setup):
                found[name] = value
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}
    return found


def joined(before: Mapping[str, Value], values: Mapping[str, Value]) -> dict[str, Value]:
    """Values with those of before that are of other metrics.

    A metric yields several numbers, and where it fails this time, or yields others, those of before
    are of other settings: of more samples, say.
    """
    again = {value.metric for value in values.values()}
    kept = {
        name: value for name, value in before.items() if name in values or value.metric not in again
    }
    return kept | dict(values)


def save_measured(run_dir: Path, values: Mapping[str, Value]) -> dict[str, Value]:
    """Add values of the same weights to the run's ``metrics.json``, dropping those of others.

    Returns:
        The added values.
    """
    first = next(iter(values.values()))
    assert first.weights is not None
    assert first.setup is not None
    whole = joined(measured(run_dir, first.weights, first.setup), values)
    write_json(run_dir / "metrics.json", {name: value.to_dict() for name, value in whole.items()})
    return dict(values)


def _versions() -> dict[str, str]:
    packages = ("uomh", "torch", "numpy", "zuko", "datasets")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}
