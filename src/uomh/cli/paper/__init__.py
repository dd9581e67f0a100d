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
from uomh.errors import UomhError

SINGLE = "--model"
FIRST, SECOND = "--gae-model", "--de-model"


@dataclass(frozen=True)
class Command:
    """One of the paper's commands.

    Attributes:
        name: of its script.
        two_step: an autoencoder, then a density on its codes.
        clustered: a model for each cluster.
    """

    name: str
    two_step: bool = False
    clustered: bool = False

    def __call__(self, arguments: Sequence[str] | None = None) -> None:
        """Run the command with these arguments, or those of the process."""
        prepare_process()
        _start(self, self.parser().parse_args(arguments))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Its options of the form NAME=VALUE."""
        of_model = ("gae-config", "de-config", "shared-config") if self.two_step else ("config",)
        return (*of_model, "cluster-config")

    def parser(self) -> argparse.ArgumentParser:
        """Its flags, as the paper's code has them."""
        what = f"{'a disconnected' if self.clustered else 'one'} " + (
            "two-step model" if self.two_step else "model"
        )
        parser = argparse.ArgumentParser(prog=self.name, description=f"Train {what}.")
        parser.add_argument("--dataset", help="see `uomh list datasets` (default: mnist)")
        parser.add_argument(SINGLE, help="see `uomh list models`; of two steps, the first")
        parser.add_argument("--run-name", help="folder of the run, below logdir_root (runs)")
        parser.add_argument(
            "--is-gae", action="store_true", help="the published defaults of autoencoders"
        )
        parser.add_argument("--gpu-id", type=int, default=-1, help="use this GPU; -1: the first")
        parser.add_argument("--load-dir", help="folder of a run to go on with, or to test")
        parser.add_argument("--max-epochs-loaded", type=int, help="go on to so many epochs")
        parser.add_argument(
            "--only-test", action="store_true", help="measure that of --load-dir, or --run-name"
        )
        parser.add_argument("--test-ood", action="store_true", help="detect other data (n/a yet)")
        parser.add_argument(
            "--load-best-valid-first", action="store_true", help="accepted: best weights are tested"
        )
        if self.two_step:
            parser.add_argument(FIRST, help="first step: ae vae avb wae bigan")
            parser.add_argument(SECOND, help="second step (default: flow)")
            for step in ("gae", "de"):
                parser.add_argument(f"--max-epochs-loaded-{step}", type=int, help="of one step")
            parser.add_argument(
                "--load-pretrained-gae", action="store_true", help="begin with that of --load-dir"
            )
            parser.add_argument(
                "--freeze-pretrained-gae", action="store_true", help="and use it as it is"
            )
        for kind in self.kinds:
            parser.add_argument(
                f"--{kind}", action="extend", nargs="+", default=[], metavar="NAME=VALUE"
            )
        return parser


single_main = Command("single_main.py")
main = Command("main.py", two_step=True)
single_cluster_main = Command("single_cluster_main.py", clustered=True)
cluster_main = Command("cluster_main.py", two_step=True, clustered=True)


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
