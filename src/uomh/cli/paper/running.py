"""Train what a command of the paper means, go on with a run, or test it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uomh import registry
from uomh.cli.console import say
from uomh.cli.paper import tree
from uomh.cli.paper.files import prepare
from uomh.cli.paper.flags import device_of, said_of_a_run
from uomh.cli.paper.metrics import (
    add_nulls,
    measure_other_data,
    measure_others,
    present_metrics,
)
from uomh.cli.paper.reading import Options, Values
from uomh.cli.paper.resolving import Resolved, evaluators
from uomh.cli.runs import evaluate
from uomh.cli.train import run
from uomh.errors import UomhError
from uomh.settings import merged
from uomh.training.folder import read_config_file
from uomh.training.resolve import resolve

if TYPE_CHECKING:
    from uomh.cli.paper.command import Command

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
    config, data = resolve(values=tree.settings(values))
    threads, record = config.threads, read_config_file(folder)
    if record is not None:
        threads = record.asked.threads
    values = merged(values, {"threads": threads})
    config = config.model_copy(update={"threads": threads})
    prepare(folder, config, data, found.shared)
    run(tree.settings(values), [], None, folder, quiet=False)
    measure_others(folder, measured)
    if given.test_ood:
        measure_other_data(folder, config.data.dataset, command.two_step, config.data.data_root)
    add_nulls(folder, measured)


def go_on(command: Command, given: argparse.Namespace, options: Options, folder: Path) -> None:
    """Test a run, or go on with it, to more epochs where they are given.

    Raises:
        UomhError: there is no run, or one of two steps alone is to go on.
    """
    record = read_config_file(folder)
    if record is None:
        flag = "--load-dir" if given.load_dir is not None else "--run-name"
        raise UomhError(f"there is no run in {str(folder)!r}; check {flag}")
    gae, de = (getattr(given, f"max_epochs_loaded_{step}", None) for step in ("gae", "de"))
    if gae is not None and de is None and given.max_epochs_loaded is None:
        raise UomhError(
            "codes change with the first step, so the second must go on, too; "
            "give --max-epochs-loaded-de"
        )
    for line in said_of_a_run(given, options):
        say(line)
    measured = evaluators(command, options)
    names = None if measured.whole is None else list(present_metrics(measured.whole))
    root, device = _first(options, "data_root"), _first(options, "device")
    if device is not None or given.gpu_id >= 0:
        device, lines = device_of(given.gpu_id, device)
        for line in lines:
            say(line)
    sections = tree.sections(record.asked)
    if not given.only_test:
        moved: Values = {"device": device} if device is not None else {}
        if root is not None:
            moved["data"] = {"data_root": root}
        more = _more_epochs(given, sections)
        run(tree.settings(merged(sections, more, moved)), [], None, folder, quiet=False)
    if names or (names is None and given.only_test):
        evaluate([folder], ",".join(names) if names else None, data_root=root, device=device)
    measure_others(folder, measured, root)
    two_step = sections.get("density") is not None
    if given.test_ood:
        measure_other_data(folder, sections["data"]["dataset"], two_step, root)
    add_nulls(folder, measured)


def _first(options: Options, name: str) -> Any:
    """The value of an option, whatever flag it was given to; None: it was not."""
    return next((typed[name] for typed in options.values() if name in typed), None)


def _more_epochs(given: argparse.Namespace, sections: Values) -> Values:
    """The epochs that a run is to go on to, by section; says where it has them already."""
    more: Values = {}
    for section, ends in EPOCHS.items():
        for end in ends:
            epochs = getattr(given, f"max_epochs_loaded{end}", None)
            if epochs is None or section not in sections:
                continue
            if epochs > (there := sections[section]["max_epochs"]):
                more[section] = {"max_epochs": epochs}
            else:
                flag = f"--max-epochs-loaded{end.replace('_', '-')}"
                say(f"{flag} {epochs}: no effect; the run is of {there} epochs")
    return more
