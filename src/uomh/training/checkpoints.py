"""The states of a leaf on disk: written whole or not at all, loadable without running code."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from uomh.errors import UomhError
from uomh.files import replacing

State = dict[str, Any]


class Checkpoints:
    """Named states in a folder, or in memory where there is none.

    Args:
        folder: where ``NAME.pt`` stand; None keeps them in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._memory: dict[str, State] = {}

    def save(self, name: str, state: State) -> None:
        """Replace a state in one step: whoever reads, or is killed, leaves the old or the new."""
        if self.folder is None:
            self._memory[name] = copy.deepcopy(state)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.pt"
        # To a file, not a path, whose random name torch would write into the archive.
        with replacing(path) as temporary, temporary.open("wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:
                # Of the half-written archive: it must not pass for a failure of one part alone.
                if isinstance(error.__context__, KeyboardInterrupt):
                    raise KeyboardInterrupt from None
                raise

    def load(self, name: str) -> State | None:
        """The state of a name, or None where there is none.

        Raises:
            UomhError: the file is damaged.
        """
        if self.folder is None:
            return copy.deepcopy(self._memory.get(name))
        path = self.folder / f"{name}.pt"
        if not path.is_file():
            return None
        try:
            state: State = torch.load(path, weights_only=True, map_location="cpu")
        except Exception:  # a damaged archive fails in whatever layer meets the damage first
            raise UomhError(
                f"the checkpoint {str(path)!r} is damaged; restore it from a copy, or delete "
                f"{str(self.folder)!r} to train this model again"
            ) from None
        return state

    def tidy(self) -> None:
        """Remove what a killed process left half-written."""
        if self.folder is not None and self.folder.is_dir():
            for partial in self.folder.glob(".*-*"):
                partial.unlink(missing_ok=True)
