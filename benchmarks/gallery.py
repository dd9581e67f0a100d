"""All ten models on the digits with their defaults: times, samples side by side, docs/models.md.

    python benchmarks/gallery.py [--threads 1] [--models vae flow ...]

Trains by `uomh train --dataset digits --model M --run-dir out/gallery/M`, in a process of its own
whose seconds on the clock and on processors (user and system, all threads) go to out/gallery.json.
Models that are recorded there with the same number of threads are not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from uomh.files import write_json

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "out/gallery"
RECORDS = ROOT / "out/gallery.json"
MODELS = ["ae", "vae", "avb", "wae", "gan", "bigan", "flow", "flow_matching", "arm", "ebm"]
COLUMNS = 5
LARGE = "<!-- large images: begin -->"
"""where the section of `large_images.py` begins, which stays as it is"""
PAGE = """# All models side by side

Each trained on the 8x8 digits (1,457 training images) with its defaults by

```
uomh train --dataset digits --model M
```

The pictures are the `samples.png` of each run, of `ae`, which has no density to draw from, its
`reconstructions.png`: test images, each above its reconstruction.

{pictures}

{table}

Bits/dim are those of the test split with their 95% interval ([likelihoods](likelihoods.md)); a
model without a likelihood has none. Seconds are those of the whole command on the clock, with
measuring and drawing,{threads} of AMD EPYC cores that had nothing else to do.

`python benchmarks/gallery.py --threads {count}` trains what is missing and writes this page.
"""


def picture(model: str) -> str:
    """File name of what a run draws."""
    return "reconstructions.png" if model == "ae" else "samples.png"


def trained(model: str, threads: int) -> dict[str, Any]:
    """Train one model in a process of its own; its seconds and its bits/dim."""
    shutil.rmtree(RUNS / model, ignore_errors=True)
    command = ["train", "--dataset", "digits", "--model", model, "--quiet"]
    command += ["--run-dir", str(RUNS / model), "--threads", str(threads)]
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", "from uomh.cli import main; main()", *command],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"training {model} failed")
    metrics = json.loads((RUNS / model / "metrics.json").read_text())
    return {
        "threads": threads,
        "wall_seconds": time.perf_counter() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "bits_per_dim": metrics.get("bits_per_dim"),
    }


def row(model: str, record: dict[str, Any]) -> str:
    """One line of the table."""
    bits = record["bits_per_dim"]
    value = kind = "none"
    if bits is not None and bits["value"] is not None:
        value, kind = "{value:.2f} ({low:.2f} to {high:.2f})".format_map(bits), bits["kind"]
    link = f"[{model}](models/{model}.md)"
    return f"| {link} | {value} | {kind} | {record['wall_seconds']:.0f} |"


def page(records: dict[str, dict[str, Any]], threads: int) -> str:
    """The page of those models that are recorded."""
    lines = []
    for start in range(0, len(MODELS), COLUMNS):
        names = MODELS[start : start + COLUMNS]
        titles = [f"[{name}](models/{name}.md)" for name in names]
        images = [f"![{name} on digits](figures/{name}_digits.png)" for name in names]
        lines += [f"| {' | '.join(titles)} |", "|---" * len(names) + "|"]
        lines += [f"| {' | '.join(images)} |", ""]
    table = ["| model | bits/dim | kind | seconds |", "|---|---|---|---|"]
    table += [row(name, records[name]) for name in MODELS if name in records]
    words = " at one thread" if threads == 1 else f" on {threads} threads"
    return PAGE.format(
        pictures="\n".join(lines).strip(), table="\n".join(table), threads=words, count=threads
    )


def main() -> None:
    """Train what is missing, copy the pictures and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    records = {name: each for name, each in records.items() if each["threads"] == given.threads}
    for model in given.models:
        if model not in records:
            records[model] = trained(model, given.threads)
            write_json(RECORDS, records)
        shutil.copyfile(RUNS / model / picture(model), ROOT / f"docs/figures/{model}_digits.png")
        print(f"{model}: {records[model]}", flush=True)
    target = ROOT / "docs/models.md"
    _, marker, rest = target.read_text().partition(LARGE)  # the section of large_images.py
    after = f"\n{marker}{rest}" if marker else ""
    target.write_text(page(records, given.threads) + after)


if __name__ == "__main__":
    main()
