"""Train what a command of the paper means, go on with a run, or test it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uomh import registry
from uomh.cli.console import say
from uomh.cli.paper.files import prepare
from uomh.cli.paper.metrics import add_missing, measure_others, present_metrics
from uomh.cli.paper.resolving import Options, Resolved, evaluators
from uomh.cli.runs import evaluate
from uomh.cli.train import run
from uomh.config import resolve
from uomh.errors import UomhError
from uomh.settings import merged
from uomh.training.folder import read_record

if TYPE_CHECKING:
    from uomh.cli.paper import Command

EPOCHS = {"train": ("", "_gae"), "density_train": ("", "_de")}
"""sections of the settings, and the ends of the flags --max-epochs-loaded of each"""


def train(
    command: Command, given: argparse.Namespace, options: Options, found: Resolved, folder: Path
) -> None:
    """Train the model of a command line in its folder, or go on with it; then measure it."""
    measured = evaluators(command, options)
    values = found.values
    if measured.whole is not None:
        metrics = list(present_metrics(measured.whole))
        values = merged(values, {"evaluate": {"metrics": metrics}})
    for name in present_metrics(measured.elsewhere):
        registry.load("metrics", name)  # a name that is not known fails here, before any work
    say(f"run: {folder}")
    config, data = resolve(values=values)
    threads, record = config.threads, read_record(folder)
    if record is not None:
        threads = record["config"]["threads"]
    values = merged(values, {"threads": threads})
    config = config.model_copy(update={"threads": threads})
    prepare(folder, config, data, found.shared)
    run(values, [], None, folder, quiet=False)
    measure_others(folder, measured)
    add_missing(folder, measured, measured.missing(given.test_ood, command.two_step))


def go_on(command: Command, given: argparse.Namespace, options: Options, folder: Path) -> None:
    """Test a run, or go on with it, to more epochs where they are given.

    Raises:
        UomhError: there is no run, or one of two steps alone is to go on.
    """
    record = read_record(folder)
    if record is None:
        flag = "--load-dir" if given.load_dir is not None else "--run-name"
        raise UomhError(f"there is no run in {str(folder)!r}; check {flag}")
    gae, de = (getattr(given, f"max_epochs_loaded_{step}", None) for step in ("gae", "de"))
    if gae is not None and de is None and given.max_epochs_loaded is None:
        raise UomhError(
            "codes change with the first step, so the second must go on, too; "
            "give --max-epochs-loaded-de"
        )
    measured = evaluators(command, options)
    names = None if measured.whole is None else list(present_metrics(measured.whole))
    root = next((some["data_root"] for some in options.values() if "data_root" in some), None)
    if given.only_test:
        if names is None or names:
            evaluate([folder], ",".join(names) if names else None, data_root=root)
    else:
        config: dict[str, Any] = record["config"]
        epochs = {}
        for key, ends in EPOCHS.items():
            for end in ends:
                if (more := getattr(given, f"max_epochs_loaded{end}", None)) is None:
                    continue
                if more <= (there := config[key]["max_epochs"]):
                    flag = f"--max-epochs-loaded{end.replace('_', '-')}"
                    say(f"{flag} {more}: no effect; the run is of {there} epochs")
                else:
                    epochs[key] = {"max_epochs": more}
        config = merged(config, epochs, {"data": {"data_root": root}} if root is not None else {})
        run(config, [], None, folder, quiet=False)
        if names:
            evaluate([folder], ",".join(names), data_root=root)
    measure_others(folder, measured, root)
    two_step = record["config"]["density"] is not None
    add_missing(folder, measured, measured.missing(given.test_ood, two_step))
