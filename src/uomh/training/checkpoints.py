"""The states of a leaf on disk: written whole or not at all, loadable without running code."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import nn

from uomh.errors import UomhError
from uomh.files import replacing, tidy

State = dict[str, Any]

ORPHAN_SECONDS = 60.0
"""for a worker whose process died to notice it and end"""


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
            raise self.damaged(name) from None
        return state

    def has(self, name: str) -> bool:
        """Whether a state of this name is saved."""
        if self.folder is None:
            return name in self._memory
        return (self.folder / f"{name}.pt").is_file()

    def load_weights(self, name: str, model: nn.Module) -> bool:
        """Give a model the weights of a state; whether there is one.

        Raises:
            UomhError: the file is damaged, or holds the weights of another model.
        """
        state = self.load(name)
        if state is None:
            return False
        try:
            model.load_state_dict(state["model"])
        except (KeyError, RuntimeError, TypeError, AttributeError):
            raise self.damaged(name) from None
        return True

    def damaged(self, name: str) -> UomhError:
        """The error of a state that cannot be taken up."""
        return UomhError(
            f"the checkpoint {str((self.folder or Path()) / f'{name}.pt')!r} is damaged or of "
            f"another model; restore it from a copy, or delete {str(self.folder)!r} to train this "
            "model again"
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one that trains this leaf in this block, and tidy its folder first.

        Whoever holds the run's folder has this at once, unless a worker of a process that was
        killed is still about to end.

        Raises:
            UomhError: it does not end.
        """
        if self.folder is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock", timeout=ORPHAN_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            raise UomhError(
                f"another process still trains {str(self.folder)!r}; end it, then repeat the "
                "command"
            ) from None
        try:
            tidy(self.folder)
            yield
        finally:
            lock.release()
