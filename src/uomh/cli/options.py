"""Options that commands share."""

from __future__ import annotations

from typing import Annotated

import typer

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
