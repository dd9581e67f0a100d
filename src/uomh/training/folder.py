"""The folder of a run: whose it is, what it was asked for, what was measured."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path

from uomh.config import RunConfig, differences
from uomh.data.core import Data
from uomh.errors import UomhError
from uomh.files import write_json
from uomh.metrics import Value
from uomh.settings import Nested


def claim(folder: Path, config: RunConfig, data: Data) -> None:
    """Make a folder the run's own, or see that it is.

    Raises:
        UomhError: it holds a run of another configuration or of other data, or something else, or
            it cannot be written.
    """
    about = {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "shape": data.spec.shape,
        "levels": data.levels,
        "classes": data.classes,
        "sizes": {name: len(getattr(data, name)) for name in ("train", "valid", "test")},
    }
    record = {"config": config.model_dump(mode="json"), "data": about, "versions": _versions()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = read_record(folder)
        if there is None:
            if any(folder.iterdir()):
                raise UomhError(
                    f"{str(folder)!r} is not empty and holds no run; choose another --run-dir"
                )
            write_json(folder / "config.json", record)
            return
    except OSError as error:
        raise UomhError(
            f"cannot write the run to {str(folder)!r} ({error.strerror}); choose another --run-dir"
        ) from None
    plain = json.loads(json.dumps(record))
    before = RunConfig.of(there["config"]).model_dump(mode="json")  # with settings new since then
    # Where data stand and which device computes may change between two sittings of one run.
    changed = [
        each
        for each in differences(before, plain["config"])
        if each[0] not in ("device", "data.data_root")
    ]
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


def read_record(folder: Path) -> Nested | None:
    """The content of a run's ``config.json``, or None where there is none."""
    path = folder / "config.json"
    if not path.is_file():
        return None
    try:
        record: Nested = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        raise UomhError(f"{str(path)!r} is damaged; restore it or choose another folder") from None
    return record


def measured(run_dir: Path, metrics: tuple[str, ...]) -> dict[str, Value] | None:
    """What `measure` found before, if it measured all of this on the weights that stand there."""
    path = run_dir / "metrics.json"
    weights = [each.stat().st_mtime_ns for each in run_dir.glob("checkpoints/**/best.pt")]
    if not path.is_file() or path.stat().st_mtime_ns < max(weights, default=0):
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    if not set(metrics) <= set(found):
        return None
    return {name: Value(**value) for name, value in found.items()}


def _versions() -> dict[str, str]:
    packages = ("uomh", "torch", "numpy", "zuko", "datasets")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}
