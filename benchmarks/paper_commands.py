"""Run the paper's commands, and write a table of what they gave to docs/paper-commands.md.

    python benchmarks/paper_commands.py [--data-root DIR] [--limit N] [--threads N] [--only TEXT]

One epoch each. On the digits: pairs of steps, clusterers, conditioning, turns, and the forms of the
published scripts. With --data-root those forms again on mnist, and the three examples of the
README, on mnist for svhn; --limit keeps so many training and test points of these. What ran before
is kept in out/paper_commands.json. A command that fails is in the table, and makes this one fail.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from uomh.files import write_json

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/paper-commands.md"
CACHE = ROOT / "out/paper_commands.json"
METRICS = ("bits_per_dim", "l2_reconstruction_error", "low_dim_log_likelihood", "fid")
ONE = "max_epochs=1"
HEADING = "## What each gave"
STEPS = f"--gae-config {ONE} --de-config {ONE}"
SAVE = "--cluster-config metric_dataset_save=./there"
FID = "test_metrics=[fid]"


def published() -> list[str]:
    """The forms of the published scripts, all of which ask for `fid`; without their data set."""
    found = []
    for model in ("vae", "wae"):
        single = f"single_main.py --model {model} --config {ONE} {FID}"
        found += [
            f"{single} {SAVE}",
            f"{single} conditioning=class",
            f"{single} {SAVE} conditioning=agglomerative",
            f"{single} base_distribution=learned_mixture_of_gaussians "
            f"distribution_mean_spacing=3 {SAVE}",
        ]
        found += [
            f"single_cluster_main.py --model {model} --config {ONE} base_distribution=None "
            f"--cluster-config {FID} cluster_method={how}"
            for how in ("class", "agglomerative", "random")
        ]
    steps = f"--gae-model vae --de-model flow {STEPS}"
    found.append(f"main.py {steps} --load-pretrained-gae --shared-config {FID}")
    found += [
        f"cluster_main.py {steps} --cluster-config {FID} cluster_method={how} id_estimator={sizes}"
        for how in ("class", "agglomerative")
        for sizes in ("None", "mle")
    ]
    return found


def readme() -> list[str]:
    """The three examples of the paper's README, on mnist for svhn."""
    return [
        f"single_main.py --dataset mnist --model flow --config {ONE}",
        f"single_cluster_main.py --dataset mnist --model vae --config scale_data=True {ONE}",
        "cluster_main.py --dataset cifar10 --model wae --cluster-config "
        f"clustered_id_samples_save=./save_here --gae-config use_lr_scheduler=True {ONE} "
        f"--de-config {ONE}",
    ]


def of_data(command: str, **options: object) -> str:
    """A command with options of its data, where those are given that go to the whole model.

    >>> of_data("main.py --model vae", limit=9)
    'main.py --model vae --shared-config limit=9'
    """
    flag = "--config" if command.startswith("single_") else "--shared-config"
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    return " ".join([command, *([flag, *given] if given else [])])


def on_digits() -> list[str]:
    """Every command on the digits."""
    pairs = itertools.product(("ae", "vae", "avb", "wae"), ("vae", "avb", "flow", "ebm"))
    found = [f"main.py --gae-model {a} --de-model {b} {STEPS}" for a, b in pairs]
    found += [
        f"single_cluster_main.py --model {model} --config {ONE} --cluster-config "
        f"cluster_method={how}"
        for model in ("flow", "gan")
        for how in ("class", "agglomerative", "random")
    ]
    found += [
        f"single_main.py --model flow --config {ONE} conditioning={how}"
        for how in ("class", "agglomerative")
    ]
    turns = (
        f"main.py --gae-model vae --de-model flow --shared-config {ONE} sequential_training=False"
    )
    found += [turns, f"{turns} alternate_by_epoch=True", *published()]
    return [on("digits", command) for command in found]


def on(dataset: str, command: str) -> str:
    """A command on a data set."""
    return command.replace(".py ", f".py --dataset {dataset} ", 1)


def on_real_data(data_root: str, limit: int | None) -> list[str]:
    """The published forms on mnist, and the examples of the README."""
    commands = [*(on("mnist", command) for command in published()), *readme()]
    return [
        of_data(command, data_root=data_root, limit=limit, test_limit=limit) for command in commands
    ]


def measure(command: str, threads: int) -> dict[str, Any]:
    """Seconds of a command, and its test metrics or its error."""
    script, *options = command.split()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(ROOT / script), *options, "--run-name", f"{folder}/run"],
            capture_output=True,
            text=True,
            env=environment,
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            said = done.stderr.strip() or f"exit code {done.returncode}"
            return {"seconds": seconds, "error": said.splitlines()[-1]}
        metrics = json.loads(Path(f"{folder}/run/metrics.json").read_text(encoding="utf-8"))
    values = {name: metrics.get(name, {}).get("value") for name in METRICS}
    interval = [metrics.get("fid", {}).get(end) for end in ("low", "high")]
    return {"seconds": seconds, **values, "interval": interval}


def row(command: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    first = f"| `{command}` | {found['seconds']:.0f} |"
    if "error" in found:
        return f"{first} failed: {found['error']} | | | |"
    cells = ["n/a" if (value := found[name]) is None else f"{value:.4g}" for name in METRICS]
    low, high = found["interval"]
    if low is not None:
        cells[-1] += f" ({low:.4g} to {high:.4g})"
    elif found["fid"] is None:
        cells[-1] = "n/a" if "test_metrics=[fid]" in command else ""
    if "test_metrics=[fid]" in command:
        cells[:-1] = [""] * (len(cells) - 1)
    return f"{first} {' | '.join(cells)} |"


def page(before: str, results: dict[str, dict[str, Any]], root: str | None) -> str:
    """The page with its table anew; what stands before `HEADING` is kept."""
    lines = [
        before.partition(HEADING)[0].rstrip(),
        "",
        HEADING,
        "",
        "By `python benchmarks/paper_commands.py --data-root DIR --limit 500`: one epoch each, on"
        " few points of the real data, so the numbers say that a command works, not what its model"
        " can do. Seconds with imports and measuring, one thread of an AMD EPYC, on a machine busy"
        " with other work. bits/dim and reconstruction error are of the whole model on the test"
        " split; the log-likelihood of codes (nats) is n/a for disconnected models, whose codes"
        " have no common measure, and bits/dim without a Gaussian decoder or a density (ae, wae,"
        " gan; ebm without its normalising constant). The published scripts ask for fid alone:"
        " with its interval of 95%, in the features of a classifier, as the weights of Inception"
        " are not there (`uomh evaluate RUN --features inception --feature-weights PATH`).",
        "",
        "| command | seconds | bits/dim | reconstruction error | codes | fid |",
        "|---|---|---|---|---|---|",
        *(
            row(command.replace(root, "DIR") if root else command, found)
            for command, found in results.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root")
    parser.add_argument("--limit", type=int, help="training and test points of the real data")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="commands that hold this text")
    given = parser.parse_args()
    results = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    real = on_real_data(given.data_root, given.limit) if given.data_root else []
    wanted = [*real, *on_digits()]
    for command in wanted:
        if given.only not in command:
            continue
        if command not in results or "error" in results[command]:
            results[command] = measure(command, given.threads)
            CACHE.parent.mkdir(exist_ok=True)
            write_json(CACHE, results)
            print(command, results[command], flush=True)
        found = {command: results[command] for command in wanted if command in results}
        text = page(PAGE.read_text(encoding="utf-8"), found, given.data_root)
        PAGE.write_text(text, encoding="utf-8")
    failed = [command for command in wanted if "error" in results.get(command, {})]
    if failed:
        sys.exit(f"{len(failed)} of {len(wanted)} commands failed: {failed}")


if __name__ == "__main__":
    main()
