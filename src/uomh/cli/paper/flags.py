"""Flags that have no effect, and the device that the others mean."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from uomh.cli.paper.clusters import known_options
from uomh.cli.paper.reading import Options
from uomh.errors import UomhError, unknown

if TYPE_CHECKING:
    from uomh.cli.paper.command import Command

OF_TESTS = ("test_metrics", "data_root", "logdir_root", "device")
"""options that act on a run that is there"""


def is_given(value: object) -> bool:
    """Whether a flag was given that has this value."""
    return value is not None and value is not False


def said_of_flags(command: Command, given: argparse.Namespace) -> list[str]:
    """Lines on flags that have no effect."""
    lines = []
    if given.load_best_valid_first:
        lines.append("--load-best-valid-first: best weights are always tested")
    there = {name.replace("_", "-") for name, value in vars(given).items() if is_given(value)}
    flags = ("load-pretrained-gae", "freeze-pretrained-gae")
    more = ("max-epochs-loaded", "max-epochs-loaded-gae", "max-epochs-loaded-de")
    idle = {}
    if "load-dir" not in there:
        idle = dict.fromkeys((*flags, *more), "no effect without --load-dir")
    elif "load-pretrained-gae" in there:
        idle = dict.fromkeys(more, "no effect; with --load-pretrained-gae max_epochs says it")
    else:
        idle["freeze-pretrained-gae"] = "no effect without --load-pretrained-gae"
        idle["run-name"] = "no effect; the run stays in --load-dir"
    if command.two_step:
        idle["is-gae"] = "no effect; the first of two steps is one"
        if {"model", "gae-model"} <= there and given.model != given.gae_model:
            idle["model"] = "no effect; --gae-model names the first step"
    return [*lines, *(f"--{flag}: {why}" for flag, why in idle.items() if flag in there)]


def said_of_a_run(given: argparse.Namespace, options: Options) -> list[str]:
    """Lines on what is not taken from a command line, where the run's folder has it.

    Raises:
        UomhError: an option is unknown.
    """
    names = ("dataset", "model", "gae_model", "de_model", "is_gae")
    lines = [f"--{name.replace('_', '-')}" for name in names if getattr(given, name, None)]
    for kind, typed in options.items():
        known = known_options(kind)
        for name in typed:
            if name not in known:
                raise unknown("option", name, known)
        taken = [name for name in typed if name not in OF_TESTS]
        lines += [f"--{kind} {', '.join(taken)}"] if taken else []
    return [f"{line}: no effect; the run that is there has its settings" for line in lines]


def device_of(gpu: int, named: str | None = None) -> tuple[str, list[str]]:
    """The device that ``--gpu-id`` and the option ``device`` mean, and a line if it is not there.

    Raises:
        UomhError: there are GPUs, but not that one.
    """
    import torch

    if named is not None and not str(named).startswith("cuda"):
        return named, [f"--gpu-id {gpu}: no effect; device={named}"] if gpu >= 0 else []
    if not torch.cuda.is_available():
        flag = f"--gpu-id {gpu}" if gpu >= 0 else f"device={named}"
        line = f"{flag}: there is no CUDA here, so the processor computes"
        return "cpu", [line] if gpu >= 0 or named else []
    if gpu < 0:
        return named or "cuda", []
    if gpu >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise UomhError(f"--gpu-id {gpu}: there are the GPUs 0 to {last}; name one, or -1")
    return f"cuda:{gpu}", []
