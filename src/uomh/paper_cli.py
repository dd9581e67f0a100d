"""The paper's commands, a thin face on ours: same flags, same option names."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from uomh.cli.console import prepare_process, say, sentences
from uomh.cli.train import run
from uomh.files import write_json
from uomh.paper_options import missing_metrics, paper_values
from uomh.settings import merged


def single_main(arguments: Sequence[str] | None = None) -> None:
    """``single_main.py``: train one model, in one piece."""
    prepare_process()
    parser = argparse.ArgumentParser(
        prog="single_main.py", description="Train a single, non-disconnected model."
    )
    parser.add_argument("--dataset", default="mnist", help="see `uomh list datasets`")
    parser.add_argument("--model", default="vae", help="see `uomh list models`")
    parser.add_argument("--run-name", help="folder of the run")
    parser.add_argument("--is-gae", action="store_true", help="accepted and not needed")
    parser.add_argument("--gpu-id", type=int, help="use this GPU")
    parser.add_argument(
        "--config", action="append", default=[], metavar="NAME=VALUE", help="one option"
    )
    given = parser.parse_args(arguments)
    _train(given)


@sentences
def _train(given: argparse.Namespace) -> None:
    values = merged(
        {"data": {"dataset": given.dataset}, "model": {"name": given.model}},
        paper_values(given.config, given.model),
    )
    if given.gpu_id is not None:
        values["device"] = f"cuda:{given.gpu_id}"
    root = dict(option.partition("=")[::2] for option in given.config).get("logdir_root", "runs")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = given.run_name or f"{root}/{given.dataset}_{given.model}_{stamp}"
    say(f"run: {name}")
    run(values, [], None, Path(name), quiet=False)
    _add_missing(Path(name), missing_metrics(given.config))


def _add_missing(run_dir: Path, reasons: Mapping[str, str]) -> None:
    """Say of metrics that do not exist why, on the terminal and in ``metrics.json``."""
    path = run_dir / "metrics.json"
    missing = {name: {"value": None, "reason": reason} for name, reason in reasons.items()}
    if missing:
        write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **missing})
    for name, reason in reasons.items():
        say(f"{name}: n/a ({reason})")
