"""The paper's four commands, a thin face on ours: same flags, same option names."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uomh.cli.console import prepare_process, say, sentences
from uomh.cli.runs import evaluate
from uomh.cli.train import run
from uomh.errors import UomhError
from uomh.files import write_json
from uomh.cli.paper.clusters import cluster_values, shared_values
from uomh.cli.paper.metrics import missing_metrics
from uomh.cli.paper.options import density_values, paper_values
from uomh.settings import merged


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

    def parser(self) -> argparse.ArgumentParser:
        """Its flags, as the paper's code has them."""
        what = f"{'a disconnected' if self.clustered else 'one'} " + (
            "two-step model" if self.two_step else "model"
        )
        parser = argparse.ArgumentParser(prog=self.name, description=f"Train {what}.")
        parser.add_argument("--dataset", help="see `uomh list datasets` (default: mnist)")
        parser.add_argument("--model", help="see `uomh list models`; of two steps, the first")
        parser.add_argument("--run-name", help="folder of the run")
        parser.add_argument("--is-gae", action="store_true", help="accepted and not needed")
        parser.add_argument("--gpu-id", type=int, help="use this GPU")
        parser.add_argument("--load-dir", help="folder of a run to go on with, or to test")
        parser.add_argument("--max-epochs-loaded", type=int, help="go on to so many epochs")
        parser.add_argument("--only-test", action="store_true", help="measure that of --load-dir")
        parser.add_argument("--test-ood", action="store_true", help="detect other data (n/a yet)")
        parser.add_argument(
            "--load-best-valid-first", action="store_true", help="accepted: best weights are tested"
        )
        kinds = ["config"]
        if self.two_step:
            kinds = ["gae-config", "de-config", "shared-config"]
            parser.add_argument("--gae-model", help="first step: ae vae avb wae bigan")
            parser.add_argument("--de-model", help="second step (default: flow)")
            for step in ("gae", "de"):
                parser.add_argument(f"--max-epochs-loaded-{step}", type=int, help="of one step")
            parser.add_argument(
                "--load-pretrained-gae", action="store_true", help="begin with that of --load-dir"
            )
            parser.add_argument(
                "--freeze-pretrained-gae", action="store_true", help="and use it as it is"
            )
        for kind in (*kinds, *(["cluster-config"] if self.clustered else [])):
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
    options = [
        each for name, some in vars(given).items() if name.endswith("config") for each in some
    ]
    missing = missing_metrics(options, given.test_ood)
    pretrained = getattr(given, "load_pretrained_gae", False)
    if (given.only_test or pretrained) and given.load_dir is None:
        raise UomhError("which run? name its folder by --load-dir")
    if given.load_dir is not None and not pretrained:
        _load(given, missing)
        return
    values = _values(command, given)
    dataset, model = values["data"]["dataset"], values["model"]["name"]
    root = dict(option.partition("=")[::2] for option in options).get("logdir_root", "runs")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = Path(given.run_name or f"{root}/{dataset}_{model}_{stamp}")
    say(f"run: {name}")
    run(values, [], None, name, quiet=False)
    _add_missing(name, missing)


def _values(command: Command, given: argparse.Namespace) -> dict[str, Any]:
    """Nested values of ours that the flags and options mean."""
    values: dict[str, Any] = {"data": {"dataset": given.dataset or "mnist"}}
    if command.two_step:
        first, second = given.gae_model or given.model or "vae", given.de_model or "flow"
        if given.de_model is None:
            say("second step: flow (name another by --de-model)")
        values |= {"model": {"name": first}, "density": {"name": second}}
        values = merged(
            values,
            shared_values(given.shared_config),
            paper_values(given.gae_config, first, "--gae-config"),
            density_values(given.de_config, second),
        )
        if given.load_pretrained_gae:
            frozen = given.freeze_pretrained_gae
            steps = {"autoencoder_run": given.load_dir, "freeze": frozen}
            values = merged(values, {"two_step": steps})
        elif given.freeze_pretrained_gae:
            raise UomhError("--freeze-pretrained-gae needs --load-pretrained-gae and --load-dir")
    else:
        model = given.model or "vae"
        values = merged(values, {"model": {"name": model}}, paper_values(given.config, model))
    if command.clustered:
        values = merged(values, {"disconnected": True}, cluster_values(given.cluster_config))
        say(f"clusters: {values['clusters']['name']}")
    if given.gpu_id is not None:
        values["device"] = f"cuda:{given.gpu_id}"
    return values


def _load(given: argparse.Namespace, missing: Mapping[str, str]) -> None:
    """Test the run of --load-dir, or go on with it, to more epochs where they are given."""
    from uomh.training.folder import read_record

    folder = Path(given.load_dir)
    record = read_record(folder)
    if record is None:
        raise UomhError(f"there is no run in {given.load_dir!r}; check --load-dir")
    config = record["config"]
    gae, de = (getattr(given, f"max_epochs_loaded_{step}", None) for step in ("gae", "de"))
    if gae is not None and de is None and given.max_epochs_loaded is None:
        raise UomhError(
            "codes change with the first step, so the second must go on, too; "
            "give --max-epochs-loaded-de"
        )
    if given.only_test:
        evaluate([folder])
    else:
        epochs = {"train": ("max_epochs_loaded", "max_epochs_loaded_gae")}
        epochs["density_train"] = ("max_epochs_loaded", "max_epochs_loaded_de")
        for key, flags in epochs.items():
            for flag in flags:
                if (more := getattr(given, flag, None)) is not None:
                    config[key]["max_epochs"] = more
        write_json(folder / "config.json", record)
        run(config, [], None, folder, quiet=False)
    _add_missing(folder, missing)


def _add_missing(run_dir: Path, reasons: Mapping[str, str]) -> None:
    """Say of metrics that do not exist why, on the terminal and in ``metrics.json``."""
    path = run_dir / "metrics.json"
    missing = {name: {"value": None, "reason": reason} for name, reason in reasons.items()}
    if missing:
        write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **missing})
    for name, reason in reasons.items():
        say(f"{name}: n/a ({reason})")
