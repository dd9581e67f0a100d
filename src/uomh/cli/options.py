"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from uomh.cli.console import given
from uomh.devices import MAX_THREADS

HOW = "class, a clusterer (see `uomh list clusterers`), or a file of labels"

Dataset = Annotated[
    str | None, typer.Option(help="a name, a folder, a file (.npz, .npy, .csv), or hub:ORG/NAME")
]
DataRoot = Annotated[str | None, typer.Option(help="folder where data sets are looked for first")]
Resize = Annotated[int | None, typer.Option(help="bring images to this height and width")]
SkipBroken = Annotated[
    bool | None, typer.Option("--skip-broken", help="leave out images that cannot be decoded")
]
Seed = Annotated[int | None, typer.Option(help="all randomness follows from it")]
Device = Annotated[
    str | None,
    typer.Option(help="torch device: auto (CUDA, else MPS, else cpu), cpu, cuda, cuda:1, mps"),
]
Threads = Annotated[int | None, typer.Option(help="processor threads", min=1, max=MAX_THREADS)]
Quiet = Annotated[bool, typer.Option("--quiet", help="print errors alone")]
Backend = Annotated[
    str, typer.Option(help="where independent work is done: serial, processes or ray")
]
Jobs = Annotated[int | None, typer.Option(help="pieces of it at a time")]
RayAddress = Annotated[str | None, typer.Option(help="of a Ray cluster, HOST:PORT or auto")]
RunDir = Annotated[
    Path | None, typer.Option(help="folder of the run (default: runs/DATASET_MODEL_TIME)")
]


def run_settings(
    dataset: str | None,
    data_root: str | None,
    resize: int | None,
    skip_broken: bool | None,
    seed: int | None,
    device: str | None,
    threads: int | None,
) -> dict[str, Any]:
    """The settings of a run, nested, that these options say; those not given are left out."""
    data = given(dataset=dataset, data_root=data_root, resize=resize, skip_broken=skip_broken)
    return {**given(seed=seed, device=device, threads=threads), "data": data}
