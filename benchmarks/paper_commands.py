"""Run the paper's commands, and write a table of what they gave to docs/paper-commands.md.

    python benchmarks/paper_commands.py [--data-root DIR] [--threads N]

On the digits, one epoch each; with --data-root also the three examples of the paper's README, on
mnist for svhn. What ran before is kept in out/paper_commands.json.
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

from uomh.files import write_json

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/paper-commands.md"
CACHE = ROOT / "out/paper_commands.json"
METRICS = ("bits_per_dim", "l2_reconstruction_error", "low_dim_log_likelihood")
ONE = "max_epochs=1"
HEADING = "## What each gave"
STEPS = f"--gae-config {ONE} --de-config {ONE}"


def commands() -> list[str]:
    """Every command on the digits."""
    pairs = itertools.product(("ae", "vae", "avb", "wae"), ("vae", "avb", "flow", "ebm"))
    found = [f"main.py --gae-model {a} --de-model {b} {STEPS}" for a, b in pairs]
    found += [
        f"single_cluster_main.py --model {model} --config {ONE} "
        f"--cluster-config cluster_method={how}"
        for model in ("vae", "wae", "flow", "gan")
        for how in ("class", "agglomerative", "random")
    ]
    found += [
        f"cluster_main.py --model vae {STEPS} --cluster-config cluster_method={how}{fitted}"
        for how in ("class", "agglomerative")
        for fitted in ("", " id_estimator=mle")
    ]
    found += [
        f"single_main.py --model {model} --config {ONE} conditioning={how}"
        for model in ("vae", "wae", "flow")
        for how in ("class", "agglomerative")
    ]
    turns = (
        f"main.py --gae-model vae --de-model flow --shared-config {ONE} sequential_training=False"
    )
    found += [turns, f"{turns} alternate_by_epoch=True"]
    return [each.replace(".py ", ".py --dataset digits ", 1) for each in found]


def examples(data_root: str) -> list[str]:
    """The three commands of the paper's README, on mnist for svhn."""
    data = f"data_root={data_root}"
    return [
        f"single_main.py --dataset mnist --model flow --config {data} {ONE}",
        f"single_cluster_main.py --dataset mnist --model vae --config scale_data=True {data} {ONE}",
        "cluster_main.py --dataset cifar10 --model wae --cluster-config "
        f"clustered_id_samples_save=./save_here --gae-config use_lr_scheduler=True {ONE} "
        f"--de-config {ONE} --shared-config {data}",
    ]


def measure(command: str, threads: int) -> dict[str, object]:
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
            return {"seconds": seconds, "error": done.stderr.strip().splitlines()[-1]}
        metrics = json.loads(Path(f"{folder}/run/metrics.json").read_text(encoding="utf-8"))
    values = {name: metrics.get(name, {}).get("value") for name in METRICS}
    return {"seconds": seconds, **values}


def page(before: str, results: dict[str, dict[str, object]], root: str | None) -> str:
    """The page with its table anew; what stands before `HEADING` is kept."""
    lines = [
        before.partition(HEADING)[0].rstrip(),
        "",
        HEADING,
        "",
        "By `python benchmarks/paper_commands.py --data-root DIR`: one epoch each, so the numbers"
        " say that a command works, not what its model can do. Seconds with imports and measuring,"
        " one thread, on a machine busy with other work. bits/dim and reconstruction error are of"
        " the whole model on the test split; the log-likelihood of codes (nats) is n/a for"
        " disconnected models, whose codes have no common measure, and bits/dim without a Gaussian"
        " decoder or a density (ae, wae, gan; ebm without its normalising constant).",
        "",
        "| command | seconds | bits/dim | reconstruction error | codes |",
        "|---|---|---|---|---|",
    ]
    for command, found in results.items():
        shown = command.replace(root, "DIR") if root else command
        if "error" in found:
            lines.append(f"| `{shown}` | {found['seconds']:.0f} | failed: {found['error']} | | |")
            continue
        values = (found[name] for name in METRICS)
        cells = " | ".join("n/a" if value is None else f"{value:.4g}" for value in values)
        lines.append(f"| `{shown}` | {found['seconds']:.0f} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    results = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    wanted = commands() + (examples(given.data_root) if given.data_root else [])
    for command in wanted:
        if command not in results or "error" in results[command]:
            results[command] = measure(command, given.threads)
            CACHE.parent.mkdir(exist_ok=True)
            write_json(CACHE, results)
            print(command, results[command], flush=True)
        found = {each: results[each] for each in wanted if each in results}
        text = page(PAGE.read_text(encoding="utf-8"), found, given.data_root)
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
