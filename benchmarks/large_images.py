"""All ten models on a folder of larger colour images with their defaults: peak memory and time.

    python benchmarks/large_images.py [--sizes 64 96] [--models vae flow ...] [--limit 6]

Makes folders of 240 images each and trains by `uomh train --dataset FOLDER --model M
train.max_epochs=1` in a process of its own, whose peak of resident memory and seconds go to
out/large_images.json. What is recorded there is not trained again. The table goes between the
markers of docs/models.md, whose other parts are left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from uomh.files import write_json

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "out/large_images"
RECORDS = ROOT / "out/large_images.json"
PAGE = ROOT / "docs/models.md"
BEGIN, END = "<!-- large images: begin -->", "<!-- large images: end -->"
MODELS = ["ae", "vae", "avb", "wae", "gan", "bigan", "flow", "flow_matching", "arm", "ebm"]
IMAGES = 240
SHOWN = {"gigabytes": 1, "cpu_seconds": 0}
"""what of a record is in the table, and with how many digits"""
SECTION = """{begin}
## Larger images

Peak memory of the whole process, and seconds of one core of an AMD EPYC, of

```
uomh train --dataset FOLDER --model M --threads 1 train.max_epochs=1
```

for a folder of 240 colour images, 195 of them for training, with measuring and drawing. Flows of
such images are `multiscale`; the autoregressive model reads them in segments; batches are smaller
for the models whose graph is large (`uomh.sizes`). Before the first step, `train` estimates the
peak, and refuses where it is not free, naming the setting to lower; so do `evaluate` and `sample`.

{table}

`python benchmarks/large_images.py` trains what is missing and writes this section.
{end}"""


def make_images(folder: Path, size: int) -> None:
    """Write colour images of one disc each, before a sloping ground."""
    if folder.is_dir():
        return
    rng = np.random.default_rng(size)
    rows, columns = np.mgrid[:size, :size] / size
    partial_folder = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial_folder, ignore_errors=True)
    partial_folder.mkdir(parents=True)
    for i in range(IMAGES):
        ground, slope, colour = rng.uniform(0, 255, (3, 3))
        image = ground + (slope - ground) * (rows + columns)[..., None] / 2
        row, column, radius = rng.uniform([0.3, 0.3, 0.1], [0.7, 0.7, 0.3])
        image[np.hypot(rows - row, columns - column) < radius] = colour
        image += rng.normal(0, 4, image.shape)
        pixels = image.clip(0, 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(partial_folder / f"{i:03}.png")
    partial_folder.rename(folder)


def trained(model: str, images: Path, limit: float, log: Path) -> dict[str, Any]:
    """Train one model in a process of its own: its peak memory in GB and its seconds."""
    run = FOLDER / f"{images.name}_{model}"
    shutil.rmtree(run, ignore_errors=True)
    command = ["train", "--dataset", str(images), "--model", model, "--run-dir", str(run)]
    command += ["--threads", "1", "train.max_epochs=1"]
    bound = int(limit * 2**30)
    start = time.perf_counter()
    with log.open("w") as file:
        child = subprocess.Popen(
            [sys.executable, "-c", "from uomh.cli import main; main()", *command],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_DATA, (bound, bound)),
            stdout=file,
            stderr=file,
        )
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return {
        "exit": child.returncode,
        "gigabytes": usage.ru_maxrss * 1024 / 1e9,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


def table(records: dict[str, dict[str, Any]], sizes: list[int]) -> str:
    """Models by rows; memory and seconds of each size by columns."""
    names = [f"{size}x{size}x3: {what}" for size in sizes for what in ("GB", "seconds")]
    lines = [f"| model | {' | '.join(names)} |", "|---" + "|---:" * len(names) + "|"]
    for model in MODELS:
        cells = []
        for size in sizes:
            record = records.get(f"{size}_{model}")
            done = record is not None and record["exit"] == 0
            cells += [f"{record[key]:.{digits}f}" if done else "" for key, digits in SHOWN.items()]
        lines.append(f"| [{model}](models/{model}.md) | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_section(records: dict[str, dict[str, Any]]) -> None:
    """Put the table into the page, in place of the one there or at its end."""
    sizes = sorted({int(name.partition("_")[0]) for name in records})
    section = SECTION.format(table=table(records, sizes), begin=BEGIN, end=END)
    page = PAGE.read_text()
    if BEGIN in page:
        before, rest = page.split(BEGIN)
        PAGE.write_text(before + section + rest.split(END)[1])
    else:
        PAGE.write_text(f"{page.rstrip()}\n\n{section}\n")


def main() -> None:
    """Train what is missing and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--sizes", nargs="*", type=int, default=[64, 96])
    parser.add_argument("--limit", type=float, default=6.0, help="GiB that a process may take")
    given = parser.parse_args()
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    for size in given.sizes:
        images = FOLDER / f"discs_{size}"
        make_images(images, size)
        for model in given.models:
            name = f"{size}_{model}"
            if records.get(name, {}).get("exit") != 0:
                log = FOLDER / f"{name}.log"
                records[name] = trained(model, images, given.limit, log)
                write_json(RECORDS, records)
                print(f"{name}: {records[name]} (log: {log})", flush=True)
    write_section(records)


if __name__ == "__main__":
    main()
