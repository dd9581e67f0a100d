"""The flags of the paper's commands, as its code has them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

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
        parser.add_argument(
            "--test-ood", action="store_true", help="tell the paper's other data apart"
        )
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
