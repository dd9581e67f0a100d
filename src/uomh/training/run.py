"""A run: a folder that holds its settings, its checkpoints and what was measured.

``config.json`` has the resolved settings, the data's fingerprint and shape, versions; whoever has
the folder can load the model, and with the same data repeat the run.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from uomh import registry
from uomh.config import RunConfig, differences
from uomh.data.core import Data, DataSpec
from uomh.errors import UomhError
from uomh.files import replacing
from uomh.metrics import Evaluation, Value, evaluate
from uomh.models.core import Generative, Model
from uomh.progress import Progress
from uomh.seeds import derived_seed
from uomh.settings import Nested
from uomh.training.checkpoints import Checkpoints
from uomh.training.fit import Trainer
from uomh.training.samples import save_reconstructions, save_samples

ROOT = "model"
"""path of a run's model among its checkpoints and in its logs"""


def build(config: RunConfig, data: Data) -> Model:
    """The untrained model of a configuration for data of this shape; weights from the seed."""
    return _build(config, data.spec)


def _build(config: RunConfig, spec: DataSpec) -> Model:
    torch.manual_seed(derived_seed(config.seed, ROOT, "initial weights"))
    cls = registry.load("models", config.model.name)
    model: Model = cls(config.model, spec)
    return model


def fit(
    model: Generative,
    data: Data,
    config: RunConfig,
    run_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Generative:
    """Train a model; with a folder, go on where it stands and leave everything there.

    Args:
        model: from `build`.
        data: the data.
        config: of the run.
        run_dir: the run's folder; None keeps nothing.
        progress: is told how it goes.

    Raises:
        UomhError: the folder holds another run or cannot be written, or training failed.
    """
    folder = None if run_dir is None else Path(run_dir)
    if folder is not None:
        claim(folder, config, data)
    with threads(config.threads):
        model.fit(data, Trainer(config.train, config.seed, folder, config.device, progress, ROOT))
        if folder is not None:
            torch.manual_seed(derived_seed(config.seed, ROOT, "pictures"))
            save_samples(model, folder / "samples.png")
            save_reconstructions(model, data, folder / "reconstructions.png")
    return model


def measure(
    model: Generative,
    data: Data,
    config: RunConfig,
    metrics: tuple[str, ...] | None = None,
    run_dir: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Value]:
    """Evaluate on the test split; with a folder, add to its ``metrics.json``."""
    if not len(data.test):
        raise UomhError(f"{data.name} has no test split to evaluate on")
    names = config.evaluate.metrics if metrics is None else metrics
    with threads(config.threads):
        model.to(config.device)
        evaluation = Evaluation(
            model,
            data,
            data.test,
            config.seed,
            config.evaluate.batch_size,
            advance=partial(progress.advance, "evaluate") if progress else None,
        )
        values = evaluate(names, evaluation)
    if run_dir is not None:
        path = run_dir / "metrics.json"
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        write_json(path, before | {name: value.to_dict() for name, value in values.items()})
    return values


def measured(run_dir: Path, metrics: tuple[str, ...]) -> dict[str, Value] | None:
    """What `measure` found before, if it measured all of this on the weights that stand there."""
    path = run_dir / "metrics.json"
    weights = [each.stat().st_mtime_ns for each in run_dir.glob("checkpoints/**/best.pt")]
    if not path.is_file() or path.stat().st_mtime_ns < max(weights, default=0):
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    if not set(metrics) <= set(found):
        return None
    return {name: Value(**found[name]) for name in metrics}


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it.

    Attributes:
        path: the folder.
        config: the resolved settings.
        spec: shape of the data it was trained on.
        classes: names of their classes.
        fingerprint: of their content.
        model: with its best weights, in evaluation mode.
    """

    path: Path
    config: RunConfig
    spec: DataSpec
    classes: tuple[str, ...]
    fingerprint: str
    model: Generative


def load_run(path: str | Path) -> Run:
    """Load a run from its folder; the data are not needed.

    Raises:
        UomhError: there is no run, it has no checkpoint yet, or a file is damaged.
    """
    folder = Path(path)
    record = read_record(folder)
    if record is None:
        raise UomhError(f"there is no run in {str(folder)!r} (no config.json); check the path")
    config = RunConfig.of(record["config"])
    about = record["data"]
    spec = DataSpec(tuple(about["shape"]), about["levels"], len(about["classes"]))
    model: Generative = _build(config, spec)
    for name, leaf in model.leaves():
        place = folder / "checkpoints" / ROOT / name
        best = Checkpoints(place).load("best")
        if best is None:
            raise UomhError(f"the run in {str(folder)!r} has no checkpoint yet; train it first")
        leaf.load_state_dict(best["model"])
    model.eval()
    return Run(folder, config, spec, tuple(about["classes"]), about["fingerprint"], model)


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
    # Where data stand and which device computes may change between two sittings of one run.
    changed = [
        each
        for each in differences(there["config"], plain["config"])
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


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Compute with n threads in this block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _versions() -> dict[str, str]:
    packages = ("uomh", "torch", "numpy", "zuko", "datasets")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}
