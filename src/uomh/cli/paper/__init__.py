"""The paper's four commands, a thin face on ours: same flags, same option names.

An option's meaning stands in `options` and `clusters`, the published defaults in `defaults`; how
the settings of a run are built is `tree`'s alone. What is accepted and has no effect is said in one
line. `dimension` is the command of the paper's estimates.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uomh.cli.console import prepare_process, say, sentences
from uomh.cli.paper.command import Command
from uomh.errors import UomhError


@dataclass(frozen=True)
class Script(Command):
    """One of the paper's commands, to be called."""

    def __call__(self, arguments: Sequence[str] | None = None) -> None:
        """Run the command with these arguments, or those of the process."""
        prepare_process()
        _start(self, self.parser().parse_args(arguments))


single_main = Script("single_main.py")
main = Script("main.py", two_step=True)
single_cluster_main = Script("single_cluster_main.py", clustered=True)
cluster_main = Script("cluster_main.py", two_step=True, clustered=True)


@sentences
def _start(command: Command, given: argparse.Namespace) -> None:
    from uomh.cli.paper.flags import said_of_flags
    from uomh.cli.paper.resolving import parsed, resolved
    from uomh.cli.paper.running import go_on, train

    options = parsed(command, given)
    for line in said_of_flags(command, given):
        say(line)
    root = next((some["logdir_root"] for some in options.values() if "logdir_root" in some), "runs")
    pretrained = given.load_dir is not None and getattr(given, "load_pretrained_gae", False)
    if given.load_dir is not None and not pretrained:
        go_on(command, given, options, Path(given.load_dir))
        return
    if given.only_test:
        if given.run_name is None:
            raise UomhError("which run? name its folder by --load-dir, or by --run-name")
        go_on(command, given, options, run_folder(given.run_name, root))
        return
    found = resolved(command, given, options)
    for line in found.notes:
        say(line)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    dataset, model = found.values["data"]["dataset"], found.values["model"]["name"]
    name = given.run_name or f"{Path(dataset).name}_{model}_{stamp}"
    train(command, given, options, found, run_folder(name, root))


def run_folder(name: str, root: Any = "runs") -> Path:
    """The folder of a run of a name: below the root, unless it names that itself.

    >>> str(run_folder("vae/1")), str(run_folder("runs/vae")), str(run_folder("/there/vae"))
    ('runs/vae/1', 'runs/vae', '/there/vae')
    """
    above, path = Path(str(root)), Path(name)
    below = path.is_absolute() or (above.parts and path.parts[: len(above.parts)] == above.parts)
    return path if below else above / path
