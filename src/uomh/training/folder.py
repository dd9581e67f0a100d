"""The folder of a run: whose it is, what it was asked for, what was measured."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict

from uomh.config import RunConfig, differences
from uomh.data.core import Data
from uomh.devices import checked_device, described
from uomh.errors import UomhError
from uomh.files import write_json
from uomh.metrics import Value
from uomh.settings import Nested, Settings, merged

EPOCHS = ("train.max_epochs", "density_train.max_epochs")
"""settings that may grow: the run goes on"""
ELSEWHERE = ("device", "data.data_root")
"""settings that may change: where data stand, and which device computes"""


class About(Settings):
    """What ``config.json`` tells of the data of a run."""

    model_config = ConfigDict(extra="ignore")

    fingerprint: str
    shape: tuple[int, ...]
    levels: int | None
    classes: tuple[str, ...]


def claim(folder: Path, config: RunConfig, data: Data) -> RunConfig:
    """Make a folder the run's own, or see that it is; under its lock.

    Returns:
        The settings to train by: those given, with the number of threads that the run began with
        where none was asked for.

    Raises:
        UomhError: it holds a run of another configuration or of other data.
    """
    about = {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "shape": data.spec.shape,
        "levels": data.levels,
        "classes": data.classes,
        "sizes": {name: len(getattr(data, name)) for name in ("train", "valid", "test")},
    }
    there = read_record(folder)
    device = described(checked_device(config.device))
    if there is None:
        record = {"config": config.model_dump(mode="json"), "data": about, "versions": _versions()}
        write_json(folder / "config.json", {**record, "devices": [device]})
        return config
    before = read_config(folder, there)
    if "threads" not in config.model_fields_set:
        config = config.model_copy(update={"threads": before.threads})
    old = before.model_dump(mode="json")  # with settings new since then
    new = json.loads(json.dumps(config.model_dump(mode="json")))
    changed = [each for each in differences(old, new) if each[0] not in ELSEWHERE]
    grown = {key: to for key, have, to in changed if key in EPOCHS and to > have}  # type: ignore[operator]
    changed = [each for each in changed if each[0] not in grown]
    changed += differences(
        {"data": {"fingerprint": there["data"]["fingerprint"]}},
        {"data": {"fingerprint": data.fingerprint}},
    )
    if changed:
        listed = ", ".join(f"{key} is {old!r} there and {new!r} here" for key, old, new in changed)
        raise UomhError(
            f"{str(folder)!r} holds a run of another configuration: {listed}; "
            "choose another --run-dir, or repeat its settings to go on with it"
        )
    devices = there.get("devices", [])
    another = device not in devices
    if another:
        there["devices"] = [*devices, device]
    if grown:
        _give_epochs(folder, there, config, grown)
    elif another:
        write_json(folder / "config.json", there)
    return config


def _give_epochs(
    folder: Path, record: Nested, config: RunConfig, grown: Mapping[str, object]
) -> None:
    """Keep in a run's folder that it is to go on for more epochs.

    Raises:
        UomhError: its second step was trained on codes that would change.
    """
    steps = config.two_step
    in_turn = config.density is not None and not steps.freeze and steps.alternate is None
    if in_turn and EPOCHS[1] not in grown and any(folder.glob("checkpoints/**/density/last.pt")):
        raise UomhError(
            f"more {EPOCHS[0]} change the codes that the second step of {str(folder)!r} was "
            f"trained on; raise {EPOCHS[1]}, too"
        )
    if config.match == "compute":  # the parts' epochs follow; killed here, the plan is made again
        (folder / "plan.json").unlink(missing_ok=True)
    more: Nested = {}
    for key, value in grown.items():
        group, _, name = key.partition(".")
        more[group] = {name: value}
    write_json(folder / "config.json", {**record, "config": merged(record["config"], more)})


def read_record(folder: Path) -> Nested | None:
    """The content of a run's ``config.json``, or None where there is none.

    Raises:
        UomhError: it cannot be read, or is damaged.
    """
    path = folder / "config.json"
    try:
        if not path.is_file():
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record["config"], dict):
            raise TypeError
        About.of(record["data"])
    except OSError as error:
        raise UomhError(f"cannot read {str(path)!r} ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, UomhError):
        raise UomhError(f"{str(path)!r} is damaged; restore it or choose another folder") from None
    return dict(record)


def read_config(folder: Path, record: Nested) -> RunConfig:
    """The settings of a run's record.

    Raises:
        UomhError: they are not settings of this version.
    """
    try:
        return RunConfig.of(record["config"])
    except UomhError as error:
        raise UomhError(
            f"{str(folder / 'config.json')!r} is damaged, or of another version: {error}"
        ) from None


def setup_of(config: RunConfig, data: Data) -> str:
    """A short hash of what a measured number depends on beside the weights.

    That is the seed, the settings of the models, and the points.
    """
    of_models = {"seed", "model", "density", "two_step", "disconnected", "evaluate"}
    settings = config.model_dump(mode="json", include=of_models)
    del settings["evaluate"]["metrics"], settings["two_step"]["autoencoder_run"]
    points = [data.fingerprint, len(data.train), len(data.valid), len(data.test)]
    text = json.dumps([settings, points], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


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
            value = Value(**entry)
            never = value.value is None and value.weights is None  # it is of no weights at all
            if never or (value.weights == weights and value.setup == setup):
                found[name] = value
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}
    return found


def save_measured(run_dir: Path, values: Mapping[str, Value]) -> dict[str, Value]:
    """Add values of the same weights to the run's ``metrics.json``, dropping those of others.

    Returns:
        The added values.
    """
    first = next(iter(values.values()))
    assert first.weights is not None
    assert first.setup is not None
    whole = {**measured(run_dir, first.weights, first.setup), **values}
    write_json(run_dir / "metrics.json", {name: value.to_dict() for name, value in whole.items()})
    return dict(values)


def _versions() -> dict[str, str]:
    packages = ("uomh", "torch", "numpy", "zuko", "datasets")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}
