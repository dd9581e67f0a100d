"""Where training is shown: TensorBoard events, Weights & Biases.

Both get the same: the settings of the run, the values of every epoch under ``LEAF/SPLIT/NAME``, and
pictures, each at its number of optimiser steps.

A leaf is one run of Weights & Biases, in a group named after the folder. Its id stands in
``RUN/wandb``, so that a leaf that goes on after an interruption does so under the same one. What it
repeats are the same values at the same steps, which Weights & Biases takes once.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np
import yaml
from numpy.typing import NDArray

from uomh.errors import UomhError
from uomh.files import replacing
from uomh.settings import Nested

CONNECT_SECONDS = 3.0
"""after which a server is taken to be out of reach"""
WANDB_SERVER = "https://api.wandb.ai"


class Sink(Protocol):
    """Something that shows training."""

    def values(self, values: Mapping[str, float], step: int) -> None:
        """Show numbers by their tags."""

    def image(self, tag: str, pixels: NDArray[np.uint8], step: int) -> None:
        """Show an image (H, W, C)."""

    def close(self) -> None:
        """Write what is not written."""


class TensorBoard:
    """Events in a run's folder.

    Args:
        folder: of the run.
        path: of the leaf.
        step: optimiser steps that are behind it; events of later ones are of no run.
        settings: of the run.
    """

    def __init__(self, folder: Path, path: str, step: int, settings: Nested) -> None:
        from torch.utils.tensorboard import SummaryWriter  # heavy, and not needed in memory

        # TensorBoard drops, of the events that stand in the folder, those from purge_step on.
        suffix = "." + path.replace("/", ".")
        purge = {"purge_step": step + 1} if step else {}
        self._writer = SummaryWriter(str(folder), filename_suffix=suffix, **purge)
        if not step:
            text = yaml.safe_dump(settings, sort_keys=False).replace("\n", "\n    ")
            self._writer.add_text(f"{path}/settings", f"    {text}", 0)

    def values(self, values: Mapping[str, float], step: int) -> None:
        """See `Sink`."""
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)
        self._writer.flush()

    def image(self, tag: str, pixels: NDArray[np.uint8], step: int) -> None:
        """See `Sink`."""
        self._writer.add_image(tag, pixels, step, dataformats="HWC")

    def close(self) -> None:
        """See `Sink`."""
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases; offline where its server is out of reach, or WANDB_MODE says so.

    Args:
        folder: of the run; below it stands what is not sent yet.
        path: of the leaf.
        step: optimiser steps that are behind it.
        settings: of the run.

    Raises:
        UomhError: the package is missing, or the server takes no run.
    """

    def __init__(self, folder: Path, path: str, step: int, settings: Nested) -> None:
        del step  # the id says what goes on
        try:
            import wandb
        except ImportError:
            raise UomhError(
                "train.log names wandb, which is not installed: pip install 'uomh[wandb]', or "
                "leave it out"
            ) from None
        self._wandb: Any = wandb
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "uomh"),
                dir=str(folder),
                id=identity(folder / "wandb", path),
                name=f"{folder.name}/{path}",
                group=folder.name,
                config=settings,
                mode=mode(),
                resume="allow",
                reinit="create_new",
                settings=wandb.Settings(
                    silent=True, console="off", disable_git=True, save_code=False
                ),
            )
        except Exception as error:  # whatever its client and its server raise
            text = " ".join(str(error).split())
            raise UomhError(
                f"Weights & Biases takes no run ({text}); run `wandb login`, set "
                "WANDB_MODE=offline, or leave wandb out of train.log"
            ) from None

    def values(self, values: Mapping[str, float], step: int) -> None:
        """See `Sink`."""
        self._run.log(dict(values), step=step)

    def image(self, tag: str, pixels: NDArray[np.uint8], step: int) -> None:
        """See `Sink`."""
        self._run.log({tag: self._wandb.Image(pixels)}, step=step)

    def close(self) -> None:
        """See `Sink`."""
        self._run.finish()


SINKS: Mapping[str, type[TensorBoard] | type[WeightsAndBiases]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
}
"""by the names of ``train.log``"""


def identity(folder: Path, path: str) -> str:
    """The id of a leaf's run of Weights & Biases, made once and kept in a folder."""
    file = folder / f"{path.replace('/', '.')}.id"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        with replacing(file) as temporary:
            temporary.write_text(secrets.token_hex(6), encoding="utf-8")
    return file.read_text(encoding="utf-8").strip()


def mode() -> str:
    """How Weights & Biases is run: as WANDB_MODE says, else online where its server answers."""
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    server = urlsplit(os.environ.get("WANDB_BASE_URL", WANDB_SERVER))
    port = server.port or (80 if server.scheme == "http" else 443)
    try:
        with socket.create_connection((server.hostname or "", port), timeout=CONNECT_SECONDS):
            return "online"
    except OSError:
        return "offline"
